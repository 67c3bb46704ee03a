# SPDX-License-Identifier: ISC
"""What the parts of the engine share: configuration, tables, timers, and the way to the world outside."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from math import inf
from typing import NamedTuple

from ike_auth.authorization.requests import IdentityRequest
from ike_auth.config.model import Configuration, Peer
from ike_auth.effects import QuestionId
from ike_auth.engine.seldom import Seldom
from ike_auth.errors import LocalError
from ike_auth.exchange_table import ExchangeTable
from ike_auth.exchanges.steps import Local, OwnCertificate, Random, Settings
from ike_auth.exchanges.v1.protocol import IkeV1
from ike_auth.exchanges.version import Version
from ike_auth.half_open import ExchangeId
from ike_auth.network import Endpoint, IPAddress, Now
from ike_auth.sa import Cookies, Flow
from ike_auth.sa_table import Party, SaTable
from ike_auth.timers import Timers
from ike_auth.values import value
from ike_auth.wire import cpi
from ike_auth.wire.fragments import Reassembly
from ike_auth.wire.header import message_id_of
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import ProtocolId

# Bytes, lowest, highest. Below are reserved ones (RFC 4303 2.1) and those that people type by hand.
_USUAL_SPIS = (4, 0x1000, 0xFFFFFFFF)
_SPIS = {ProtocolId.IPCOMP: (cpi.SIZE, cpi.LOWEST, cpi.HIGHEST)}
_DRAWS = 1000  # of an SPI; of CPIs there are so few that one peer could have all of them


@value
class Ports:
    """Where IKE is spoken: our own ports, and those of peers whose section names none."""

    ike: int = 500
    nat: int = 4500


STANDARD_PORTS = Ports()


@value
class Identities:
    """What we can prove ourselves with."""

    certificate_of: Callable[[Identity], OwnCertificate | None] = lambda _: None
    authorities: tuple[bytes, ...] = ()  # DER subjects of the CAs whose certificates we take


# For packets of this protocol from there to here. Raises LocalError.
ReserveSpi = Callable[[ProtocolId, IPAddress, IPAddress], bytes]


# --- what timers ring for: tuples, for they are looked up at every step; `sort` keeps those of two kinds apart


class Deadline(NamedTuple):
    """An exchange has had its time."""

    exchange: ExchangeId
    sort: str = "deadline"


class Resend(NamedTuple):
    """The peer has not answered."""

    exchange: ExchangeId
    sort: str = "resend"


class Doubt(NamedTuple):
    """Nothing better has come than what was refused on doubtful grounds."""

    exchange: ExchangeId
    sort: str = "doubt"


class IkeExpires(NamedTuple):
    cookies: Cookies
    sort: str = "ike expires"


class TunnelExpires(NamedTuple):
    spi: bytes  # of the first inbound SA
    sort: str = "tunnel expires"


class Keepalive(NamedTuple):
    """RFC 3948 4: a NAT forgets who is silent."""

    cookies: Cookies
    sort: str = "keepalive"


class FragmentsStale(NamedTuple):
    cookies: Cookies
    sort: str = "fragments stale"


class Renew(NamedTuple):
    """Most of a tunnel's life is over."""

    spi: bytes  # of the first inbound SA
    sort: str = "renew"


class Retire(NamedTuple):
    """What is older than this tunnel, for the same traffic, is needed no longer."""

    spi: bytes  # of an inbound SA
    sort: str = "retire"


class Probe(NamedTuple):
    """Whether the peer of an IKE SA has been heard of."""

    cookies: Cookies
    sort: str = "probe"


class ReviewOverdue(NamedTuple):
    question: QuestionId
    sort: str = "review overdue"


class Check(NamedTuple):
    """Whether what is configured to be up is up."""

    sort: str = "check"


Alarm = (
    Deadline
    | Resend
    | Doubt
    | IkeExpires
    | TunnelExpires
    | Keepalive
    | FragmentsStale
    | Renew
    | Retire
    | Probe
    | ReviewOverdue
    | Check
)


