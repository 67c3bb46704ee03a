# SPDX-License-Identifier: ISC
"""Two engines, the network between them and the clocks: all of it in memory, all of it turned by the test.

The hosts answer the questions of their engines as the daemon does. The network carries datagrams in a millisecond
and asks `tamper` about each one: what it returns is delivered instead.
"""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from heapq import heappop, heappush
from ipaddress import ip_address
from itertools import count
from random import Random
from typing import Any, TypeVar

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

from ike_auth.authorization.authorizer import Authorizer
from ike_auth.authorization.gate import CheckRecorded, Gate
from ike_auth.authorization.requests import (
    Answer,
    AuthorizeTunnel,
    Decision,
    IdentifyPeer,
    IdentityRequest,
    Question,
    Sign,
    Signed,
    TunnelRequest,
)
from ike_auth.authorization.revocations import Revocations
from ike_auth.config import isakmpd
from ike_auth.config.model import Configuration
from ike_auth.crypto import authenticators
from ike_auth.effects import (
    AddFlow,
    Ask,
    Effect,
    Guard,
    InstallSa,
    MoveSa,
    RemoveFlow,
    RemoveSa,
    Report,
    SendDatagram,
    SendKeepalive,
    Unguard,
)
from ike_auth.engine import Engine, Identities
from ike_auth.events import Event
from ike_auth.exchanges.steps import OwnCertificate
from ike_auth.network import Datagram, Endpoint, IPAddress, Now
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Identity, Selector
from pki.chain import TrustAnchors

START = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
FLIGHT = 0.001  # seconds from host to host
E = TypeVar("E", bound=Event)
Tamper = Callable[[int, Datagram], Iterable[tuple[float, Datagram]]]


@dataclass(frozen=True, slots=True)
class AllowAll:
    """An authorizer that lets everybody in, and counts on no name."""

    bound: bool = True

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        return Decision(True, "true", "everybody is allowed")

    def binds(self, request: IdentityRequest, now: datetime) -> bool:
        return self.bound

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        return Decision(True, "true", "everything is allowed")


@dataclass(frozen=True, slots=True)
class Credential:
    """What a simulated host proves itself with."""

    identity: Identity
    chain: tuple[bytes, ...]
    key: RSAPrivateKey


@dataclass
class Host:
    """One engine with everything that its daemon would give it."""

    address: IPAddress
    configuration: Configuration
    authorizer: Authorizer = field(default_factory=AllowAll)
    authorities: Sequence[x509.Certificate] | TrustAnchors = ()
    credentials: Sequence[Credential] = ()
    recorded: CheckRecorded = lambda _: None
    revocations: Revocations = field(default_factory=Revocations)
    seed: int = 0
    answer: Callable[[Question, Now], Answer | None] | None = None  # instead of the gate's; None: not now
    watch: Callable[[Effect], None] | None = None  # is shown every effect that is performed
    fail_install: Callable[[IpsecSa], bool] = lambda _: False

    def __post_init__(self) -> None:
        known = self.authorities
        anchors = known if isinstance(known, TrustAnchors) else TrustAnchors(known)
        self.gate = Gate(
            self.authorizer, anchors, lambda peer: peer.is_default, self.recorded, revocations=self.revocations
        )
        self.events: list[Event] = []
        self.installed: dict[tuple[bool, bytes], IpsecSa] = {}
        self.flows: dict[tuple[Selector, Selector], Flow] = {}
        self.guards: set[Flow] = set()
        self.keepalives: list[SendKeepalive] = []
        self.unanswered: list[Ask] = []
        self.engine = Engine(
            self.configuration,
            self._identities(),
            Random(self.seed).randbytes,
            lambda _: self.address,
        )

    def reload(self, configuration: Configuration, now: Now, authorizer: Authorizer | None = None) -> list[Effect]:
        """As SIGHUP does: another configuration, and the gate that goes with it."""
        self.configuration = configuration
        self.gate = replace(self.gate, authorizer=authorizer or self.gate.authorizer)
        return self.engine.reload(configuration, self._identities(), now)

    def of(self, kind: type[E]) -> list[E]:
        return [event for event in self.events if isinstance(event, kind)]

    def perform(self, effects: Iterable[Effect], now: Now) -> list[Datagram]:
        """Do what the engine says, answer what it asks; what remains is sent."""
        sent: list[Datagram] = []
        waiting = deque(effects)
        while waiting:
            effect = waiting.popleft()
            if self.watch is not None:
                self.watch(effect)
            if isinstance(effect, SendDatagram):
                sent.append(Datagram(effect.data, effect.local, effect.remote))
            elif isinstance(effect, Report):
                self.events.append(effect.event)
            elif isinstance(effect, Ask):
                self._ask(effect, waiting, now)
            elif isinstance(effect, InstallSa) and self.fail_install(effect.sa):
                # A failed installation cancels what comes after it.
                sa = effect.sa
                waiting = deque(self.engine.sa_gone(sa.spi, "the kernel refuses", now, inbound=sa.inbound))
            else:
                self._keep(effect)
        return sent

    def _ask(self, ask: Ask, waiting: deque[Effect], now: Now) -> None:
        answer = (self.answer or self.answer_from_gate)(ask.question, now)
        if answer is None:
            self.unanswered.append(ask)
        else:
            waiting.extendleft(reversed(self.engine.answer(ask.id, answer, now)))

    def _keep(self, effect: Effect) -> None:
        match effect:
            case InstallSa(sa):
                self.installed[sa.inbound, sa.spi] = sa
            case MoveSa(sa):
                if (sa.inbound, sa.spi) in self.installed:
                    self.installed[sa.inbound, sa.spi] = sa
            case RemoveSa(sa):
                self.installed.pop((sa.inbound, sa.spi), None)
            case AddFlow(flow):
                self.flows[flow.local, flow.remote] = flow
            case RemoveFlow(flow):
                self.flows.pop((flow.local, flow.remote), None)
            case Guard(flow):
                self.guards.add(flow)
            case Unguard(flow):
                self.guards.remove(flow)
            case SendKeepalive() as keepalive:
                self.keepalives.append(keepalive)
            case _:
                raise AssertionError(f"no host performs {effect}")

    def answer_from_gate(self, question: Question, now: Now) -> Answer:
        match question:
            case IdentifyPeer():
                return self.gate.identify(question, now.utc)
            case AuthorizeTunnel():
                return self.gate.authorize(question, now.utc)
            case Sign(identity, digest):
                credential = self._credential_of(identity)
                return Signed(None if credential is None else authenticators.sign(credential.key, digest))

    def _identities(self) -> Identities:
        subjects = tuple(anchor.subject_der for anchor in self.gate.anchors.certificates)
        return Identities(self._certificate_of, subjects)

    def _certificate_of(self, identity: Identity) -> OwnCertificate | None:
        credential = self._credential_of(identity)
        return None if credential is None else OwnCertificate(credential.chain)

    def _credential_of(self, identity: Identity) -> Credential | None:
        for credential in self.credentials:
            if credential.identity == identity:
                return credential
        return None


