# SPDX-License-Identifier: ISC
"""Every intermediate value of the recorded isakmpd exchanges, computed anew and in the same order."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509

from ike_auth.crypto import authenticators
from ike_auth.crypto.ciphers import Cbc, esp_cipher, integrity
from ike_auth.crypto.key_material import phase2_iv
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import AuthenticationFailed
from ike_auth.wire.messages import encode_payloads
from ike_auth.wire.numbers import (
    AuthenticationAlgorithm,
    EspTransform,
    ExchangeType,
    IpsecAttribute,
    PayloadType,
    ProtocolId,
)
from ike_auth.wire.payloads import Certificate, Delete, Hash, Identification, KeyExchange, Nonce, Signature
from ike_auth.wire.proposals import Proposal, SecurityAssociation
from tests.ike_auth.crypto.captures import ISAKMPD, Opened, Replay, replay

Trace = Iterator[tuple[str, bytes]]
POST_KE = "ike_phase_1_post_exchange_KE_NONCE: "
RECV_1 = "responder_recv_HASH_SA_NONCE: "
SEND_2 = "responder_send_HASH_SA_NONCE: "
RECV_3 = "responder_recv_HASH: "
KEYS = "post_quick_mode: "

cached_replay = cache(replay)
by_name = pytest.mark.parametrize("path", ISAKMPD, ids=lambda path: path.stem)


@by_name
def test_every_value_of_the_trace(path: Path) -> None:
    exchange = cached_replay(path)
    # Names of certificates while the daemon looks for its own: nothing that a protocol prescribes.
    recorded = [(label, value.hex()) for label, value in exchange.trace if label != "cert_cmp"]
    computed = [(label, value.hex()) for label, value in whole_trace(exchange)]
    assert computed == recorded


@by_name
def test_keys_of_the_ipsec_sas(path: Path) -> None:
    exchange = cached_replay(path)
    recorded = {key["spi"]: key["keymat"] for key in exchange.record["responder_ipsec_keys"]}
    offered, chosen = quick_mode_proposals(exchange)
    assert {offered.spi.hex(), chosen.spi.hex()} == set(recorded)
    for proposal in (offered, chosen):
        assert keymat(exchange, proposal).reveal().hex() == recorded[proposal.spi.hex()]


@by_name
def test_deletes_name_both_sas(path: Path) -> None:
    exchange = cached_replay(path)
    _, chosen = quick_mode_proposals(exchange)
    informational = [o for o in exchange.opened if o.message.header.exchange == ExchangeType.INFORMATIONAL]
    for opened in informational:
        expected = exchange.skeyid.hash_1(opened.message.header.message_id, opened.message.after_first)
        assert opened.message.one(Hash).data == expected
    deleted = [opened.message.one(Delete) for opened in informational]
    assert [(d.protocol, d.spis) for d in deleted] == [
        (ProtocolId.ESP, (chosen.spi,)),
        (ProtocolId.ISAKMP, (exchange.cky_i + exchange.cky_r,)),
    ]


@by_name
def test_peers_proved_themselves(path: Path) -> None:
    """HASH_I and HASH_R as sent in the payloads, or under the signatures in their place."""
    exchange = cached_replay(path)
    for message, by_initiator in authenticating_messages(exchange):
        identity = identity_of(exchange, by_initiator)
        expected = exchange.phase1_hash(by_initiator, identity.encode())
        signature = message.first(Signature)
        if signature is None:
            assert message.one(Hash).data == expected
        else:
            key = x509.load_der_x509_certificate(message.one(Certificate).data).public_key()
            authenticators.verify(key, expected, signature.data)
            with pytest.raises(AuthenticationFailed):
                authenticators.verify(key, bytes([expected[0] ^ 1]) + expected[1:], signature.data)


# --- the responder's trace, in its order


def whole_trace(exchange: Replay) -> Trace:
    aggressive = exchange.clear[0].header.exchange == ExchangeType.AGGRESSIVE
    phase1 = [opened for opened in exchange.opened if opened.message.header.message_id == 0]
    quick = [opened for opened in exchange.opened if opened.message.header.exchange == ExchangeType.QUICK]
    rest = [o for o in exchange.opened if o.message.header.exchange == ExchangeType.INFORMATIONAL]
    if aggressive:
        yield received_id(exchange)
    yield from phase1_secrets(exchange)
    if aggressive:
        yield sent_id(exchange)
    for opened in phase1:
        yield from phase1_message(exchange, opened, aggressive)
    yield from new_iv(exchange, quick[0])
    yield from quick_mode_1(exchange, quick[0])
    yield from quick_mode_2(exchange, quick[0], quick[1])
    yield from quick_mode_3(exchange, quick)
    for opened in rest:
        yield from new_iv(exchange, opened)
        yield from encrypted(exchange, opened)


def phase1_secrets(exchange: Replay) -> Trace:
    skeyid = exchange.skeyid
    yield POST_KE + "g^xy", exchange.g_xy.reveal()
    if exchange.method.name == "RSA_SIG":
        yield "sig_gen_skeyid: SKEYID initialized with", exchange.ni + exchange.nr
        yield "sig_gen_skeyid: SKEYID fed with g^xy", exchange.g_xy.reveal()
    yield POST_KE + "SKEYID", skeyid.skeyid.reveal()
    yield POST_KE + "SKEYID_d", skeyid.d.reveal()
    yield POST_KE + "SKEYID_a", skeyid.a.reveal()
    yield POST_KE + "SKEYID_e", skeyid.e.reveal()
    yield "crypto_init: key", exchange.key.reveal()
    yield "crypto_init_iv: initialized IV", exchange.first_iv


def phase1_message(exchange: Replay, opened: Opened, aggressive: bool) -> Trace:
    if not opened.by_initiator:
        yield sent_id(exchange)
        yield from encrypted(exchange, opened)
        return
    yield from decrypted(opened)
    if not aggressive:
        yield received_id(exchange)
    identity = identity_of(exchange, by_initiator=True)
    yield "ike_phase_1_recv_AUTH: computed HASH_I", exchange.phase1_hash(True, identity.encode())
    yield "crypto_update_iv: updated IV", opened.next_iv


def quick_mode_1(exchange: Replay, opened: Opened) -> Trace:
    message = opened.message
    client_i, client_r = message.all(Identification)
    yield from decrypted(opened)
    yield RECV_1 + "SKEYID_a", exchange.skeyid.a.reveal()
    yield RECV_1 + "message_id", id_bytes(opened)
    yield RECV_1 + "message after HASH", message.after_first
    hash_1 = exchange.skeyid.hash_1(message.header.message_id, message.after_first)
    assert message.one(Hash).data == hash_1
    yield RECV_1 + "computed HASH(1)", hash_1
    yield RECV_1 + "IDci", client_i.encode()
    yield RECV_1 + "IDcr", client_r.encode()
    yield "crypto_update_iv: updated IV", opened.next_iv


def quick_mode_2(exchange: Replay, first: Opened, opened: Opened) -> Trace:
    """Ours from the payloads alone: encoded, hashed and encrypted anew."""
    hashed, *payloads = opened.message.payloads
    clients = encode_payloads(payloads[-2:])[1]
    ni = first.message.one(Nonce).data
    yield SEND_2 + "IDic", clients[: len(clients) // 2]
    yield SEND_2 + "IDrc", clients[len(clients) // 2 :]
    yield SEND_2 + "SKEYID_a", exchange.skeyid.a.reveal()
    yield SEND_2 + "message_id", id_bytes(opened)
    yield SEND_2 + "NONCE_I_b", ni
    second, chain = encode_payloads(payloads)
    assert second == PayloadType.SA
    for number, piece in enumerate(pieces(chain), start=1):
        yield f"{SEND_2}payload {number} after HASH(2)", piece
    hash_2 = exchange.skeyid.hash_2(opened.message.header.message_id, ni, chain)
    assert hashed == Hash(hash_2)
    yield SEND_2 + "HASH_R", hash_2
    yield from encrypted(exchange, opened)
    if opened.message.first(KeyExchange):
        yield "gen_g_xy: g^xy", exchange.secrets[1]


def quick_mode_3(exchange: Replay, quick: list[Opened]) -> Trace:
    first, second, third = quick
    message_id = third.message.header.message_id
    ni, nr = first.message.one(Nonce).data, second.message.one(Nonce).data
    hash_3 = exchange.skeyid.hash_3(message_id, ni, nr)
    yield from decrypted(third)
    yield RECV_3 + "SKEYID_a", exchange.skeyid.a.reveal()
    yield RECV_3 + "message_id", id_bytes(third)
    yield RECV_3 + "NONCE_I_b", ni
    yield RECV_3 + "NONCE_R_b", nr
    assert third.message.one(Hash).data == hash_3
    yield RECV_3 + "computed HASH(3)", hash_3
    for proposal in quick_mode_proposals(exchange):
        for label, length in (("last KEYMAT", len(hash_3)), ("KEYMAT", None)):
            if len(exchange.secrets) > 1:
                yield KEYS + "g^xy", exchange.secrets[1]
            yield KEYS + "SPI", proposal.spi
            yield KEYS + "Ni_b", ni
            yield KEYS + "Nr_b", nr
            yield KEYS + label, keymat(exchange, proposal, length).reveal()
    yield "crypto_update_iv: updated IV", third.next_iv


def new_iv(exchange: Replay, opened: Opened) -> Trace:
    message_id = opened.message.header.message_id
    iv = phase2_iv(exchange.hash, exchange.last_phase1_block, message_id)
    yield "ipsec_get_keystate: final phase 1 IV", exchange.last_phase1_block
    yield "ipsec_get_keystate: message ID", id_bytes(opened)
    yield "crypto_init_iv: initialized IV", iv
    yield "ipsec_get_keystate: phase 2 IV", iv


def decrypted(opened: Opened) -> Trace:
    yield "crypto_decrypt: before decryption", opened.ciphertext
    yield "crypto_decrypt: after decryption", opened.plaintext


def encrypted(exchange: Replay, opened: Opened) -> Trace:
    """What encrypting the decoded payloads gives."""
    _, chain = encode_payloads(opened.message.payloads)
    cbc = Cbc(exchange.cipher, exchange.key)
    ciphertext, next_iv = cbc.encrypt(chain, opened.iv)
    yield "crypto_encrypt: before encryption", chain + bytes(-len(chain) % cbc.block_size)
    yield "crypto_encrypt: after encryption", ciphertext
    yield "crypto_update_iv: updated IV", next_iv


def received_id(exchange: Replay) -> tuple[str, bytes]:
    identity = identity_of(exchange, by_initiator=True)
    return f"ike_phase_1_recv_ID: {identity.type}", identity.data


def sent_id(exchange: Replay) -> tuple[str, bytes]:
    identity = identity_of(exchange, by_initiator=False)
    return f"ike_phase_1_send_ID: {identity.type}", identity.data


def pieces(chain: bytes) -> Iterator[bytes]:
    """The daemon hashes an SA payload in pieces: its head, the proposal's head, the transform."""
    yield chain[:12]
    yield chain[12:24]
    sa_size = int.from_bytes(chain[2:4], "big")
    yield chain[24:sa_size]
    rest = chain[sa_size:]
    while rest:
        size = int.from_bytes(rest[2:4], "big")
        yield rest[:size]
        rest = rest[size:]


