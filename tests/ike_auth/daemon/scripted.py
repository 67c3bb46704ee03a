# SPDX-License-Identifier: ISC
"""A service whose engine, kernel, gate and keys do as a test says, on real sockets."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ike_auth.assembly import Assembly
from ike_auth.authorization.gate import Gate
from ike_auth.authorization.requests import (
    Answer,
    AuthorizeTunnel,
    Decision,
    IdentifyPeer,
    PeerIdentified,
    TunnelAuthorized,
)
from ike_auth.authorization.revocations import Revocations
from ike_auth.config import isakmpd
from ike_auth.config.certificates import KeyStore
from ike_auth.config.model import Configuration
from ike_auth.daemon.control import ControlSocket
from ike_auth.daemon.kernel import (
    KernelError,
    KernelEvent,
    Reader,
)
from ike_auth.daemon.logs import Journal
from ike_auth.daemon.service import Service
from ike_auth.daemon.udp import Sockets
from ike_auth.effects import (
    Effect,
    QuestionId,
)
from ike_auth.engine import Engine, Ports
from ike_auth.network import Datagram, Endpoint, Now
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Identity, Selector

LOOPBACK = ip_address("127.0.0.1")
SOMEWHERE = Endpoint(LOOPBACK, 9)
SECRET = "a secret in an exception's text"


@dataclass(frozen=True, slots=True)
class FalseSa:
    """As much of an SA as the service looks at."""

    spi: bytes
    inbound: bool = True


def sa(name: str, inbound: bool = True) -> IpsecSa:
    return cast(IpsecSa, FalseSa(name.encode(), inbound))


@dataclass
class Script:
    """An engine that says what the test wants, and remembers what it was told; a kernel and a gate of the same
    kind. Everything that happens goes into `happened`, in order."""

    at_start: Callable[[], list[Effect]] = list
    at_datagram: Callable[[Datagram], list[Effect]] = lambda _: []
    at_stop: list[Effect] = field(default_factory=list)
    at_gone: list[Effect] = field(default_factory=list)
    at_wake: Callable[[], list[Effect]] = list
    wakes: list[float] = field(default_factory=list)
    broken: frozenset[bytes] = frozenset()  # SPIs that the kernel neither installs nor removes
    kernel_readers: list[Reader] = field(default_factory=list)
    at_tend: Callable[[float], float | None] = lambda _: None
    at_open: Callable[[], None] = lambda: None
    at_close: Callable[[], None] = lambda: None
    flows_broken: bool = False
    closed: bool = False
    configuration: Configuration = field(default_factory=lambda: isakmpd.parse(""))
    changes: None = None
    revocations: Revocations = field(default_factory=Revocations)
    happened: list[Any] = field(default_factory=list)

    def start(self, now: Now) -> list[Effect]:
        return self.at_start()

    def receive(self, datagram: Datagram, now: Now) -> list[Effect]:
        return self.at_datagram(datagram)

    def answer(self, question: QuestionId, answer: Answer, now: Now) -> list[Effect]:
        self.happened.append((question, answer))
        return []

    def wake(self, now: Now) -> list[Effect]:
        return self.at_wake()

    def next_wake(self) -> float | None:
        return self.wakes.pop(0) if self.wakes else None

    def sa_gone(self, spi: bytes, why: str, now: Now, *, inbound: bool = True) -> list[Effect]:
        self.happened.append(("gone", spi, why, inbound))
        return self.at_gone

    def stop(self, now: Now) -> list[Effect]:
        self.happened.append("stop")
        return self.at_stop

    def install(self, sa: IpsecSa) -> None:
        if sa.spi in self.broken:
            raise KernelError("the kernel says no")
        self.happened.append(("install", sa.spi))

    def move(self, sa: IpsecSa) -> None:
        self.happened.append(("move", sa.spi))

    def remove(self, sa: IpsecSa) -> None:
        if sa.spi in self.broken:
            raise KernelError("the kernel says no")
        self.happened.append(("remove", sa.spi))

    def open(self, report: Callable[[KernelEvent], None]) -> None:
        self.report = report
        self.at_open()

    def close(self) -> None:
        self.closed = True
        self.at_close()

    def readers(self) -> list[Reader]:
        return self.kernel_readers

    def tend(self, now: float) -> float | None:
        return self.at_tend(now)

    def add_flow(self, flow: Flow) -> None:
        if self.flows_broken:
            raise KernelError("the kernel takes no flow")
        self.happened.append(("flow", flow))

    def remove_flow(self, flow: Flow) -> None:
        self.happened.append(("no flow", flow))

    def guard(self, flow: Flow) -> None:
        if self.flows_broken:
            raise KernelError("the kernel takes no guard")
        self.happened.append(("guard", flow))

    def unguard(self, flow: Flow) -> None:
        self.happened.append(("unguard", flow))

    def flow_gone(self, flow: Flow, why: str, now: Now) -> list[Effect]:
        self.happened.append(("flow gone", flow, why))
        return []

    def acquire(self, local: Selector, remote: Selector, now: Now) -> list[Effect]:
        self.happened.append(("acquire", local, remote))
        return []

    def sa_used(self, spi: bytes, now: Now) -> list[Effect]:
        self.happened.append(("used", spi))
        return []

    def sa_heard(self, spi: bytes, now: Now) -> list[Effect]:
        self.happened.append(("heard", spi))
        return []

    def sa_soft_limit(self, spi: bytes, now: Now, *, inbound: bool) -> list[Effect]:
        self.happened.append(("soft", spi, inbound))
        return []

    def unknown_spi(self, local: Endpoint, remote: Endpoint, spi: bytes, now: Now) -> list[Effect]:
        self.happened.append(("unknown", local, remote, spi))
        return []

    def identify(self, question: IdentifyPeer, now: Any) -> PeerIdentified:
        return PeerIdentified(Decision(False, "", "the gate was asked"))

    def authorize(self, question: AuthorizeTunnel, now: Any) -> TunnelAuthorized:
        return TunnelAuthorized(None, ())


@dataclass
class Keys:
    """A keystore with the keys of some identities."""

    keys: dict[Identity, Any] = field(default_factory=dict)
    issuers: tuple[()] = ()

    def for_identity(self, identity: Identity) -> Any:
        return self.keys.get(identity)


@dataclass(frozen=True, slots=True)
class Credential:
    private_key: rsa.RSAPrivateKey


@pytest.fixture
def sockets() -> Iterator[Sockets]:
    with closing(Sockets((LOOPBACK,), Ports(0, 0))) as opened:
        yield opened


@pytest.fixture
def peer() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind(("127.0.0.1", 0))
        opened.settimeout(5)
        yield opened


def end(peer: socket.socket) -> Endpoint:
    return Endpoint(LOOPBACK, peer.getsockname()[1])


def ike(sockets: Sockets) -> Endpoint:
    return Endpoint(LOOPBACK, next(bound.port for bound in sockets if not bound.nat))


def nat(sockets: Sockets) -> Endpoint:
    return Endpoint(LOOPBACK, next(bound.port for bound in sockets if bound.nat))


def run(
    script: Script,
    sockets: Sockets,
    keys: Keys | None = None,
    engine: Engine | None = None,
    control: ControlSocket | None = None,
    load: Callable[[], Assembly] | None = None,
) -> None:
    """Until somebody sends SIGTERM; a service that does not end is ended by the alarm clock."""
    signal.setitimer(signal.ITIMER_REAL, 20)
    engine = engine or cast(Engine, script)
    try:
        gate, keystore = cast(Gate, script), cast(KeyStore, keys or Keys())
        Service(engine, gate, keystore, script, sockets, Journal(), load, control=control).run()
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def terminate(number: int = signal.SIGTERM) -> list[Effect]:
    os.kill(os.getpid(), number)
    return []


def perform(effects: list[Effect], sockets: Sockets, keys: Keys | None = None, **script: Any) -> list[Any]:
    """What happens when the engine says this at its start."""
    made = Script(at_start=lambda: [*effects, *terminate()], **script)
    run(made, sockets, keys)
    return made.happened
