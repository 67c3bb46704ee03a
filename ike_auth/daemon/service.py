# SPDX-License-Identifier: ISC
"""The daemon: an event loop that feeds the engine and performs what it says."""

import asyncio
import signal
from collections.abc import Callable, Iterable
from functools import partial
from typing import TYPE_CHECKING

from ike_auth.assembly import Assembly, Unusable
from ike_auth.authorization.gate import Gate
from ike_auth.authorization.requests import (
    Answer,
    AuthorizeTunnel,
    IdentifyPeer,
    Question,
    Sign,
    Signed,
)
from ike_auth.config.certificates import KeyStore
from ike_auth.crypto import authenticators
from ike_auth.daemon import clock, counters, memory, operating
from ike_auth.daemon.beside import Beside
from ike_auth.daemon.control import ControlSocket, Handler, Json
from ike_auth.daemon.decision_log import DecisionLog
from ike_auth.daemon.kernel import (
    Acquire,
    HardLimit,
    Kernel,
    KernelError,
    KernelEvent,
    PeerMoved,
    SaHeard,
    SaUsed,
    SoftLimit,
    UnknownSpi,
)
from ike_auth.daemon.logs import Journal
from ike_auth.daemon.manual import ManualKeys
from ike_auth.daemon.revocation import Fetcher, Watch
from ike_auth.daemon.udp import Bound, Sockets
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
from ike_auth.exchanges.steps import OwnCertificate
from ike_auth.network import Datagram
from ike_auth.sa import IpsecSa
from ike_auth.wire.identities import Identity

if TYPE_CHECKING:
    from ike_auth.daemon.network.rootless import Inside

_RETRY_SECONDS = 10.0  # after the kernel has refused something that it is to do all the time
_WORDS = {RemoveFlow: "cannot release", Guard: "cannot guard", Unguard: "cannot release the guard of"}


