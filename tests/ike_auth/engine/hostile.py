# SPDX-License-Identifier: ISC
"""A handshake that can be stopped before any of its datagrams arrives, copied, and gone on with in any way.

A forgery that is dropped and changes no table has had no effect, whatever comes after: then the handshake goes on as
if nothing had been, so it is not run to its end again. Where a table changed, or anything was sent, it is.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache
from random import Random
from types import MethodType
from typing import Any, TypeVar
from unittest.mock import patch

from ike_auth.effects import Effect, Report, SendDatagram
from ike_auth.engine import Engine
from ike_auth.engine.core import Core
from ike_auth.engine.seldom import Seldom
from ike_auth.events import IkeSaUp
from ike_auth.exchange_table import Exchange, ExchangeTable
from ike_auth.exchanges.v1 import phase1, phase2, quick_mode
from ike_auth.half_open import HalfOpen, _Queue
from ike_auth.indexes import SelectorIndex
from ike_auth.network import Datagram, Endpoint, IPAddress
from ike_auth.sa import IpsecSa
from ike_auth.sa_table import SaTable
from ike_auth.timers import Timers
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, leftovers, pair
from tests.ike_auth.simulation import FLIGHT, Host, Network, deliver

T = TypeVar("T")
MESSAGES = 10  # of main mode and quick mode, and an INITIAL-CONTACT beside message 1 of that
PROOFS = 5  # from this message on, an injected forgery must not keep the handshake from completing
OPTIONS: dict[str, Options] = {
    "psk": {**FAST, "initial_contact": True},
    "rsa": {**FAST_RSA, "initial_contact": True},
}
EVERY = 61  # of so many forgeries that were dropped, one is gone on with all the same
AT_ONCE = 1.0  # seconds
LONG = 500.0  # seconds: every exchange has timed out by then, and has been tried again
_LIVE = (
    Network,
    Host,
    Engine,
    Core,
    SaTable,
    ExchangeTable,
    Exchange,
    HalfOpen,
    _Queue,
    Timers,
    Seldom,
    SelectorIndex,
)


def copied(value: T, made: dict[int, Any] | None = None) -> T:
    """Objects that live, and the containers in them; the values in those are shared, for they never change."""
    made = {} if made is None else made
    if id(value) in made:
        return made[id(value)]  # type: ignore[no-any-return]
    copy: Any = value
    if isinstance(value, _LIVE):
        copy = made[id(value)] = object.__new__(type(value))
        names = getattr(value, "__slots__", None) or vars(value)
        for name in names:
            object.__setattr__(copy, name, copied(getattr(value, name), made))
    elif isinstance(value, dict):
        copy = type(value)()
        dict.update(copy, {key: copied(item, made) for key, item in value.items()})
    elif isinstance(value, list | set):
        copy = type(value)(copied(item, made) for item in value)
    elif isinstance(value, MethodType) and isinstance(value.__self__, Random):
        source = Random()
        source.setstate(value.__self__.getstate())
        copy = getattr(source, value.__name__)
    made[id(value)] = copy
    return copy  # type: ignore[no-any-return]


@dataclass
class Ledger:
    """What both ends of a handshake have computed, whatever became of it."""

    phase1: list[tuple[object, object]] = field(default_factory=list)  # cookies and keys, one entry for each end
    sas: dict[tuple[IPAddress, bool, bytes], IpsecSa] = field(default_factory=dict)

    def copy(self) -> "Ledger":
        return Ledger(list(self.phase1), dict(self.sas))

    @contextmanager
    def kept(self) -> Iterator[None]:
        agree, tunnel = phase1.agree, phase2.tunnel

        def noted_agree(*given: Any) -> Any:
            agreed = agree(*given)
            self.phase1.append((agreed.cookies, agreed.keys))
            return agreed

        def noted_tunnel(*given: Any) -> Any:
            made = tunnel(*given)
            for sa in made.sas:
                self.sas[given[-1].local.host, sa.inbound, sa.spi] = sa
            return made

        with patch.object(phase1, "agree", noted_agree), patch.object(quick_mode, "tunnel", noted_tunnel):
            yield


@dataclass
class Run:
    """Two gateways, the network between them, and what they have computed."""

    network: Network
    ledger: Ledger = field(default_factory=Ledger)

    @property
    def ends(self) -> tuple[Host, Host]:
        a, b = self.network.hosts.values()
        return a, b

    def go(self, seconds: float) -> None:
        with self.ledger.kept():
            self.network.run(seconds)

    @property
    def joined(self) -> bool:
        """Whether both ends have the same SAs, at least one tunnel of them."""
        a, b = self.ends
        return bool(a.installed) and set(a.installed) == {(not inbound, spi) for inbound, spi in b.installed}

    def check(self) -> None:
        """Nothing is up that not both ends have made, and what both have, they understand in the same way."""
        for host, other in (self.ends, self.ends[::-1]):
            for event in host.of(IkeSaUp):
                assert event.sa.identity == identity_of(other)
                assert self.ledger.phase1.count((event.sa.cookies, event.sa.keys)) >= 2, "only one end has its keys"
            pending = {spi for exchange in host.engine.exchanges for spi in exchange.state.own_spis}
            for (inbound, spi), ours in host.installed.items():
                theirs = self.ledger.sas.get((other.address, not inbound, spi))
                if theirs is None and inbound and spi in pending:
                    continue  # of a responder whose message 2 has not arrived
                assert theirs is not None, "only one end has made this SA"
                assert ours.fingerprint == theirs.fingerprint
                assert ours.parameters == theirs.parameters
                assert (ours.local, ours.remote) == (theirs.remote, theirs.local)
                assert (ours.source, ours.destination) == (theirs.source, theirs.destination)

    def survives(self) -> None:
        """In the end, a tunnel; and when both have stopped, nothing is left over."""
        self.check()
        assert self.joined
        for host in self.ends:
            self.network.do(host, host.engine.stop(self.network.clock))
        self.network.run(LONG)
        for host in self.ends:
            assert not host.installed
            assert leftovers(host) == {}


def identity_of(host: Host) -> object:
    """Who it says it is."""
    return phase1.own_identity(host.configuration.peers["peer"], Endpoint(host.address, 500))


@dataclass(kw_only=True)
class Scene(Run):
    """A handshake that waits for its message of this number, which has been sent and has not arrived."""

    number: int
    datagram: Datagram

    @property
    def taker(self) -> Host:
        return self.network.hosts[self.datagram.remote.host]

    @property
    def sender(self) -> Host:
        return self.network.hosts[self.datagram.local.host]

    def copy(self) -> "Scene":
        return replace(self, network=copied(self.network), ledger=self.ledger.copy())

    def ignores(self, forged: Datagram, host: Host) -> bool:
        """Whether this host drops it and leaves every table as it was. If not, this scene has changed."""
        before = tables(host)
        effects = host.engine.receive(Datagram(forged.data, forged.remote, forged.local), self.network.clock)
        return all(isinstance(effect, Report) for effect in effects) and tables(host) == before

    def go_on(self, *arriving: Datagram, seconds: float = LONG) -> "Scene":
        """A copy in which these arrive one after the other, with what was sent together with the datagram of this
        scene, and then time passes on an honest network."""
        copy = self.copy()
        copy.network._tamper = deliver
        for place, datagram in enumerate((*arriving, *copy.network.carried[self.number :])):
            copy.network.inject(datagram, FLIGHT * (1 + place / 100))
        copy.go(seconds)
        return copy


def scenes(options: Options, seed: int = 0) -> list[Scene]:
    """One for each message, from 1."""
    run = Run(Network(*pair(options, seed=seed), tamper=lambda number, datagram: []))
    run.network.start()
    found = []
    messages = MESSAGES if options.get("initial_contact") else MESSAGES - 1
    for number in range(1, messages + 1):
        datagram = run.network.carried[number - 1]
        network, ledger = copied(run.network), run.ledger.copy()
        found.append(Scene(network=network, ledger=ledger, number=number, datagram=datagram))
        run.network.inject(datagram)
        run.go(1.5 * FLIGHT)
    assert len(run.network.carried) == messages
    return found


@cache
def honest(name: str) -> tuple[Scene, ...]:
    """Not to be changed, but copied."""
    return tuple(scenes(OPTIONS[name]))


@cache
def another(name: str) -> tuple[Scene, ...]:
    """The same between the same two, another time."""
    return tuple(scenes(OPTIONS[name], seed=7))


def tables(host: Host) -> dict[str, object]:
    """All that the engine knows, but for what it only keeps to tell an operator, and its random numbers."""
    core = host.engine._core
    found: dict[str, object] = {
        "timers": dict(core.timers._deadlines),
        "questions": dict(core.questions),
        "fragments": dict(core.fragments),
        "probes": dict(core.probes),
        "contacted": dict(core.contacted),
        "reviews": dict(core.reviews),
        "seldom": dict(core.seldom._done),
    }
    for table in (core.sas, core.exchanges, core.exchanges.half_open):
        for name, value in vars(table).items():
            if isinstance(value, dict):
                found[name] = {key: set(item) if isinstance(item, set) else item for key, item in value.items()}
    exchanges = core.exchanges._exchanges
    found["_exchanges"] = {id: replace(exchange, remarks=()) for id, exchange in exchanges.items()}
    found["half_open"] = len(core.exchanges.half_open)
    del found["_of_host"]
    return found


def sent(effects: Iterable[Effect]) -> list[bytes]:
    return [effect.data for effect in effects if isinstance(effect, SendDatagram)]


@dataclass
class Runs:
    """How many handshakes with something wrong there were, and what became of them."""

    counts: Counter[str] = field(default_factory=Counter)

    def add(self, what: str) -> None:
        self.counts[what] += 1


def attack(scenery: Scene, forged: Iterable[bytes], runs: Runs, what: str, *, at: str = "taker") -> None:
    """Each of these takes the place of the genuine datagram, and comes ahead of it: two runs each. What is for the
    sender of that datagram comes while it is under way."""
    live, to_taker = scenery.copy(), at == "taker"
    ends = (scenery.datagram.local, scenery.datagram.remote)
    for count, data in enumerate(forged):
        false = Datagram(data, *(ends if to_taker else ends[::-1]))
        runs.add(f"{what} injected")
        if to_taker:
            runs.add(f"{what} in place")
        if live.ignores(false, live.taker if to_taker else live.sender) and count % EVERY:
            continue
        live = scenery.copy()
        injected = scenery.go_on(false, scenery.datagram, seconds=AT_ONCE)
        injected.check()
        assert scenery.number < PROOFS or injected.joined, "a forgery has kept it from completing"
        injected.go(LONG)
        injected.survives()
        if to_taker:
            scenery.go_on(false).survives()