def deliver(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
    """The honest network."""
    return [(FLIGHT, datagram)]


class Network:
    """Hosts by address, datagrams in flight, one clock for all."""

    def __init__(self, *hosts: Host, tamper: Tamper = deliver) -> None:
        self.hosts = {host.address: host for host in hosts}
        self.now = 0.0
        self.carried: list[Datagram] = []
        self._tamper = tamper
        self._in_flight: list[tuple[float, int, Datagram]] = []
        self._order = count()

    @property
    def clock(self) -> Now:
        return Now(self.now, START + timedelta(seconds=self.now))

    def start(self) -> None:
        """Every host brings up its connections."""
        for host in self.hosts.values():
            self.do(host, host.engine.start(self.clock))

    def do(self, host: Host, effects: Iterable[Effect]) -> None:
        for datagram in host.perform(effects, self.clock):
            self.send(datagram)

    def send(self, datagram: Datagram) -> None:
        """Put on the wire what a host, or an attacker, sends."""
        number = len(self.carried)
        self.carried.append(datagram)
        for delay, delivered in self._tamper(number, datagram):
            self.inject(delivered, delay)

    def inject(self, datagram: Datagram, delay: float = FLIGHT) -> None:
        """As seen by its sender; it arrives after `delay`, and nobody tampers with it."""
        heappush(self._in_flight, (self.now + delay, next(self._order), datagram))

    def run(self, seconds: float = 60.0) -> None:
        """Let time pass, from event to event."""
        end = self.now + seconds
        while (moment := self._next()) is not None and moment <= end:
            self.now = max(self.now, moment)
            while self._in_flight and self._in_flight[0][0] <= self.now:
                self._arrive(heappop(self._in_flight)[2])
            for host in self.hosts.values():
                while (wake := host.engine.next_wake()) is not None and wake <= self.now:
                    self.do(host, host.engine.wake(self.clock))
        self.now = end

    def _arrive(self, sent: Datagram) -> None:
        host = self.hosts.get(sent.remote.host)
        if host is not None:
            received = Datagram(sent.data, local=sent.remote, remote=sent.local)
            self.do(host, host.engine.receive(received, self.clock))

    def _next(self) -> float | None:
        moments = [host.engine.next_wake() for host in self.hosts.values()]
        if self._in_flight:
            moments.append(self._in_flight[0][0])
        return min((moment for moment in moments if moment is not None), default=None)


def host(address: str, text: str, **more: Any) -> Host:
    """A host with a configuration in isakmpd's syntax."""
    return Host(ip_address(address), isakmpd.parse(text, f"{address}.conf"), **more)


def endpoint(address: str, port: int = 500) -> Endpoint:
    return Endpoint(ip_address(address), port)
