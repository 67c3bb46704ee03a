# SPDX-License-Identifier: ISC
"""The event loop with a scripted engine: what it performs, in which order, and what it survives."""

import os
import signal
import socket
import threading
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any, cast

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from ike_auth.assembly import Assembly
from ike_auth.authorization.requests import (
    AuthorizeTunnel,
    IdentifyPeer,
    Sign,
    Signed,
    TunnelAuthorized,
)
from ike_auth.config import isakmpd
from ike_auth.crypto import authenticators
from ike_auth.daemon import service
from ike_auth.daemon.control import ControlClient, ControlSocket
from ike_auth.daemon.kernel import (
    Acquire,
    HardLimit,
    KernelError,
    KernelEvent,
    SaHeard,
    SaUsed,
    SoftLimit,
    UnknownSpi,
)
from ike_auth.daemon.udp import Sockets
from ike_auth.effects import (
    AddFlow,
    Ask,
    Effect,
    Guard,
    InstallSa,
    QuestionId,
    RemoveFlow,
    RemoveSa,
    Report,
    SendDatagram,
    SendKeepalive,
    Unguard,
)
from ike_auth.engine import Engine, Identities, fragments
from ike_auth.engine.core import Doubt, FragmentsStale
from ike_auth.events import MessageDropped
from ike_auth.exchange_table import Exchange
from ike_auth.exchanges.steps import Closed
from ike_auth.network import Datagram
from ike_auth.sa import Cookies, Flow
from ike_auth.wire.identities import Identity, Selector
from tests.ike_auth.configurations import A, gateway
from tests.ike_auth.daemon.scripted import (
    LOOPBACK,
    SECRET,
    SOMEWHERE,
    Credential,
    Keys,
    Script,
    end,
    ike,
    nat,
    peer,
    perform,
    run,
    sa,
    sockets,
    terminate,
)

__all__ = ["peer", "sockets"]  # fixtures


# --- life and death


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_after_the_peers_are_told(sockets: Sockets, peer: socket.socket, number: int) -> None:
    script = Script(
        at_start=lambda: terminate(number),
        at_stop=[SendDatagram(b"delete", ike(sockets), end(peer)), RemoveSa(sa("in"))],
    )
    run(script, sockets)
    assert script.happened == ["stop", ("remove", b"in")]
    assert peer.recv(100) == b"delete"


