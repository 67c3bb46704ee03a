# SPDX-License-Identifier: ISC
"""What a configuration says, whichever syntax it was written in.

Readers (`isakmpd.py`, later others) produce these values; the engine and the daemon know nothing of files.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from ike_auth.crypto.secrets import Secret
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    AuthenticationMethod,
    EncapsulationMode,
    EncryptionAlgorithm,
    EspTransform,
    ExchangeType,
    Group,
    HashAlgorithm,
    IpcompTransform,
    ProtocolId,
)
from keynote.complaints import Complaint
from pki.chain import RevocationPolicy

IPAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Location:
    """Where in which file; lines count from 1. `str()` gives `file:line`."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Accept:
    """isakmpd's `offer,low:high`: what we propose, and the inclusive range that we take from a peer."""

    offer: int
    low: int
    high: int

    @classmethod
    def exactly(cls, value: int) -> "Accept":
        return cls(value, value, value)

    def takes(self, value: int) -> bool:
        return self.low <= value <= self.high


# --- what is offered and taken: hashed by its name, since what follows from it is remembered by it


@dataclass(frozen=True, slots=True)
class Phase1Transform:
    """One ISAKMP transform. `None` stands for isakmpd's ANY: a responder takes every value, an initiator
    cannot offer the transform."""

    name: str
    cipher: EncryptionAlgorithm | None
    key_length: Accept | None  # bits; None for ciphers of one key length
    hash: HashAlgorithm | None
    authentication: AuthenticationMethod | None
    group: Group | None
    life_seconds: Accept | None
    life_kilobytes: Accept | None = None

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Phase2Transform:
    """One transform of a suite; a `group` asks for perfect forward secrecy."""

    name: str
    transform: EspTransform | AhTransform | IpcompTransform
    encapsulation: EncapsulationMode
    authentication: AuthenticationAlgorithm | None
    group: Group | None
    key_length: Accept | None  # bits; None where the algorithm has one key length
    life_seconds: Accept | None
    life_kilobytes: Accept | None = None

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class ProtocolOffer:
    """One protocol of a suite, with its alternatives in order of preference."""

    protocol: ProtocolId
    transforms: tuple[Phase2Transform, ...]
    replay_window: int = 64


@dataclass(frozen=True, slots=True)
class Suite:
    """Protocols that are applied together (RFC 2408 4.2: proposals of one number)."""

    name: str
    protocols: tuple[ProtocolOffer, ...]
    offers: Mapping[ProtocolId, ProtocolOffer] = field(init=False, repr=False, compare=False)  # the same, to look up
    group: Group | None = field(init=False, repr=False, compare=False)  # of all its transforms that have keys

    def __post_init__(self) -> None:
        keyed = [offered for offered in self.protocols if offered.protocol != ProtocolId.IPCOMP]
        groups = [transform.group for offered in keyed for transform in offered.transforms]
        object.__setattr__(self, "offers", {offered.protocol: offered for offered in self.protocols})
        object.__setattr__(self, "group", groups[0] if groups else None)

    def __hash__(self) -> int:
        return hash(self.name)


@dataclass(frozen=True, slots=True)
class Peer:
    """Whom we speak IKE with, and how."""

    name: str
    where: Location
    address: IPAddress | None  # None: anybody who has no section of their own
    local_address: IPAddress | None
    port: int
    exchange: ExchangeType
    transforms: tuple[Phase1Transform, ...]
    preshared_key: Secret | None
    own_id: Identity | None  # None: our address
    remote_id: Identity | None
    flags: frozenset[str] = frozenset()
    strict_remote_id: bool = True
    allow_legacy: frozenset[str] = frozenset()  # names of crypto.legacy, e.g. {"3DES", "MODP_1024"}
    is_default: bool = False
    initial_contact: bool = True  # say so when it is; no where other hosts use our identity too


@dataclass(frozen=True, slots=True)
class Connection:
    """A tunnel that we bring up (`active`) or recognise. A missing selector stands for the end's address."""

    name: str
    where: Location
    peer: str
    local: Selector | None
    remote: Selector | None
    suites: tuple[Suite, ...]
    active: bool
    flags: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class General:
    """[General] of isakmpd.conf, and our additions to it. Times in seconds."""

    listen_on: tuple[IPAddress, ...] = ()
    retransmits: int = 3
    exchange_max_time: int = 120
    check_interval: int = 60
    nat_keepalive: int = 20
    dpd_interval: int = 0  # 0: peers are not probed
    delete_sas: bool = True
    use_keynote: bool = True
    authorizer: str = "keynote"
    policy_file: Path = Path("/etc/isakmpd/isakmpd.policy")
    half_open_limit: int = 1000
    kernel: str = "auto"
    decision_log: Path | None = None
    always_in_udp: bool = True  # ESP that is made in userspace, with whoever speaks NAT traversal
    verbose: bool = False
    delegations: str = "no"  # of [KeyNote]: what policy the registry adds, one of `general.DELEGATIONS`


@dataclass(frozen=True, slots=True)
class Certificates:
    """[X509-certificates] of isakmpd.conf; `registry` is our addition: the SQLAlchemy URL of a keynote-pki
    registry, in which every certificate of that authority must be recorded."""

    ca_directory: Path = Path("/etc/isakmpd/ca")
    cert_directory: Path = Path("/etc/isakmpd/certs")
    crl_directory: Path = Path("/etc/isakmpd/crls")
    private_key: Path = Path("/etc/isakmpd/private/local.key")
    private_key_directory: Path = Path("/etc/isakmpd/private")
    crl_urls: tuple[str, ...] = ()  # where further revocation lists are fetched from
    crl_policy: RevocationPolicy = RevocationPolicy.IF_THERE
    recheck_interval: int = 60  # seconds between two looks at what was revoked meanwhile; 0: none
    registry: str | None = None


@dataclass(frozen=True, slots=True)
class Configuration:
    general: General
    certificates: Certificates
    peers: Mapping[str, Peer]
    peer_by_address: Mapping[IPAddress, str]
    default_peer: str | None
    connections: Mapping[str, Connection]
    default_suites: tuple[Suite, ...] = ()
    warnings: tuple[Complaint, ...] = ()
    _of_peer: Mapping[str, tuple[Connection, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        of_peer: dict[str, list[Connection]] = {}
        for connection in self.connections.values():
            of_peer.setdefault(connection.peer, []).append(connection)
        object.__setattr__(self, "_of_peer", {peer: tuple(found) for peer, found in of_peer.items()})

    def peer_at(self, address: IPAddress) -> Peer | None:
        """The peer that speaks from `address`, or the one that stands for everybody else."""
        name = self.peer_by_address.get(address, self.default_peer)
        return None if name is None else self.peers[name]

    def connections_of(self, peer: str) -> tuple[Connection, ...]:
        return self._of_peer.get(peer, ())
