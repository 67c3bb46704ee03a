# SPDX-License-Identifier: ISC
"""Either end of an exchange that other daemons had with each other, as our steps take its place."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from ipaddress import ip_address
from typing import Any
from unittest.mock import patch

from cryptography.x509 import load_der_x509_certificate

from ike_auth.authorization.requests import (
    AuthorizeTunnel,
    Decision,
    IdentifyPeer,
    IdentityRequest,
    PeerIdentified,
    PresharedKey,
    Sign,
    Signed,
    TunnelAuthorized,
)
from ike_auth.config import isakmpd
from ike_auth.config.model import Configuration
from ike_auth.crypto import authenticators, groups
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import InvalidKeyInformation
from ike_auth.exchanges.steps import Local, Outcome, OwnCertificate, Settings, State
from ike_auth.exchanges.v1 import phase1
from ike_auth.exchanges.v1.main_mode import ProofAwaited
from ike_auth.network import Endpoint
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import ExchangeType, Group
from ike_auth.wire.payloads import Certificate, Signature
from tests.ike_auth.crypto.captures import ISAKMPD, STRONGSWAN, Opened, Replay, replay
from tests.ike_auth.exchanges.sides import NOW, VERSION

YES = Decision(True, "true", "recorded")
# isakmpd's names for what the two ends of each record have agreed on.
AGREED = {
    "isakmpd-psk": ("AES-256-SHA2-256-GRP14", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
    "isakmpd-rsa": ("AES-256-SHA2-256-GRP14-RSA_SIG", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
    "psk": ("AES-256-SHA2-256-GRP14", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
    "psk-curve25519": ("AES-256-SHA2-512-GRP31", "QM-ESP-AES-256-SHA2-512-PFS-GRP31-SUITE"),
    "psk-ecp384": ("AES-192-SHA2-384-GRP20", "QM-ESP-AESGCM-256-PFS-GRP20-SUITE"),
    "psk-legacy": ("3DES-MD5-GRP2", "QM-ESP-3DES-MD5-SUITE"),
    "psk-no-pfs": ("AES-256-SHA-GRP14", "QM-ESP-AESGCM-128-SUITE"),
    "rsa": ("AES-256-SHA2-256-GRP14-RSA_SIG", "QM-ESP-AES-256-SHA2-256-SUITE"),
    "rsa-fragments": ("AES-256-SHA2-256-GRP14-RSA_SIG", "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"),
}
# And where they came to nothing later on, what they had agreed on by then.
REFUSED = dict.fromkeys(("refused-identity", "refused-phase2-proposal"), AGREED["psk"])
PATHS = {path.stem: path for path in (*ISAKMPD, *STRONGSWAN)}


@dataclass(frozen=True)
class RecordedShare:
    """Half of a key exchange whose private value nobody has."""

    group: Group
    public: bytes
    peer_public: bytes
    secret: Secret

    def shared(self, peer_public: bytes) -> Secret:
        if peer_public != self.peer_public:
            raise InvalidKeyInformation("not the recorded value")
        return self.secret


@dataclass
class End:
    """One end of a record, played by us."""

    record: Replay
    name: str
    initiator: bool

    @property
    def us(self) -> str:
        return "initiator" if self.initiator else "responder"

    @property
    def them(self) -> str:
        return "responder" if self.initiator else "initiator"

    @property
    def behind_nat(self) -> bool:
        return "strongSwan" in self.record.record["peer"]

    @property
    def configuration(self) -> Configuration:
        transform, suite = (AGREED | REFUSED)[self.name]
        key = self.record.record.get("preshared_key")
        networks = {end: network(self.record, end) for end in ("initiator", "responder")}
        return isakmpd.parse(
            f"""
[Phase 1]
{self.record.record[self.them]}= peer

[Phase 2]
Passive-Connections= tunnel

[peer]
Phase= 1
Address= {self.record.record[self.them]}
Configuration= main-mode
{f"Authentication= {key}" if key else "ID= own-id"}
Allow-Legacy= 3DES,MD5,SHA1,MODP_1024

[own-id]
ID-type= FQDN
Name= {self.own_name}

[main-mode]
EXCHANGE_TYPE= ID_PROT
Transforms= {transform}
Life= ANY

[{transform}]
Life= any-life

[any-life]
LIFE_TYPE= SECONDS
LIFE_DURATION= ANY

[tunnel]
Phase= 2
ISAKMP-peer= peer
Configuration= quick-mode
Local-ID= ours
Remote-ID= theirs