def test_a_fault_in_one_datagram_does_not_end_it(
    sockets: Sockets, peer: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[bytes] = []

    def take(datagram: Datagram) -> list[Effect]:
        seen.append(datagram.data)
        if datagram.data == b"poison":
            raise RuntimeError(SECRET)
        return terminate()

    for data in (b"poison", b"good"):
        peer.sendto(data, ("127.0.0.1", ike(sockets).port))
    run(Script(at_datagram=take), sockets)
    assert seen == [b"poison", b"good"]
    log = capsys.readouterr().err
    assert "internal error, please report it: RuntimeError at test_service.py:" in log
    assert SECRET not in log


def test_a_fault_while_the_files_are_read_does_not_end_it(
    sockets: Sockets, capsys: pytest.CaptureFixture[str]
) -> None:
    """What it raises may hold a secret. (What else SIGHUP does: test_reload.)"""

    def load() -> Assembly:
        terminate()
        raise RuntimeError(SECRET)

    script = Script(at_start=lambda: terminate(signal.SIGHUP))
    run(script, sockets, load=load)
    assert script.happened == ["stop"]
    said = capsys.readouterr().err
    assert "RuntimeError" in said
    assert SECRET not in said


def test_a_fault_at_the_start_does_not_end_it(sockets: Sockets, peer: socket.socket) -> None:
    def fail() -> list[Effect]:
        raise RuntimeError

    peer.sendto(b"good", ("127.0.0.1", ike(sockets).port))
    script = Script(at_start=fail, at_datagram=lambda _: terminate())
    run(script, sockets)
    assert script.happened == ["stop"]


def test_datagrams_come_with_their_ends(sockets: Sockets, peer: socket.socket) -> None:
    seen: list[Datagram] = []

    def take(datagram: Datagram) -> list[Effect]:
        seen.append(datagram)
        return terminate() if len(seen) == 2 else []

    peer.sendto(b"plain", ("127.0.0.1", ike(sockets).port))
    peer.sendto(bytes(4) + b"marked", ("127.0.0.1", nat(sockets).port))
    run(Script(at_datagram=take), sockets)
    assert sorted(seen, key=lambda datagram: datagram.data) == [
        Datagram(b"marked", nat(sockets), end(peer)),
        Datagram(b"plain", ike(sockets), end(peer)),
    ]


def test_it_wakes_when_the_engine_wants_to(sockets: Sockets) -> None:
    woken: list[float] = []

    def wake() -> list[Effect]:
        woken.append(time.monotonic())
        return terminate() if len(woken) == 2 else []

    first = time.monotonic() + 0.05
    run(Script(at_wake=wake, wakes=[first, first + 0.05]), sockets)
    assert first <= woken[0] + 0.002  # the loop's clock is that coarse
    assert first + 0.05 <= woken[1] + 0.002


def reminder(engine: Engine, data: bytes, sockets: Sockets, peer: socket.socket) -> Doubt:
    """An alarm that sends this."""
    core = engine._core
    id = core.exchanges.new_id()
    cookies = Cookies(id.to_bytes(8, "big"), bytes(8))
    nobody = cast(Any, None)
    exchange = Exchange(
        id, core.version, Closed(), nobody, ike(sockets), end(peer), False, 0.0, cookies, doubts=(data,)
    )
    core.exchanges.add(exchange)
    return Doubt(id)


def test_a_fault_in_one_alarm_costs_no_other_and_is_not_repeated_at_once(
    sockets: Sockets, peer: socket.socket, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise RuntimeError(SECRET)

    received: list[bytes] = []

    def receive() -> None:
        try:
            received.extend(peer.recv(100) for _ in range(3))
        finally:
            terminate()

    monkeypatch.setattr(fragments, "forget", fail)
    engine = Engine(
        isakmpd.parse(gateway(A, active=False), "test.conf"), Identities(), os.urandom, lambda _: LOOPBACK
    )
    now, timers = time.monotonic(), engine._core.timers
    timers.set(reminder(engine, b"before", sockets, peer), now)
    timers.set(FragmentsStale(Cookies(bytes(8), bytes(8))), now)
    timers.set(reminder(engine, b"after", sockets, peer), now)
    timers.set(reminder(engine, b"later", sockets, peer), now + 0.2)
    receiver = threading.Thread(target=receive)
    receiver.start()
    run(Script(), sockets, engine=engine)
    receiver.join()
    assert received == [b"before", b"after", b"later"]
    log = capsys.readouterr().err
    assert log.count("internal error, please report it: RuntimeError at test_service.py:") == 1
    assert SECRET not in log


# --- effects


def test_effects_are_performed_in_order(sockets: Sockets, peer: socket.socket) -> None:
    effects: list[Effect] = [
        InstallSa(sa("in")),
        SendDatagram(b"one", ike(sockets), end(peer)),
        SendKeepalive(nat(sockets), end(peer)),
        SendDatagram(b"two", nat(sockets), end(peer)),
        RemoveSa(sa("old")),
    ]
    assert perform(effects, sockets) == [("install", b"in"), ("remove", b"old"), "stop"]
    assert [peer.recv(100) for _ in range(3)] == [b"one", b"\xff", bytes(4) + b"two"]


@pytest.mark.parametrize("inbound", [True, False])
def test_a_failed_install_cancels_what_comes_after_it(
    sockets: Sockets, peer: socket.socket, capsys: pytest.CaptureFixture[str], inbound: bool
) -> None:
    effects: list[Effect] = [
        InstallSa(sa("good")),
        InstallSa(sa("bad", inbound)),
        InstallSa(sa("later")),
        SendDatagram(b"reply", ike(sockets), end(peer)),
        Report(MessageDropped(SOMEWHERE, "Test", "not to be seen", "main mode")),
    ]
    instead: list[Effect] = [RemoveSa(sa("good")), SendDatagram(b"refusal", ike(sockets), end(peer))]
    happened = perform(effects, sockets, broken=frozenset({b"bad"}), at_gone=instead)
    assert happened == [
        ("install", b"good"),
        ("gone", b"bad", "the kernel says no", inbound),
        ("remove", b"good"),
        "stop",
    ]
    assert peer.recv(100) == b"refusal"
    peer.setblocking(False)
    with pytest.raises(BlockingIOError):
        peer.recv(100)
    assert "not to be seen" not in capsys.readouterr().err


def test_what_cannot_be_sent_or_removed_stops_nothing(
    sockets: Sockets, peer: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    effects: list[Effect] = [
        SendDatagram(bytes(70_000), ike(sockets), end(peer)),
        SendKeepalive(SOMEWHERE, end(peer)),
        RemoveSa(sa("bad")),
        RemoveSa(sa("good")),
    ]
    assert perform(effects, sockets, broken=frozenset({b"bad"})) == [("remove", b"good"), "stop"]
    log = capsys.readouterr().err
    assert f"cannot send from {ike(sockets)} to {end(peer)}: Message too long" in log
    assert f"cannot send from {SOMEWHERE} to {end(peer)}: no socket for {SOMEWHERE}" in log
    assert "cannot remove the SA with SPI 626164: the kernel says no" in log


# --- traffic

SIDE, OTHER_SIDE = (Selector.of(ip_address(address)) for address in ("10.1.0.1", "10.2.0.1"))
FLOW = Flow(SIDE, OTHER_SIDE, LOOPBACK, LOOPBACK)


def test_flows_and_guards_go_to_the_kernel(sockets: Sockets) -> None:
    effects: list[Effect] = [Guard(FLOW), AddFlow(FLOW), RemoveFlow(FLOW), Unguard(FLOW)]
    assert perform(effects, sockets) == [
        ("guard", FLOW),
        ("flow", FLOW),
        ("no flow", FLOW),
        ("unguard", FLOW),
        "stop",
    ]


def test_a_flow_that_cannot_be_is_the_engines_business_and_a_guard_the_operators(
    sockets: Sockets, capsys: pytest.CaptureFixture[str]
) -> None:
    script = Script(at_start=lambda: [AddFlow(FLOW), Guard(FLOW), *terminate()], flows_broken=True)
    run(script, sockets)
    assert script.happened == [("flow gone", FLOW, "the kernel takes no flow"), "stop"]
    assert "cannot guard 10.1.0.1 ↔ 10.2.0.1: the kernel takes no guard" in capsys.readouterr().err


def test_what_the_kernel_reports_goes_to_the_engine(sockets: Sockets) -> None:
    reading, writing = os.pipe()
    reported: list[KernelEvent] = [
        Acquire(SIDE, OTHER_SIDE),
        SaUsed(b"used"),
        SaHeard(b"heard"),
        SoftLimit(b"soft", inbound=False),
        HardLimit(b"hard", inbound=True),
        UnknownSpi(SOMEWHERE, SOMEWHERE, b"none"),
    ]

    def read() -> None:
        os.read(reading, 1)
        for event in reported:
            script.report(event)
        terminate()

    def begin() -> list[Effect]:
        os.write(writing, b"!")
        return []

    script = Script(at_start=begin, kernel_readers=[(reading, read)])
    run(script, sockets)
    os.close(reading)
    os.close(writing)
    assert script.happened == [
        ("acquire", SIDE, OTHER_SIDE),
        ("used", b"used"),
        ("heard", b"heard"),
        ("soft", b"soft", False),
        ("gone", b"hard", "it has carried all that it may", True),
        ("unknown", SOMEWHERE, SOMEWHERE, b"none"),
        "stop",
    ]
    assert script.closed


def test_a_kernel_that_fails_ends_nothing(sockets: Sockets, capsys: pytest.CaptureFixture[str]) -> None:
    reading, writing = os.pipe()
    failures = [KernelError("no buffer space"), OSError(5, "Input/output error"), ValueError(SECRET)]

    def read() -> None:
        os.read(reading, 1)
        if not failures:
            terminate()
            return
        raise failures.pop(0)

    def begin() -> list[Effect]:
        os.write(writing, b"....")
        return []

    script = Script(at_start=begin, kernel_readers=[(reading, read)])
    run(script, sockets)
    os.close(reading)
    os.close(writing)
    log = capsys.readouterr().err
    assert "kernel: no buffer space" in log
    assert "Input/output error" in log
    assert "internal error, please report it: ValueError" in log
    assert SECRET not in log


def refuse() -> None:
    raise KernelError("the kernel refuses")


def test_a_kernel_that_fails_when_it_is_tended_is_tended_again(
    sockets: Sockets, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "_RETRY_SECONDS", 0.01)
    tended: list[float] = []

    def tend(now: float) -> float | None:
        tended.append(now)
        if len(tended) == 3:
            terminate()
        raise KernelError("the kernel refuses")

    run(Script(at_tend=tend), sockets)
    assert len(tended) == 3
    assert capsys.readouterr().err.count("kernel: the kernel refuses") == 3


def test_requests_bring_no_more_timers(sockets: Sockets, tmp_path: Path) -> None:
    """Each may have brought something that ends soon, so the kernel is tended after it."""
    tended: list[float] = []

    def tend(now: float) -> float | None:
        tended.append(now)
        return now + 0.2

    def ask() -> None:
        with ControlClient(path) as client:
            for _ in range(50):
                client.request("sadb-dump")
            asked.append(len(tended))
            while len(tended) < asked[0] + 2:
                time.sleep(0.01)
            asked.append(len(tended))
        terminate()

    asked: list[int] = []
    path = tmp_path / "control"
    asking = threading.Thread(target=ask)
    script = Script(at_tend=tend)
    listening = ControlSocket(path)
    asking.start()
    run(script, sockets, control=listening)
    asking.join()
    assert asked[0] >= 50
    assert asked[1] - asked[0] <= 3
    assert tended[-1] - tended[asked[0]] >= 0.19  # the two after the last request


def test_a_kernel_that_cannot_be_closed(sockets: Sockets, capsys: pytest.CaptureFixture[str]) -> None:
    """Its descriptors are no longer what they were."""
    script = Script(at_start=terminate)

    def close() -> None:
        script.kernel_readers = [(-1, refuse)]
        refuse()

    script.at_close = close
    run(script, sockets)
    assert "kernel: the kernel refuses" in capsys.readouterr().err


def test_a_kernel_that_cannot_be_opened(sockets: Sockets) -> None:
    script = Script(at_open=refuse)
    with pytest.raises(KernelError, match="the kernel refuses"):
        run(script, sockets)
    assert script.closed


def test_a_kernel_that_fails_when_esp_comes(
    sockets: Sockets, peer: socket.socket, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: object) -> None:
        script.kernel_readers = [(reading, read)]  # it has another device by now
        refuse()

    def read() -> None:
        os.read(reading, 1)
        terminate()

    reading, writing = os.pipe()
    script = Script()
    sockets.esp = fail
    peer.sendto(b"some ESP", ("127.0.0.1", nat(sockets).port))
    os.write(writing, b"!")
    run(script, sockets)
    os.close(reading)
    os.close(writing)
    assert "kernel: the kernel refuses" in capsys.readouterr().err


# --- questions


def ask(question: Any) -> list[Effect]:
    return [Ask(QuestionId(7), question)]


def test_questions_about_peers_go_to_the_gate(sockets: Sockets) -> None:
    nobody = IdentifyPeer(cast(Any, None), Identity.fqdn("a.example.org"), (), cast(Any, None))
    (id, answer), _ = perform(ask(nobody), sockets)
    assert (id, answer.decision.because) == (7, "the gate was asked")
    (id, answer), _ = perform(ask(AuthorizeTunnel(())), sockets)
    assert (id, answer) == (7, TunnelAuthorized(None, ()))


def test_signatures_are_made_at_once(sockets: Sockets) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    us = Identity.fqdn("a.example.org")
    digest = bytes(range(32))
    (_, answer), _ = perform(ask(Sign(us, digest)), sockets, Keys({us: Credential(key)}))
    assert answer.signature is not None
    authenticators.verify(key.public_key(), digest, answer.signature)


def test_no_key_no_signature(sockets: Sockets) -> None:
    (_, answer), _ = perform(ask(Sign(Identity.fqdn("b.example.org"), b"digest")), sockets)
    assert answer == Signed(None)


def test_a_key_that_fails_is_no_signature(sockets: Sockets, capsys: pytest.CaptureFixture[str]) -> None:
    us = Identity.fqdn("a.example.org")
    (_, answer), _ = perform(ask(Sign(us, b"digest")), sockets, Keys({us: object()}))
    assert answer == Signed(None)
    assert "internal error, please report it: AttributeError at service.py:" in capsys.readouterr().err
