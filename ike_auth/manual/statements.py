# SPDX-License-Identifier: ISC
"""setkey(8)'s statements as values, whether or not they can be carried out here.

`where` is the place in the text, and no part of what a statement says: it does not count in comparisons.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from ike_auth.crypto.secrets import Secret
from ike_auth.network import IPAddress
from keynote.locations import Location

NOWHERE = Location("", 0, 0)
_NO_KEY = Secret(b"")


class Security(StrEnum):
    """What an SA belongs to."""

    ESP = "esp"
    ESP_OLD = "esp-old"  # RFC 1827
    ESP_UDP = "esp-udp"
    AH = "ah"
    AH_OLD = "ah-old"  # RFC 1826
    IPCOMP = "ipcomp"
    TCP = "tcp"  # TCP-MD5, RFC 2385


class Mode(StrEnum):
    TRANSPORT = "transport"
    TUNNEL = "tunnel"
    ANY = "any"


class Direction(StrEnum):
    IN = "in"
    OUT = "out"
    FWD = "fwd"


class Action(StrEnum):
    DISCARD = "discard"
    NONE = "none"
    IPSEC = "ipsec"
    ENTRUST = "entrust"
    BYPASS = "bypass"


class Level(StrEnum):
    DEFAULT = "default"
    USE = "use"
    REQUIRE = "require"
    UNIQUE = "unique"


class Padding(StrEnum):
    ZERO = "zero-pad"
    RANDOM = "random-pad"
    SEQUENCE = "seq-pad"


@dataclass(frozen=True, slots=True)
class Host:
    """`10.0.0.1` or `10.0.0.1[4500]`."""

    address: IPAddress
    port: int | None = None

    def __str__(self) -> str:
        return f"{self.address}" if self.port is None else f"{self.address}[{self.port}]"


@dataclass(frozen=True, slots=True)
class Range:
    """`10.0.0.0/8[500]`. The address may have bits outside its prefix, which mean nothing."""

    address: IPAddress
    prefix: int
    port: int | None = None  # None: any

    def __str__(self) -> str:
        port = "any" if self.port is None else self.port
        return f"{self.address}/{self.prefix}[{port}]"


@dataclass(frozen=True, slots=True)
class Traffic:
    """What a policy is about, as packets have it: from source to destination."""

    source: Range
    destination: Range
    protocol: int | None  # None: any
    icmp: tuple[int, int] | None = None  # type and code
    gre_key: int | None = None


@dataclass(frozen=True, slots=True)
class Algorithm:
    """The name in setkey's spelling, and the key; an empty one where there is none."""

    name: str
    key: Secret = _NO_KEY
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Context:
    """An access control label, which only security modules of a kernel understand."""

    doi: int
    algorithm: int
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Extensions:
    """What may follow the name of an SA; 0 is no limit, and no replay protection."""

    mode: Mode = Mode.ANY
    reqid: int = 0
    replay_window: int = 0
    padding: Padding | None = None
    cyclic_sequence: bool = True
    hard_seconds: int = 0
    soft_seconds: int = 0
    hard_bytes: int = 0
    soft_bytes: int = 0
    context: Context | None = None


NO_EXTENSIONS = Extensions()

# --- SAs


@dataclass(frozen=True, slots=True)
class Add:
    source: Host
    destination: Host
    security: Security
    spi: int
    extensions: Extensions = NO_EXTENSIONS
    encryption: Algorithm | None = None
    authentication: Algorithm | None = None
    compression: str | None = None
    raw_cpi: bool = False  # the SPI is the CPI on the wire
    original: IPAddress | None = None  # of the peer of esp-udp, before NAT
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Update(Add):
    pass


@dataclass(frozen=True, slots=True)
class GetSpi:
    source: Host
    destination: Host
    security: Security
    spi: int
    extensions: Extensions = NO_EXTENSIONS
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Get:
    source: Host
    destination: Host
    security: Security
    spi: int
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Delete:
    """Whatever its source, if that is the unspecified address."""

    source: Host
    destination: Host
    security: Security
    spi: int
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DeleteAll:
    source: Host
    destination: Host
    security: Security
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Flush:
    security: Security | None = None  # None: all
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Dump:
    security: Security | None = None
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SaName:
    """What tells SAs apart (RFC 4301 4.1, with the protocol)."""

    destination: IPAddress
    security: Security
    spi: int


@dataclass(frozen=True, slots=True)
class Group:
    """ipsecadm's only: whatever goes through the first SA goes through the second one afterwards."""

    first: SaName
    second: SaName
    where: Location = field(default=NOWHERE, compare=False, repr=False)


# --- policies


@dataclass(frozen=True, slots=True)
class Rule:
    """`esp/tunnel/10.0.0.1-10.0.0.2/unique:5`."""

    security: Security
    mode: Mode
    ends: tuple[Host, Host] | None = None  # None: those of the traffic
    level: Level = Level.DEFAULT
    unique: int = 0  # the reqid of its SAs


@dataclass(frozen=True, slots=True)
class Policy:
    """`-P out prio high + 5 ipsec …`. Rules are in the order in which outgoing packets go through them."""

    direction: Direction
    action: Action
    rules: tuple[Rule, ...] = ()
    priority: int = 0  # higher goes first


@dataclass(frozen=True, slots=True)
class SpdAdd:
    traffic: Traffic | str  # str: the tag that the packet filter gave to packets
    policy: Policy
    context: Context | None = None
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SpdUpdate(SpdAdd):
    pass


@dataclass(frozen=True, slots=True)
class SpdDelete:
    traffic: Traffic
    direction: Direction
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SpdFlush:
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class SpdDump:
    where: Location = field(default=NOWHERE, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Exit:
    where: Location = field(default=NOWHERE, compare=False, repr=False)


Statement = (
    Add | Update | GetSpi | Get | Delete | DeleteAll | Flush | Dump | Group
    | SpdAdd | SpdUpdate | SpdDelete | SpdFlush | SpdDump | Exit
)  # fmt: skip