# --- what the trace is made of


def authenticating_messages(exchange: Replay):
    """The message in which each side proves itself, and whether it is the initiator's."""
    aggressive = exchange.clear[0].header.exchange == ExchangeType.AGGRESSIVE
    if aggressive:
        yield exchange.clear[1], False
    for opened in exchange.opened:
        if opened.message.header.message_id == 0:
            yield opened.message, opened.by_initiator


def identity_of(exchange: Replay, by_initiator: bool) -> Identification:
    if exchange.clear[0].header.exchange == ExchangeType.AGGRESSIVE:
        return exchange.clear[0 if by_initiator else 1].one(Identification)
    return next(o.message.one(Identification) for o in exchange.opened if o.by_initiator == by_initiator)


def quick_mode_proposals(exchange: Replay) -> tuple[Proposal, Proposal]:
    """As offered and as chosen: each with the SPI of its sender."""
    quick = [o.message for o in exchange.opened if o.message.header.exchange == ExchangeType.QUICK]
    (offered,) = quick[0].one(SecurityAssociation).proposals
    (chosen,) = quick[1].one(SecurityAssociation).proposals
    return offered, chosen


def keymat(exchange: Replay, proposal: Proposal, length: int | None = None) -> Secret:
    transform = proposal.transforms[0]
    attributes = {attribute.type: attribute.as_int for attribute in transform.attributes}
    cipher = esp_cipher(EspTransform(transform.id), attributes.get(IpsecAttribute.KEY_LENGTH))
    algorithm = AuthenticationAlgorithm(attributes[IpsecAttribute.AUTHENTICATION_ALGORITHM])
    quick = [o.message for o in exchange.opened if o.message.header.exchange == ExchangeType.QUICK]
    return exchange.skeyid.keymat(
        proposal.protocol,
        proposal.spi,
        ni=quick[0].one(Nonce).data,
        nr=quick[1].one(Nonce).data,
        length=length or cipher.key_size + integrity(algorithm).key_size,
        g_xy=Secret(exchange.secrets[1]) if len(exchange.secrets) > 1 else None,
    )


def id_bytes(opened: Opened) -> bytes:
    return opened.message.header.message_id.to_bytes(4, "big")