class Service:
    """Runs until SIGTERM or SIGINT, then tells the peers and ends. An error in one datagram or alarm ends nothing.

    With `inside`, its command runs too, from when all that is to be up is up, and it ends when that does.
    """

    def __init__(
        self,
        engine: Engine,
        gate: Gate,
        keystore: KeyStore,
        kernel: Kernel,
        sockets: Sockets,
        journal: Journal,
        load: Callable[[], Assembly] | None = None,
        *,
        inside: "Inside | None" = None,
        control: ControlSocket | None = None,
        decisions: DecisionLog | None = None,
    ) -> None:
        """`load` reads the configuration once more, for SIGHUP, and raises Unusable."""
        self._engine = engine
        self._gate = gate
        self._keystore = keystore
        self._kernel = kernel
        self._sockets = sockets
        self._journal = journal
        self._load = load
        self._control = control
        self._decisions = decisions
        self._manual = ManualKeys(kernel)
        self._beside = None if inside is None else Beside(inside, engine, journal, lambda: counters.carried(kernel))
        self._fetcher = Fetcher(engine.configuration.certificates.crl_urls, keystore.issuers, journal)
        self._watching: asyncio.Task[None] | None = None
        self._watched: set[int] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._kernel_timer: asyncio.TimerHandle | None = None

    def run(self, ready: str = "ready") -> int:
        """Exit status: that of the command inside, or 0. `ready` is logged once nothing can leave in clear.

        Raises KernelError if the kernel cannot be opened.
        """
        return asyncio.run(self._run(ready))

    async def _run(self, ready: str) -> int:
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        beside = self._beside
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stopped.set)
        if self._load is not None:
            loop.add_signal_handler(signal.SIGHUP, self.reload)
        for bound in self._sockets:
            loop.add_reader(bound.socket, self._readable, bound)
        try:
            self._kernel.open(self._happened)
            self._watch_kernel()
            self._feed(lambda: self._engine.start(clock.now()))
            self._wake_kernel()
            if self._control is not None:
                await self._control.serve(self._handlers())
            self._watch_revocations()
            memory.settle()
            self._journal.info(ready)
            if beside is not None:
                beside.begin(stopped)
            await stopped.wait()
            for bound in self._sockets:
                loop.remove_reader(bound.socket)
            for descriptor in self._watched:
                loop.remove_reader(descriptor)
            if self._control is not None:
                await self._control.close()
            for pending in (self._timer, self._kernel_timer, self._watching):
                if pending is not None:
                    pending.cancel()
            self._kernel_does(self._manual.close)
            self._guarded(lambda: self._engine.stop(clock.now()))
        finally:
            self._close_kernel()
            status = 0 if beside is None else beside.end()
        return status

    def reload(self) -> list[str]:
        """Go on with what the files say now. What is wrong with them is logged and returned, and then all stays as it
        is."""
        assert self._load is not None
        try:
            loaded = self._load()
        except Unusable as unusable:
            for line in map(str, (*unusable.warnings, *unusable.errors)):
                self._journal.warning(line)
            self._journal.warning("the configuration cannot be used, so the one from before stays")
            return [str(error) for error in unusable.errors]
        except Exception as error:
            self._journal.fault(error)
            return ["internal error, please report it"]
        for warning in loaded.warnings:
            self._journal.warning(str(warning))
        if loaded.configuration.general.listen_on != self._engine.configuration.general.listen_on:
            self._journal.warning("`Listen-on` is another one: addresses and ports change at the next start only")
        if loaded.configuration.general.decision_log != self._engine.configuration.general.decision_log:
            self._journal.warning("`Decision-log` is another one: it changes at the next start only")
        if self._decisions is not None:
            self._decisions.reopen()
        self._gate, self._keystore = loaded.gate, loaded.keystore
        identities = identities_of(loaded.keystore)
        certificates = loaded.configuration.certificates
        self._fetcher = self._fetcher.continued(certificates.crl_urls, loaded.keystore.issuers)
        self._gate.revocations.fetched(self._fetcher.lists)
        self._feed(lambda: self._engine.reload(loaded.configuration, identities, clock.now()))
        self._watch_revocations()
        memory.settle()
        self._journal.info("the configuration was read again")
        return []

    def _watch_revocations(self) -> None:
        """From now on, by the configuration that holds now."""
        if self._watching is not None:
            self._watching.cancel()
        self._gate.revocations.tell = self._journal.warning
        watch = Watch(
            self._engine.configuration.certificates.recheck_interval,
            self._gate.revocations,
            self._fetcher,
            self._gate.changes,
            lambda: self._feed(lambda: self._engine.review(clock.now())),
            self._journal,
        )
        self._watching = asyncio.get_running_loop().create_task(watch.run())

    # --- what comes in

    def _readable(self, bound: Bound) -> None:
        try:
            for datagram in self._sockets.receive(bound):
                self._receive(datagram)
        except OSError as error:
            self._journal.warning(f"cannot receive on {bound}: {error.strerror}")
        except KernelError as error:  # about the ESP among it
            self._kernel_failed(error)

    def _receive(self, datagram: Datagram) -> None:
        self._feed(lambda: self._engine.receive(datagram, clock.now()))

    def _wake(self) -> None:
        self._timer = None
        self._feed(lambda: self._engine.wake(clock.now()))

    def _watch_kernel(self) -> None:
        """Its descriptors may change, when it loses a device."""
        loop, readers = asyncio.get_running_loop(), dict(self._kernel.readers())
        for descriptor in self._watched - readers.keys():
            loop.remove_reader(descriptor)
        for descriptor in readers.keys() - self._watched:
            loop.add_reader(descriptor, self._kernel_readable, readers[descriptor])
        self._watched = set(readers)

    def _kernel_readable(self, read: Callable[[], None]) -> None:
        self._kernel_does(read)

    def _wake_kernel(self) -> None:
        if self._kernel_timer is not None:
            self._kernel_timer.cancel()
        times = [self._tended(lambda: self._kernel.tend(clock.now().monotonic)), self._tended(self._manual.tend)]
        again = min((time for time in times if time is not None), default=None)
        loop = asyncio.get_running_loop()
        self._kernel_timer = None if again is None else loop.call_at(again, self._wake_kernel)

    def _tended(self, tend: Callable[[], float | None]) -> float | None:
        """When it wants to be called again; before long, if it could not do all."""
        again: float | None = clock.now().monotonic + _RETRY_SECONDS

        def step() -> None:
            nonlocal again
            again = tend()

        self._kernel_does(step)
        return again

    def _handlers(self) -> dict[str, Handler]:
        """What the control socket answers."""
        by_hand = {name: self._then_tend(handler) for name, handler in self._manual.handlers.items()}
        reload = None if self._load is None else self.reload
        return {
            **by_hand,
            **operating.handlers(self._engine, self._kernel, self._feed, reload),
        }

    def _then_tend(self, handler: Handler) -> Handler:
        """What was set by hand may have its time over before anything else is due."""

        def handled(arguments: Json) -> object:
            answer = handler(arguments)
            self._wake_kernel()
            return answer

        return handled

    def _kernel_does(self, step: Callable[[], None]) -> None:
        try:
            step()
        except (KernelError, OSError) as error:
            self._kernel_failed(error)
        except Exception as error:
            self._journal.fault(error)

    def _close_kernel(self) -> None:
        try:
            self._kernel.close()
        except KernelError as error:
            self._journal.warning(f"kernel: {error}")
        except Exception as error:
            self._journal.fault(error)

    def _kernel_failed(self, error: Exception) -> None:
        self._journal.warning(f"kernel: {error}")
        self._watch_kernel()

    def _happened(self, event: KernelEvent) -> None:
        """The kernel has something to say."""
        self._feed(lambda: self._engine_hears(event))

    def _engine_hears(self, event: KernelEvent) -> list[Effect]:
        engine, now = self._engine, clock.now()
        match event:
            case Acquire(local, remote):
                return engine.acquire(local, remote, now)
            case SaUsed(spi):
                return engine.sa_used(spi, now)
            case SaHeard(spi):
                return engine.sa_heard(spi, now)
            case SoftLimit(spi, inbound):
                return engine.sa_soft_limit(spi, now, inbound=inbound)
            case HardLimit(spi, inbound):
                return engine.sa_gone(spi, "it has carried all that it may", now, inbound=inbound)
            case UnknownSpi(local, remote, spi):
                return engine.unknown_spi(local, remote, spi, now)
            case PeerMoved(spi, _, remote):
                return engine.peer_moved(spi, remote)

    # --- what is to be done

    def _feed(self, step: Callable[[], list[Effect]]) -> None:
        self._guarded(step)
        if self._timer is not None:
            self._timer.cancel()
        wake = self._engine.next_wake()  # may be over: then at once, but datagrams get their turn between two alarms
        # The event loop's clock is the monotonic one, like the engine's.
        self._timer = None if wake is None else asyncio.get_running_loop().call_at(wake, self._wake)
        if self._beside is not None:
            self._beside.look()

    def _guarded(self, step: Callable[[], list[Effect]]) -> None:
        """A fault of ours must not end the daemon, nor other people's SAs."""
        try:
            self._perform(step())
        except Exception as error:
            self._journal.fault(error)

    def _perform(self, effects: Iterable[Effect]) -> None:
        """In order; an SA that cannot be installed cancels what comes after it."""
        for effect in effects:
            match effect:
                case SendDatagram() | SendKeepalive():
                    self._send(effect)
                case InstallSa(sa):
                    try:
                        self._kernel.install(sa)
                    except KernelError as error:
                        gone = self._engine.sa_gone(sa.spi, str(error), clock.now(), inbound=sa.inbound)
                        self._perform(gone)
                        return
                case RemoveSa(sa):
                    self._remove(sa)
                case MoveSa(sa):
                    self._kernel_does(partial(self._kernel.move, sa))
                case AddFlow(flow):
                    try:
                        self._kernel.add_flow(flow)
                    except KernelError as error:
                        self._perform(self._engine.flow_gone(flow, str(error), clock.now()))
                case RemoveFlow() | Guard() | Unguard():
                    self._with_flow(effect)
                case Ask(id, question):
                    self._perform(self._engine.answer(id, self._answer(question), clock.now()))
                case Report(event):
                    self._journal.event(event)

    def _send(self, effect: SendDatagram | SendKeepalive) -> None:
        """What cannot be sent is lost, as a datagram may be; the others go out nevertheless."""
        try:
            if isinstance(effect, SendKeepalive):
                self._sockets.send_keepalive(effect.local, effect.remote)
            else:
                self._sockets.send(effect.data, effect.local, effect.remote)
        except OSError as error:
            self._journal.warning(f"cannot send from {effect.local} to {effect.remote}: {error.strerror}")

    def _remove(self, sa: IpsecSa) -> None:
        try:
            self._kernel.remove(sa)
        except KernelError as error:
            self._journal.warning(f"cannot remove the SA with SPI {sa.spi.hex()}: {error}")

    def _with_flow(self, effect: RemoveFlow | Guard | Unguard) -> None:
        kernel = self._kernel
        try:
            match effect:
                case RemoveFlow(flow):
                    kernel.remove_flow(flow)
                case Guard(flow):
                    kernel.guard(flow)
                case Unguard(flow):
                    kernel.unguard(flow)
        except KernelError as error:
            self._journal.warning(f"{_WORDS[type(effect)]} {effect.flow}: {error}")

    def _answer(self, question: Question) -> Answer:
        """At once, in this process. Whatever fails is a denial."""
        now, decisions = clock.now(), self._decisions
        match question:
            case IdentifyPeer():
                identified = self._gate.identify(question, now.utc)
                if decisions is not None:
                    decisions.peer(question, identified, now)
                return identified
            case AuthorizeTunnel():
                authorized = self._gate.authorize(question, now.utc)
                if decisions is not None:
                    decisions.tunnels(question, authorized, now)
                return authorized
            case Sign():
                return self._sign(question)

    def _sign(self, question: Sign) -> Signed:
        own = self._keystore.for_identity(question.identity)
        if own is None:
            return Signed(None)
        try:
            return Signed(authenticators.sign(own.private_key, question.digest))
        except Exception as error:
            self._journal.fault(error)
            return Signed(None)


def identities_of(keystore: KeyStore) -> Identities:
    """What the engine may know of it: no private keys."""

    def certificate(identity: Identity) -> OwnCertificate | None:
        own = keystore.for_identity(identity)
        return None if own is None else OwnCertificate(own.certificates)

    return Identities(certificate, tuple(anchor.subject_der for anchor in keystore.authorities.certificates))