@dataclass(frozen=True, slots=True)
class Probing:
    """R-U-THEREs under one IKE SA (RFC 3706 5.4)."""

    sequence: int  # of the last one
    sent: int = 0  # times that it was sent and not answered
    since: float = -inf  # when it was sent first


Reviewed = IdentityRequest | bytes  # the SAs of an identity, or a tunnel by its first inbound SPI


@dataclass(slots=True)
class Core:
    """Mutable, as the exchanges in its table are, and nothing else in the engine is: values go in and out."""

    configuration: Configuration
    settings: Settings
    random: Random
    source_address: Callable[[IPAddress], IPAddress]
    ports: Ports
    versions: Mapping[int, Version] = field(default_factory=lambda: {1: IkeV1()})
    sas: SaTable = field(default_factory=SaTable)
    exchanges: ExchangeTable = field(default_factory=ExchangeTable)
    timers: Timers[Alarm] = field(default_factory=Timers)
    counters: Counter[str] = field(default_factory=Counter)
    questions: dict[QuestionId, ExchangeId] = field(default_factory=dict)
    fragments: dict[Cookies, Reassembly] = field(default_factory=dict)
    guards: dict[str, Flow] = field(default_factory=dict)  # by connection
    probes: dict[Cookies, Probing] = field(default_factory=dict)
    traffic: dict[Party, float] = field(default_factory=dict)  # when the kernel last had some of the peer's
    contacted: dict[Party, Cookies] = field(default_factory=dict)  # in this life, first under that IKE SA
    seldom: Seldom = field(default_factory=Seldom)
    reviews: dict[QuestionId, Reviewed] = field(default_factory=dict)
    reloaded: float = -inf  # when the configuration became what it is
    held: set[str] = field(default_factory=set)  # connections that are to stay down
    reasons: dict[str, str] = field(default_factory=dict)  # by connection: why it last failed, or went down
    question_ids: Iterator[int] = field(default_factory=partial(count, 1))
    reserve_spi: ReserveSpi | None = None  # where others take SPIs of the same kernel too; else they are ours alone

    @property
    def version(self) -> Version:
        """Of what we begin."""
        return self.versions[1]

    def local(self, local: Endpoint, remote: Endpoint, now: Now) -> Local:
        """Our side of one step."""
        return Local(now, self.random, self._draw_spi, local, remote, self.settings, self.is_first_contact)

    def is_first_contact(self, peer: Peer) -> bool:
        """Whether there is nothing with a peer, nor was in this life, and it may be told so. Who it is, is not known
        yet."""
        if not peer.initial_contact or self.sas.knows(peer.name):
            return False
        return all(name != peer.name for name, _ in self.contacted)

    def note_sent(self, cookies: Cookies, data: bytes) -> None:
        """Under an IKE SA both ends have the same keys: what comes back of ours must not pass for the peer's."""
        if cookies in self.sas.ike_sas and (message_id := message_id_of(data)):
            self.sas.use(cookies, message_id)

    def new_question(self, about: ExchangeId) -> QuestionId:
        """That an exchange waits to be answered."""
        id = QuestionId(next(self.question_ids))
        self.questions[id] = about
        return id

    def new_review(self, about: Reviewed) -> QuestionId:
        """A question of ours."""
        id = QuestionId(next(self.question_ids))
        self.reviews[id] = about
        return id

    def check_soon(self, now: Now) -> None:
        """Look after connections as soon as what is being done is done."""
        self.timers.set(Check(), now.monotonic)

    def _draw_spi(self, protocol: ProtocolId, source: IPAddress, destination: IPAddress) -> bytes:
        if self.reserve_spi is not None:
            return self.reserve_spi(protocol, source, destination)
        size, low, high = _SPIS.get(protocol, _USUAL_SPIS)
        for _ in range(_DRAWS):
            spi = self.random(size)
            unused = self.sas.tunnel_into(spi) is None and self.exchanges.with_spi(spi) is None
            if low <= int.from_bytes(spi, "big") <= high and unused:
                return spi
        raise LocalError(f"nearly all SPIs of {protocol} are in use")
