# SPDX-License-Identifier: ISC
"""What comes in: datagrams, answers, wishes, the passing of time."""

from collections import Counter
from collections.abc import Callable

from ike_auth.authorization.requests import Answer, TunnelAuthorized
from ike_auth.config.model import Configuration
from ike_auth.effects import Effect, QuestionId
from ike_auth.engine import connections, flows, following, operating, recovery, reloading, removal, reviewing, traffic
from ike_auth.engine.alarms import ring
from ike_auth.engine.claims import unless_claimed
from ike_auth.engine.commit import commit
from ike_auth.engine.core import STANDARD_PORTS, Core, Identities, Ports, ReserveSpi
from ike_auth.engine.receiving import drop, receive
from ike_auth.engine.status import Status, status
from ike_auth.errors import IkeError
from ike_auth.exchange_table import ExchangeTable
from ike_auth.exchanges.steps import Random, Settings
from ike_auth.network import Datagram, Endpoint, IPAddress, Now
from ike_auth.sa import Flow
from ike_auth.sa_table import SaTable
from ike_auth.wire.identities import Selector

AFTER_FAULT = 60.0  # seconds until an alarm that we failed to act on rings again


class Engine:
    """IKE without sockets, clocks and randomness of its own.

    `source_address` says from which address of ours a peer is reached, or raises LocalError. `encapsulate`: we claim
    to be behind a NAT, so that all ESP goes in UDP. `reserve_spi` asks a kernel for SPIs. Every method returns
    effects, to be performed in their order; nothing that comes from the network makes one raise.
    """

    def __init__(
        self,
        configuration: Configuration,
        identities: Identities,
        random: Random,
        source_address: Callable[[IPAddress], IPAddress],
        ports: Ports = STANDARD_PORTS,
        *,
        encapsulate: bool = False,
        reserve_spi: ReserveSpi | None = None,
    ) -> None:
        self._encapsulate = encapsulate
        settings = self._settings(configuration, identities, ports)
        self._core = Core(configuration, settings, random, source_address, ports, reserve_spi=reserve_spi)

    @property
    def configuration(self) -> Configuration:
        return self._core.configuration

    @property
    def table(self) -> SaTable:
        """The SAs that there are."""
        return self._core.sas

    @property
    def exchanges(self) -> ExchangeTable:
        """What is under way, and what is remembered for a while because the peer may repeat itself."""
        return self._core.exchanges

    @property
    def counters(self) -> Counter[str]:
        """What was dropped, by reason."""
        return self._core.counters

    def waiting_for(self) -> list[str]:
        """The connections that are to be brought up and are not up, by name."""
        return connections.missing(self._core)

    def start(self, now: Now) -> list[Effect]:
        """Bring up the connections that are configured to be, and look after them from now on."""
        return [*flows.guard(self._core), *connections.check(self._core, now)]

    def receive(self, datagram: Datagram, now: Now) -> list[Effect]:
        """A datagram came. It may be anything."""
        try:
            return receive(self._core, datagram, now)
        except IkeError as error:
            return drop(self._core, datagram, error)

    def answer(self, question: QuestionId, answer: Answer, now: Now) -> list[Effect]:
        """The answer to an `Ask`. One that comes too late, or twice, is passed over; one that makes no sense ends the
        exchange, as a missing one does when its time is over."""
        core = self._core
        if question in core.reviews:
            return reviewing.answered(core, question, answer, now)
        id = core.questions.pop(question, None)
        exchange = None if id is None else core.exchanges.get(id)
        if exchange is None:
            core.counters["late answer"] += 1
            return []
        local = core.local(exchange.local, exchange.remote, now)
        try:
            if isinstance(answer, TunnelAuthorized):
                answer = unless_claimed(core, exchange, answer)
            outcome = exchange.version.answer(exchange.state, answer, local)
        except IkeError as error:
            return removal.fail(core, exchange, str(error))
        return commit(core, exchange, outcome, now)

    def initiate(self, connection: str, now: Now) -> list[Effect]:
        """Bring up a configured connection, with an IKE SA first if there is none; once more if it is up. Raises
        KeyError for no such one."""
        return connections.initiate(self._core, connection, now)

    def up(self, connection: str, now: Now) -> list[Effect]:
        """Bring up a configured connection unless it is up, and keep it so if it is active. Raises KeyError for no
        such one."""
        return operating.up(self._core, connection, now)

    def down(self, name: str, now: Now) -> list[Effect]:
        """Take down a connection, or everything with a peer; peers are told. We do not bring it up again until `up`.
        Raises KeyError if there is neither of that name."""
        return operating.down(self._core, name, now)

    def reload(self, configuration: Configuration, identities: Identities, now: Now) -> list[Effect]:
        """Go on with another configuration, and what belongs to it. The questions that this leads to are to be
        answered by the policy that belongs to it, too. Addresses and ports stay as they are."""
        settings = self._settings(configuration, identities, self._core.ports)
        return reloading.reload(self._core, configuration, settings, now)

    def review(self, now: Now) -> list[Effect]:
        """Whether what is up may still be is asked again, of whatever answers now."""
        return reviewing.review_all(self._core, now)

    def status(self, now: Now) -> Status:
        """What there is."""
        return status(self._core, now)

    def sa_gone(self, spi: bytes, why: str, now: Now, *, inbound: bool = True) -> list[Effect]:
        """An SA expired in the kernel, or could not be installed there: the tunnel goes, and the peer is told."""
        core = self._core
        found = core.sas.tunnel_into(spi) if inbound else core.sas.newest_tunnel_out(spi)
        if found is not None:
            return removal.remove_tunnels(core, [found], why, tell=True)
        exchange = core.exchanges.with_spi(spi) if inbound else None
        return [] if exchange is None else removal.fail_or_forget(core, exchange, why)

    def flow_gone(self, flow: Flow, why: str, now: Now) -> list[Effect]:
        """A flow could not be installed in the kernel: its tunnels go, and the peer is told."""
        return traffic.flow_gone(self._core, flow, why)

    def acquire(self, local: Selector, remote: Selector, now: Now) -> list[Effect]:
        """A packet of this traffic waits for a tunnel."""
        return traffic.acquire(self._core, local, remote, now)

    def sa_used(self, spi: bytes, now: Now) -> list[Effect]:
        """The first packet has come in on an SA."""
        return traffic.used(self._core, spi, now)

    def sa_heard(self, spi: bytes, now: Now) -> list[Effect]:
        """Packets have come in on an SA, which is a sign of life of the peer; not for each one."""
        traffic.heard(self._core, spi, now)
        return []

    def peer_moved(self, spi: bytes, remote: Endpoint) -> list[Effect]:
        """The newest packet on an SA, which is authentic, came from there: all that is with this peer follows."""
        return following.moved(self._core, spi, remote)

    def sa_soft_limit(self, spi: bytes, now: Now, *, inbound: bool) -> list[Effect]:
        """An SA has carried so much that it should be replaced."""
        return traffic.soft_limit(self._core, spi, now, inbound=inbound)

    def unknown_spi(self, local: Endpoint, remote: Endpoint, spi: bytes, now: Now) -> list[Effect]:
        """A packet came for an SA of ESP that is not here: if it is a peer's, both ends have to agree again."""
        return recovery.unknown_spi(self._core, remote, spi, now)

    def stop(self, now: Now) -> list[Effect]:
        """Tell peers that all SAs are gone, and forget everything."""
        core = self._core
        effects: list[Effect] = []
        tell = core.configuration.general.delete_sas
        for exchange in core.exchanges:
            effects += exchange.state.abandoned()
            removal.forget(core, exchange)
        effects += removal.remove_tunnels(core, core.sas.tunnels, "shutting down", tell)
        for ike in tuple(core.sas.ike_sas.values()):
            effects += removal.remove_ike(core, ike, "shutting down", tell)
        effects += flows.unguard(core)
        core.fragments.clear()
        core.reviews.clear()
        core.contacted.clear()
        core.timers.clear()
        return effects

    def _settings(self, configuration: Configuration, identities: Identities, ports: Ports) -> Settings:
        return Settings(
            identities.certificate_of,
            identities.authorities,
            configuration.connections_of,
            ports.nat,
            encapsulate=self._encapsulate,
        )

    # --- time

    def next_wake(self) -> float | None:
        """When `wake` wants to be called, in seconds of `Now.monotonic`."""
        return self._core.timers.next()

    def wake(self, now: Now) -> list[Effect]:
        """Time has passed: what the first alarm that is due leads to. If more are due, `next_wake` is not later than
        `now`, and this wants to be called again.

        One at a time, so that a fault of ours in one alarm (anything may be raised) costs no other its effects
        (docs/decisions/0507-one-alarm-at-a-time.md).
        """
        timers = self._core.timers
        alarm = timers.pop(now.monotonic)
        if alarm is None:
            return []
        try:
            return ring(self._core, alarm, now)
        except Exception:
            timers.set(alarm, now.monotonic + AFTER_FAULT)
            raise
