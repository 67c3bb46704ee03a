# SPDX-License-Identifier: ISC
"""Everything in any order: datagrams delivered, lost, repeated and damaged; questions answered late or never; SAs
deleted, expired, renewed and refused by the kernel; packets of SAs that are not there; both ends starting, stopping,
crashing, and taking other configurations and policies. And in the end, nothing is left."""

from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, precondition, rule

from ike_auth.authorization.requests import Answer, Decision, PeerIdentified, Question, Signed, TunnelAuthorized
from ike_auth.config.model import Configuration
from ike_auth.crypto.secrets import Secret
from ike_auth.effects import Ask
from ike_auth.engine.core import Renew, Retire, ReviewOverdue, TunnelExpires
from ike_auth.network import Datagram, Now
from tests.ike_auth.engine.hostile import Run
from tests.ike_auth.engine.words import Denies
from tests.ike_auth.gateways import FAST, FAST_RSA, leftovers, pair
from tests.ike_auth.simulation import AllowAll, Host, Network, endpoint

ENDS = st.sampled_from([0, 1])
NO = Decision(False, "false", "no")
NONSENSE: tuple[Answer, ...] = (PeerIdentified(NO), TunnelAuthorized(None, ()), Signed(None), TunnelAuthorized(0, ()))


class Interleavings(RuleBasedStateMachine):
    """A network that delivers nothing by itself; the test is the network, and the authorization layer."""

    datagrams = Bundle("datagrams")

    @initialize(
        rsa=st.booleans(), both=st.booleans(), contact=st.booleans(), probed=st.booleans(), seed=st.integers(0, 3)
    )
    def begin(self, rsa: bool, both: bool, contact: bool, probed: bool, seed: int) -> None:
        general = "DPD-check-interval= 20" if probed else ""
        options = {**(FAST_RSA if rsa else FAST), "initial_contact": contact, "general": general}
        a, b = pair(options, of_b={"active": both}, seed=seed)
        self.configurations = [a.configuration, b.configuration]
        self.crashes = 0
        self.wire: list[Datagram] = []
        self.run = Run(Network(a, b, tamper=lambda number, datagram: self.wire.append(datagram) or []))  # type: ignore[func-returns-value]
        self.network = self.run.network
        self.asynchronous = False
        for host in (a, b):
            host.answer = self.answering(host)
        with self.run.ledger.kept():
            self.network.start()

    def answering(self, host: Host) -> Any:
        def answer(question: Question, now: Now) -> Answer | None:
            return None if self.asynchronous else host.answer_from_gate(question, now)

        return answer

    def end(self, number: int) -> Host:
        return self.run.ends[number]

    def arrive(self, datagram: Datagram) -> None:
        self.network.inject(datagram, 0.0)
        self.run.go(0.0001)

    # --- the network

    @precondition(lambda self: self.wire)
    @rule(index=st.integers(0, 30), keep=st.booleans())
    def deliver(self, index: int, keep: bool) -> None:
        datagram = self.wire[index % len(self.wire)]
        if not keep:
            self.wire.remove(datagram)
        self.arrive(datagram)

    @precondition(lambda self: self.wire)
    @rule()
    def deliver_everything_for_a_while(self) -> None:
        for _ in range(12):
            under_way, self.wire[:] = list(self.wire), []
            for datagram in under_way:
                self.arrive(datagram)

    @precondition(lambda self: self.wire)
    @rule(index=st.integers(0, 30))
    def lose(self, index: int) -> None:
        del self.wire[index % len(self.wire)]

    @precondition(lambda self: self.wire)
    @rule(index=st.integers(0, 30), place=st.integers(0, 2000), mask=st.integers(1, 255))
    def damage(self, index: int, place: int, mask: int) -> None:
        datagram = self.wire[index % len(self.wire)]
        data = bytearray(datagram.data)
        data[place % len(data)] ^= mask
        self.arrive(replace(datagram, data=bytes(data)))

    @rule(index=st.integers(0, 200))
    def replay_or_reflect(self, index: int) -> None:
        datagram = self.network.carried[index // 2 % len(self.network.carried)] if self.network.carried else None
        if datagram is not None:
            self.arrive(datagram if index % 2 else Datagram(datagram.data, datagram.remote, datagram.local))

    # --- time

    @rule(seconds=st.sampled_from([0.1, 7.0, 11.0, 40.0, 61.0, 121.0, 700.0, 1050.0, 1300.0, 3700.0]))
    def pass_time(self, seconds: float) -> None:
        self.run.go(seconds)
        del self.wire[:-60]

    # --- the authorization layer

    @rule(later=st.booleans())
    def answer_at_once_or_later(self, later: bool) -> None:
        self.asynchronous = later

    def open_question(self, end: int, index: int) -> tuple[Host, Ask] | None:
        host = self.end(end)
        return (host, host.unanswered.pop(index % len(host.unanswered))) if host.unanswered else None

    @rule(end=ENDS, index=st.integers(0, 9), again=st.booleans())
    def answer(self, end: int, index: int, again: bool) -> None:
        found = self.open_question(end, index)
        if found is not None:
            host, ask = found
            given = host.answer_from_gate(ask.question, self.network.clock)
            for _ in range(2 if again else 1):
                with self.run.ledger.kept():
                    self.network.do(host, host.engine.answer(ask.id, given, self.network.clock))

    @rule(end=ENDS, index=st.integers(0, 9), answer=st.sampled_from(NONSENSE))
    def deny(self, end: int, index: int, answer: Answer) -> None:
        found = self.open_question(end, index)
        if found is not None:
            host, ask = found
            self.network.do(host, host.engine.answer(ask.id, answer, self.network.clock))

    # --- operators and kernels

    @rule(end=ENDS)
    def initiate(self, end: int) -> None:
        host = self.end(end)
        with self.run.ledger.kept():
            self.network.do(host, host.engine.initiate("tunnel", self.network.clock))

    @rule(end=ENDS, index=st.integers(0, 9))
    def sa_gone(self, end: int, index: int) -> None:
        host = self.end(end)
        if host.installed:
            inbound, spi = sorted(host.installed)[index % len(host.installed)]
            self.network.do(host, host.engine.sa_gone(spi, "operator", self.network.clock, inbound=inbound))

    @rule(end=ENDS, index=st.integers(0, 9), what=st.sampled_from(["used", "heard", "soft", "unknown", "acquire"]))
    def traffic(self, end: int, index: int, what: str) -> None:
        """What a kernel has to say of an SA that is at one of the ends."""
        host, engine, now = self.end(end), self.end(end).engine, self.network.clock
        known = sorted({*self.end(0).installed, *self.end(1).installed})
        inbound, spi = known[index % len(known)] if known else (True, b"none")
        ends = (endpoint(str(host.address)), endpoint(str(self.end(1 - end).address)))
        guard = next(iter(host.guards), None)
        with self.run.ledger.kept():
            match what:
                case "used":
                    effects = engine.sa_used(spi, now)
                case "heard":
                    effects = engine.sa_heard(spi, now)
                case "soft":
                    effects = engine.sa_soft_limit(spi, now, inbound=inbound)
                case "unknown":
                    effects = [] if (True, spi) in host.installed else engine.unknown_spi(*ends, spi, now)
                case _:
                    effects = [] if guard is None else engine.acquire(guard.local, guard.remote, now)
            self.network.do(host, effects)

    @rule(end=ENDS, policy=st.sampled_from([None, 1, 2]), suite=st.booleans(), key=st.booleans())
    def reload(self, end: int, policy: int | None, suite: bool, key: bool) -> None:
        """Another policy, which denies a phase or nothing; another suite, or another key for the peer."""
        before = self.configurations[end]
        peers, connections = dict(before.peers), dict(before.connections)
        if key:
            peers = {name: replace(peer, preshared_key=Secret(b"another")) for name, peer in peers.items()}
        if suite:
            connections = {name: replace(c, flags=frozenset({"allow-overlap"})) for name, c in connections.items()}
        configuration = replace(before, peers=peers, connections=connections)
        self.take(end, configuration, AllowAll() if policy is None else Denies(phase=policy))

    def take(self, end: int, configuration: Configuration, authorizer: AllowAll) -> None:
        host = self.end(end)
        host.unanswered = [ask for ask in host.unanswered if ask.id not in host.engine._core.reviews]
        with self.run.ledger.kept():
            self.network.do(host, host.reload(configuration, self.network.clock, authorizer))

    @rule(end=ENDS, name=st.sampled_from(["tunnel", "peer"]), up=st.booleans())
    def operate(self, end: int, name: str, up: bool) -> None:
        host, now = self.end(end), self.network.clock
        with self.run.ledger.kept():
            self.network.do(host, host.engine.up("tunnel", now) if up else host.engine.down(name, now))
        host.engine.status(now)

    @rule(end=ENDS)
    def crash(self, end: int) -> None:
        """It forgets everything, and its kernel too."""
        host = self.end(end)
        self.crashes += 1
        reborn = replace(host, configuration=self.configurations[end], seed=1000 * self.crashes + end)
        reborn.answer = self.answering(reborn)
        self.network.hosts[host.address] = reborn
        with self.run.ledger.kept():
            self.network.do(reborn, reborn.engine.start(self.network.clock))

    @rule(end=ENDS, refuses=st.sampled_from(["nothing", "in", "out"]))
    def kernel(self, end: int, refuses: str) -> None:
        self.end(end).fail_install = lambda sa: refuses != "nothing" and sa.inbound == (refuses == "in")

    @rule(end=ENDS)
    def stop(self, end: int) -> None:
        host = self.end(end)
        self.network.do(host, host.engine.stop(self.network.clock))
        assert leftovers(host) == {}
        with self.run.ledger.kept():
            self.network.do(host, host.engine.start(self.network.clock))

    # --- always

    @invariant()
    def nothing_is_up_that_not_both_have_made(self) -> None:
        if hasattr(self, "run"):
            self.run.check()

    @invariant()
    def the_kernel_has_what_the_engine_says(self) -> None:
        for host in self.run.ends if hasattr(self, "run") else ():
            tunnels = {(sa.inbound, sa.spi) for t in host.engine.table.tunnels for sa in t.sas}
            pending = {(True, spi) for e in host.engine.exchanges for spi in e.state.own_spis}
            assert tunnels <= set(host.installed) <= tunnels | pending
            assert set(host.flows) == {(t.local, t.remote) for t in host.engine.table.tunnels}

    @invariant()
    def nothing_outlives_its_authorization(self) -> None:
        """As soon as everything has been asked about again."""
        for host in self.run.ends if hasattr(self, "run") else ():
            policy, table = host.gate.authorizer, host.engine.table
            if isinstance(policy, Denies) and not host.engine._core.reviews:
                assert table.tunnels == ()
                assert policy.phase != 1 or not table.ike_sas

    @invariant()
    def tables_agree_with_each_other(self) -> None:
        for host in self.run.ends if hasattr(self, "run") else ():
            core = host.engine._core
            exchanges = {e.id: e for e in core.exchanges}
            assert all(exchanges.get(e.id) is e for e in core.exchanges._found_by.values())
            assert set(core.questions.values()) <= set(exchanges)
            assert {e.question for e in exchanges.values()} - {None} == set(core.questions)
            half_open = [e for e in exchanges.values() if e.ike is None and not e.initiator and e.state.open]
            assert len(core.exchanges.half_open) == len(half_open)
            assert set(core.sas._variants) | set(core.sas._message_ids) <= set(core.sas.ike_sas)
            assert all(e.ike is None or e.cookies in core.sas.ike_sas for e in exchanges.values())
            assert set(core.probes) <= set(core.sas.ike_sas)
            assert {t for t in core.timers if isinstance(t, ReviewOverdue)} == {
                ReviewOverdue(question) for question in core.reviews
            }
            spis = {spi for tunnel in core.sas.tunnels for spi in (sa.spi for sa in tunnel.inbound)}
            spis |= {spi for e in exchanges.values() for spi in e.state.own_spis}
            assert {t.spi for t in core.timers if isinstance(t, Renew | Retire | TunnelExpires)} <= spis

    def teardown(self) -> None:
        """On an honest network, with everybody answering, all is well after a while; and then nothing is left."""
        if not hasattr(self, "run"):
            return
        self.asynchronous = False
        for number, host in enumerate(self.run.ends):
            host.fail_install = lambda sa: False
            self.take(number, self.configurations[number], AllowAll())
            with self.run.ledger.kept():
                self.network.do(host, host.engine.up("tunnel", self.network.clock))
        self.network._tamper = lambda number, datagram: [(0.001, datagram)]
        self.run.go(1800.0)
        for _ in range(20):
            if not self.run.joined:  # one has just come to its end
                self.run.go(10.0)
        self.run.survives()


TestInterleavings = Interleavings.TestCase
TestInterleavings.settings = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
