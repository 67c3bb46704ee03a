# SPDX-License-Identifier: ISC
"""Both sides of an exchange without engines: each step is called by hand, and all that it leads to is looked at."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from random import Random

from ike_auth.authorization.requests import Answer, Question
from ike_auth.exchanges.steps import AddIkeSa, Local, Outcome, OwnCertificate, Settings, State
from ike_auth.exchanges.v1.protocol import IkeV1
from ike_auth.network import Endpoint, IPAddress, Now
from ike_auth.sa import IkeSa
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import ProtocolId
from tests.ike_auth.configurations import A, B
from tests.ike_auth.gateways import FAST, Options, pair
from tests.ike_auth.simulation import START, Host, endpoint

VERSION = IkeV1()
NOW = Now(1000.0, START)


@dataclass
class Side:
    """One side's steps. `known` are certificates that it has without being sent them."""

    host: Host
    own: Endpoint
    peer: Endpoint
    known: Mapping[Identity, OwnCertificate] = field(default_factory=dict)
    now: Now = NOW

    def __post_init__(self) -> None:
        self.random = Random(self.host.seed).randbytes

    @property
    def local(self) -> Local:
        core = self.host.engine._core
        settings = Settings(
            lambda identity: self.known.get(identity) or core.settings.certificate_of(identity),
            core.settings.authorities,
            self.host.configuration.connections_of,
        )
        return Local(self.now, self.random, self._spi, self.own, self.peer, settings)

    def _spi(self, protocol: ProtocolId, *_: IPAddress) -> bytes:
        return b"\x77" + self.random(1) if protocol == ProtocolId.IPCOMP else self.random(4)

    def begin(self) -> Outcome:
        return VERSION.initiate_ike(self.host.configuration.peers["peer"], self.local)

    def listen(self, data: bytes) -> State:
        return VERSION.accept_ike(Header.decode(data), self.host.configuration.peers["peer"])

    def take(self, state: State, data: bytes) -> Outcome:
        return VERSION.advance(state, Header.decode(data), data, self.local)

    def answer(self, outcome: Outcome, answer: Answer | None = None) -> Outcome:
        """Without an answer, the gate's, to whatever was asked."""
        assert outcome.ask is not None
        return VERSION.answer(outcome.state, answer or self.given(outcome.ask), self.local)

    def given(self, question: Question) -> Answer:
        return self.host.answer_from_gate(question, self.now)

    def child(self, ike: IkeSa) -> Outcome:
        return VERSION.initiate_child(ike, self.host.configuration.connections["tunnel"], self.local)

    def listen_child(self, ike: IkeSa, data: bytes) -> State:
        return VERSION.accept_child(Header.decode(data), ike)


def sides(options: Options = FAST, **more: Options) -> tuple[Side, Side]:
    """Initiator and responder; the arguments are those of `pair`."""
    a, b = pair(options, **more)  # type: ignore[arg-type]
    return Side(a, endpoint(A), endpoint(B)), Side(b, endpoint(B), endpoint(A))


@dataclass
class Walk:
    """An exchange, step by step. `messages` are numbered from 1, `states` are those in which each was taken,
    `outcomes` those of taking it and of the answers to what was then asked."""

    i: Side
    r: Side
    messages: dict[int, bytes] = field(default_factory=dict)
    states: dict[int, State] = field(default_factory=dict)
    outcomes: dict[int, list[Outcome]] = field(default_factory=dict)

    @property
    def sas(self) -> tuple[IkeSa, IkeSa]:
        """What a main mode comes to, at the initiator and at the responder."""
        return made(self.outcomes[6][-1]), made(self.outcomes[5][-1])


def made(outcome: Outcome) -> IkeSa:
    (sa,) = [change.sa for change in outcome.changes if isinstance(change, AddIkeSa)]
    return sa


def main_mode(options: Options = FAST, **more: Options) -> Walk:
    """All of it, every question answered by the gate. The arguments are those of `pair`."""
    walk = Walk(*sides(options, **more))
    return _walked(walk, walk.i.begin(), walk.r.listen, 6)


def quick_mode(options: Options = FAST, **more: Options) -> Walk:
    """The same after a main mode, and under its IKE SA."""
    first = main_mode(options, **more)
    ike_i, ike_r = first.sas
    return _walked(Walk(first.i, first.r), first.i.child(ike_i), partial(first.r.listen_child, ike_r), 3)


def _walked(walk: Walk, sent: Outcome, listen: Callable[[bytes], State], count: int) -> Walk:
    own, other = walk.i, walk.r
    state = {id(own): sent.state}
    for number in range(1, count + 1):
        assert sent.send is not None
        own, other = other, own
        walk.messages[number] = sent.send
        walk.states[number] = state.get(id(own)) or listen(sent.send)
        steps = [own.take(walk.states[number], sent.send)]
        while steps[-1].ask is not None:
            steps.append(own.answer(steps[-1]))
        walk.outcomes[number] = steps
        sent = steps[-1]
        state[id(own)] = sent.state
    return walk