[quick-mode]
EXCHANGE_TYPE= QUICK_MODE
Suites= {suite}

[ours]
ID-type= IPV4_ADDR_SUBNET
Network= {networks[self.us][0]}
Netmask= {networks[self.us][1]}

[theirs]
ID-type= IPV4_ADDR_SUBNET
Network= {networks[self.them][0]}
Netmask= {networks[self.them][1]}
"""
        )

    @property
    def own_name(self) -> str:
        return str(self.record.record.get(f"{self.us}_id", "unused.example.org")).removeprefix("FQDN ")

    @property
    def public(self) -> tuple[bytes, bytes]:
        """Our public value of Phase 1, and theirs."""
        i, r = self.record.g_xi, self.record.g_xr
        return (i, r) if self.initiator else (r, i)

    def local(self, *drawn: bytes, spi: bytes = b"", port: int = 500) -> Local:
        """Random numbers come out as recorded, whatever the size that is asked for."""
        numbers = iter(drawn)
        own = OwnCertificate(self.certificates(self.initiator))
        return Local(
            NOW,
            lambda _: next(numbers),
            lambda *_: spi,
            Endpoint(ip_address(self.record.record[self.us]), port),
            Endpoint(ip_address(self.record.record[self.them]), port),
            Settings(lambda _: own, (), self.configuration.connections_of),
        )

    def certificates(self, initiator: bool) -> tuple[bytes, ...]:
        return tuple(c.data for c in proof(self.record, initiator).message.all(Certificate))

    def hash_of(self, state: ProofAwaited, *, initiator: bool) -> bytes:
        """HASH_I or HASH_R, as our steps compute it over the recorded identity."""
        identity = proof(self.record, initiator).message.one(Identity)
        return phase1.own_hash(replace(state.agreed, initiator=initiator), identity)

    @contextmanager
    def sharing(self, own: bytes, theirs: bytes, secret: bytes) -> Iterator[None]:
        def generate(group: Group, _: object) -> RecordedShare:
            return RecordedShare(group, own, theirs, Secret(secret))

        with patch.object(groups, "generate", generate):
            yield

    def answer(self, outcome: Outcome, local: Local) -> Outcome:
        """Every question, as it must have been answered."""
        while outcome.ask is not None:
            match outcome.ask:
                case IdentifyPeer(peer, identity, _, negotiation):
                    request = IdentityRequest(peer, identity, PresharedKey(Secret(b""), False), negotiation)
                    given: Any = PeerIdentified(YES, request)
                case AuthorizeTunnel():
                    given = TunnelAuthorized(0, (YES,))
                case Sign(_, digest):
                    signature = proof(self.record, self.initiator).message.one(Signature).data
                    verify(self.certificates(self.initiator)[0], digest, signature)
                    given = Signed(signature)
            outcome = VERSION.answer(outcome.state, given, local)
        return outcome


def verify(certificate: bytes, digest: bytes, signature: bytes) -> None:
    """What we would have signed is what was signed."""
    authenticators.verify(load_der_x509_certificate(certificate).public_key(), digest, signature)


def network(record: Replay, end: str) -> tuple[str, str]:
    """The client identity of an end: address and mask."""
    if not messages(record, ExchangeType.QUICK):
        return "192.0.2.0", "255.255.255.0"
    quick = messages(record, ExchangeType.QUICK)[0].message.all(Identity)
    data = quick[0 if end == "initiator" else 1].data
    return str(ip_address(data[:4])), str(ip_address(data[4:]))


@cache
def recorded(name: str) -> Replay:
    return replay(PATHS[name])


def messages(record: Replay, exchange: ExchangeType) -> list[Opened]:
    return [opened for opened in record.opened if opened.message.header.exchange == exchange]


def proof(record: Replay, initiator: bool) -> Opened:
    """Message 5 or 6."""
    return next(o for o in messages(record, ExchangeType.MAIN) if o.by_initiator == initiator)


def take(state: State, data: bytes, local: Local) -> Outcome:
    return VERSION.advance(state, Header.decode(data), data, local)


def datagram(record: Replay, number: int) -> bytes:
    return record.datagrams[number - 1]


def as_recorded(sent: bytes | None, recorded_bytes: bytes, block: int) -> bool:
    """Byte for byte, but for the whole block of padding that charon adds where none is needed."""
    assert sent is not None
    if sent == recorded_bytes:
        return True
    return len(recorded_bytes) == len(sent) + block and recorded_bytes[28 : len(sent)] == sent[28:]
