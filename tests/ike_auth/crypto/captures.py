# SPDX-License-Identifier: ISC
"""Recorded exchanges of other daemons, replayed with our own wire format and key material.

Of each record only the datagrams, the Diffie-Hellman secrets and the pre-shared key are used here; what else it holds
is for the tests to compare with.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ike_auth.crypto.ciphers import Cbc, phase1_cipher
from ike_auth.crypto.key_material import Skeyid, expanded_key, phase1_iv, phase2_iv
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.fragments import Reassembly
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import (
    AuthenticationMethod,
    EncryptionAlgorithm,
    HashAlgorithm,
    PayloadType,
    Phase1Attribute,
)
from ike_auth.wire.payloads import Fragment, KeyExchange, Nonce
from ike_auth.wire.proposals import SecurityAssociation

VECTORS = Path(__file__).parents[2] / "vectors"
ISAKMPD = sorted((VECTORS / "isakmpd").glob("*.json"))
STRONGSWAN = sorted((VECTORS / "strongswan").glob("*.json"))
NON_ESP_MARKER = bytes(4)
_SECRET_LABELS = (
    "ike_phase_1_post_exchange_KE_NONCE: g^xy",
    "gen_g_xy: g^xy",
    "shared Diffie Hellman secret",
    "DH secret",
)


@dataclass
class Opened:
    """An encrypted message and what our keys make of it."""

    datagram: bytes
    by_initiator: bool
    iv: bytes
    plaintext: bytes  # with padding
    next_iv: bytes
    message: Message

    @property
    def ciphertext(self) -> bytes:
        return self.datagram[HEADER_SIZE:]


@dataclass
class Replay:
    record: dict[str, Any]
    clear: list[Message] = field(default_factory=list)
    opened: list[Opened] = field(default_factory=list)
    datagrams: list[bytes] = field(default_factory=list)  # whole ISAKMP messages, without marker and fragmentation

    @property
    def trace(self) -> list[tuple[str, bytes]]:
        return [(label, bytes.fromhex(value)) for label, value in self.record["responder_trace"]]

    @property
    def psk(self) -> Secret:
        return Secret(self.record["preshared_key"].encode())

    def __post_init__(self) -> None:
        self.secrets = [value for label, value in self.trace if label in _SECRET_LABELS]
        self._read_datagrams()
        headers = [(Header.decode(datagram), datagram) for datagram in self.datagrams]
        self.clear = [Message.decode(datagram) for header, datagram in headers if not header.encrypted]
        if any(header.encrypted for header, _ in headers):
            self._negotiated()
            self._open([datagram for header, datagram in headers if header.encrypted])

    def _read_datagrams(self) -> None:
        self.by_initiator: dict[bytes, bool] = {}
        waiting = Reassembly()
        for packet in self.record["datagrams"]:
            datagram = bytes.fromhex(packet["hex"])
            if packet["to"].endswith(":4500"):
                datagram = datagram.removeprefix(NON_ESP_MARKER)
            if Header.decode(datagram).next_payload == PayloadType.FRAGMENT:
                waiting, whole = waiting.add(Message.decode(datagram).one(Fragment), now=0.0)
                if whole is None:
                    continue
                datagram = whole
            if datagram in self.by_initiator:  # a retransmission
                continue
            self.by_initiator[datagram] = packet["from"].startswith(self.record["initiator"] + ":")
            self.datagrams.append(datagram)

    def _negotiated(self) -> None:
        offer, choice = self.clear[0], self.clear[1]
        transform = choice.one(SecurityAssociation).proposals[0].transforms[0]
        chosen = {attribute.type: attribute.as_int for attribute in transform.attributes}
        self.method = AuthenticationMethod(chosen[Phase1Attribute.AUTHENTICATION_METHOD])
        self.hash = HashAlgorithm(chosen[Phase1Attribute.HASH_ALGORITHM])
        encryption = EncryptionAlgorithm(chosen[Phase1Attribute.ENCRYPTION_ALGORITHM])
        self.cipher = phase1_cipher(encryption, chosen.get(Phase1Attribute.KEY_LENGTH))
        self.sa_i = offer.one(SecurityAssociation).raw
        self.cky_i, self.cky_r = choice.header.initiator_cookie, choice.header.responder_cookie
        with_keys = [message for message in self.clear if message.first(KeyExchange)]
        self.g_xi, self.g_xr = [message.one(KeyExchange).data for message in with_keys]
        self.ni, self.nr = [message.one(Nonce).data for message in with_keys]
        self.g_xy = Secret(self.secrets[0])
        shared: dict[str, Any] = {
            "ni": self.ni,
            "nr": self.nr,
            "g_xy": self.g_xy,
            "cky_i": self.cky_i,
            "cky_r": self.cky_r,
        }
        if self.method == AuthenticationMethod.PRE_SHARED:
            self.skeyid = Skeyid.from_psk(self.hash, self.psk, **shared)
        else:
            self.skeyid = Skeyid.from_signature(self.hash, **shared)
        self.key = expanded_key(self.hash, self.skeyid.e, self.cipher.key_size)

    def _open(self, encrypted: list[bytes]) -> None:
        cbc = Cbc(self.cipher, self.key)
        self.first_iv = phase1_iv(self.hash, g_xi=self.g_xi, g_xr=self.g_xr, block_size=cbc.block_size)
        ivs = {0: self.first_iv}
        for datagram in encrypted:
            header = Header.decode(datagram)
            iv = ivs.get(header.message_id)
            if iv is None:
                iv = phase2_iv(self.hash, ivs[0], header.message_id)
            plaintext, next_iv = cbc.decrypt(datagram[HEADER_SIZE:], iv)
            ivs[header.message_id] = next_iv
            message = Message.decrypted(header, plaintext)
            self.opened.append(Opened(datagram, self.by_initiator[datagram], iv, plaintext, next_iv, message))
        self.last_phase1_block = ivs[0]

    def phase1_hash(self, by_initiator: bool, identity: bytes) -> bytes:
        """HASH_I or HASH_R over our own view of the exchange."""
        common = {
            "g_xi": self.g_xi,
            "g_xr": self.g_xr,
            "cky_i": self.cky_i,
            "cky_r": self.cky_r,
            "sa_i": self.sa_i,
        }
        if by_initiator:
            return self.skeyid.hash_i(**common, id_i=identity)
        return self.skeyid.hash_r(**common, id_r=identity)


def replay(path: Path) -> Replay:
    return Replay(json.loads(path.read_text()))
