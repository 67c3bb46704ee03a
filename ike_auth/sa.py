# SPDX-License-Identifier: ISC
"""Security associations as values. Keys are `Secret`; nothing here knows exchanges, timers or sockets."""

from datetime import datetime
from hashlib import sha256
from typing import NamedTuple

from ike_auth.authorization.requests import IdentityRequest, ProtocolParameters, TunnelRequest
from ike_auth.config.model import Peer
from ike_auth.crypto.ciphers import Cbc
from ike_auth.crypto.key_material import Skeyid
from ike_auth.crypto.secrets import Secret
from ike_auth.network import Endpoint, IPAddress
from ike_auth.suites import Phase1Suite
from ike_auth.values import value
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import ExchangeType, ProtocolId

DEFAULT_REPLAY_WINDOW = 64  # packets, RFC 4303 3.4.3


@value
class Nat:
    """What NAT detection found (RFC 3947 3.2)."""

    supported: bool = False
    local: bool = False  # we are behind one
    remote: bool = False
    claimed: bool = False  # we say that we are, so that ESP goes in UDP

    @property
    def detected(self) -> bool:
        return self.local or self.remote or self.claimed


class Cookies(NamedTuple):
    """The name of an IKE SA on the wire."""

    initiator: bytes
    responder: bytes

    def __str__(self) -> str:
        return f"{self.initiator.hex()}:{self.responder.hex()}"


@value
class IkeSa:
    """An authenticated and authorized Phase 1. Times are those of `Now.monotonic`."""

    cookies: Cookies
    initiator: bool  # we began it
    peer: Peer
    local: Endpoint
    remote: Endpoint
    exchange: ExchangeType
    suite: Phase1Suite
    keys: Skeyid
    cipher: Cbc
    last_block: bytes  # of Phase 1: the seed of every Phase 2 IV (RFC 2409 appendix B)
    own_identity: Identity
    authenticated: IdentityRequest
    because: str
    nat: Nat
    established: float
    expires: float
    authorization_ends: datetime | None  # when what authorized the peer runs out
    heard: float  # when the peer last proved that it has this SA too
    dpd: bool = False  # the peer answers R-U-THERE (RFC 3706)

    @property
    def identity(self) -> Identity:
        return self.authenticated.identity

    def heard_at(self, remote: Endpoint, now: float) -> "IkeSa":
        """The same, when the peer has used it from there: for every message, hence written out."""
        return IkeSa(
            self.cookies,
            self.initiator,
            self.peer,
            self.local,
            remote,
            self.exchange,
            self.suite,
            self.keys,
            self.cipher,
            self.last_block,
            self.own_identity,
            self.authenticated,
            self.because,
            self.nat,
            self.established,
            self.expires,
            self.authorization_ends,
            now,
            self.dpd,
        )

    @property
    def fades(self) -> float:
        """From when on nothing new is begun under it: the last tenth of its life is for what is under way."""
        return self.expires - (self.expires - self.established) / 10

    def __str__(self) -> str:
        return f"IKE SA {self.cookies.initiator.hex()[:8]} with {self.peer.name} at {self.remote} as {self.identity}"


SaName = tuple[bool, bytes, IPAddress]  # inbound, SPI, destination


@value
class IpsecSa:
    """One direction of one protocol, as a kernel wants it."""

    spi: bytes
    inbound: bool
    parameters: ProtocolParameters
    source: Endpoint  # the ports matter for UDP encapsulation only
    destination: Endpoint
    encryption_key: Secret
    integrity_key: Secret
    local: Selector
    remote: Selector
    life_seconds: int
    life_kilobytes: int | None = None  # a kernel reports its soft limit at 80 to 90 % of these, as it likes
    replay_window: int = DEFAULT_REPLAY_WINDOW  # packets; 0: no replay protection (RFC 4303 3.3.3: manual keys)
    esn: bool = False  # extended sequence numbers (RFC 4303 2.2.1)
    sides: tuple[tuple[Selector, Selector], ...] = ()  # local, remote: of each flow, where several share it (by hand)
    compressed: bool = False  # it carries what IPCOMP beside it has made, the tunnel too: docs/decisions/0305

    @property
    def name(self) -> SaName:
        """No two of one protocol have the same one in one kernel."""
        return self.inbound, self.spi, self.destination.host

    @property
    def protocol(self) -> ProtocolId:
        return self.parameters.protocol

    @property
    def traffic(self) -> tuple[tuple[Selector, Selector], ...]:
        """Local and remote side of what it may carry, of which `local` and `remote` are the hull."""
        return self.sides or ((self.local, self.remote),)

    @property
    def has_keys(self) -> bool:
        """IPCOMP has none."""
        return bool(self.encryption_key or self.integrity_key)

    @property
    def fingerprint(self) -> str:
        """Equal at both ends if and only if the keys are; says nothing about them."""
        material = b"ike-auth key fingerprint" + self.spi + self.encryption_key.reveal() + self.integrity_key.reveal()
        return sha256(material).hexdigest()[:16]


@value
class Flow:
    """Traffic between two sides, and what it goes through; several tunnels may carry it, of which the newest does."""

    local: Selector
    remote: Selector
    local_address: IPAddress  # the ends of the tunnel
    remote_address: IPAddress
    parameters: tuple[ProtocolParameters, ...] = ()  # as applied to what goes out; none: it is only kept from leaking

    def __str__(self) -> str:
        return f"{self.local} ↔ {self.remote}"


@value
class Tunnel:
    """What one quick mode set up: for each protocol an SA in and an SA out."""

    connection: str | None
    cookies: Cookies  # of the IKE SA that negotiated it
    peer: str
    identity: Identity  # the peer's, authenticated in Phase 1
    local: Selector
    remote: Selector
    inbound: tuple[IpsecSa, ...]
    outbound: tuple[IpsecSa, ...]
    initiator: bool
    because: str
    established: float
    expires: float
    request: TunnelRequest  # what was authorized
    authorization_ends: datetime | None = None  # as in `IkeSa`

    @property
    def name(self) -> str:
        return self.connection or f"{self.peer} {self.local} ↔ {self.remote}"

    @property
    def sas(self) -> tuple[IpsecSa, ...]:
        return self.inbound + self.outbound

    @property
    def flow(self) -> Flow:
        ends = self.outbound[0]
        parameters = tuple([sa.parameters for sa in self.outbound])
        return Flow(self.local, self.remote, ends.source.host, ends.destination.host, parameters)
