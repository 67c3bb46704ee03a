# SPDX-License-Identifier: ISC
"""The control socket, with a daemon's side that runs and clients that behave, or do not."""

import asyncio
import json
import os
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ike_auth.daemon.control import MAX_CLIENTS, MAX_REQUEST, ControlClient, ControlError, ControlSocket, Handler
from tests.ike_auth.daemon.network.isolated import become_nobody, in_namespaces


def refuse(_: Any) -> None:
    raise ControlError("there is no connection `office`", "there are home, away")


def break_down(_: Any) -> None:
    raise RuntimeError("a secret")


HANDLERS: dict[str, Handler] = {"echo": dict, "reload": dict, "up": refuse, "break": break_down}


class Serving:
    """A control socket in a thread with an event loop of its own."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._listening = ControlSocket(path)
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()))
        self._thread.start()
        assert self._ready.wait(10)

    async def _run(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await self._listening.serve(HANDLERS)
        self._ready.set()
        await self._stop.wait()
        await self._listening.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(10)
        assert not self._thread.is_alive()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "control"


@pytest.fixture
def serving(path: Path) -> Iterator[Serving]:
    running = Serving(path)
    yield running
    running.close()


def raw(path: Path, *lines: bytes) -> list[Any]:
    """What comes back for these bytes."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        connected.settimeout(10)
        connected.connect(str(path))
        connected.sendall(b"".join(lines))
        connected.shutdown(socket.SHUT_WR)
        answers = connected.makefile("rb").read()
    return [json.loads(line) for line in answers.splitlines()]


def test_requests_are_answered_in_their_turn(serving: Serving) -> None:
    with ControlClient(serving.path) as client:
        assert client.request("echo", {"name": "büro"}) == {"name": "büro"}
        assert client.request("echo") == {}


def test_several_clients_at_once(serving: Serving) -> None:
    with ControlClient(serving.path) as one, ControlClient(serving.path) as other:
        assert (other.request("echo"), one.request("echo")) == ({}, {})


def test_what_cannot_be_done_is_said_with_what_to_do(serving: Serving) -> None:
    with ControlClient(serving.path) as client:
        with pytest.raises(ControlError, match="there is no connection `office`") as caught:
            client.request("up", {"name": "office"})
        assert caught.value.hint == "there are home, away"
        with pytest.raises(ControlError, match="there is no command `fly`") as caught:
            client.request("fly")
        assert "echo" in caught.value.hint


def test_a_fault_ends_nothing_and_tells_no_secret(serving: Serving) -> None:
    with ControlClient(serving.path) as client:
        with pytest.raises(ControlError, match=r"^internal error, please report it: RuntimeError$"):
            client.request("break")
        assert client.request("echo") == {}


@pytest.mark.parametrize(
    "line",
    [b"{", b"\xff", b"[]", b"7", b'{"version": 1, "command": "echo", "arguments": []}', b"[" * 100_000, b""],
    ids=["cut", "no text", "list", "number", "arguments", "deep", "nothing"],
)
def test_what_is_no_request(serving: Serving, line: bytes) -> None:
    (first, second) = raw(serving.path, line + b"\n", b'{"version": 1, "command": "echo"}\n')
    assert set(first) == {"version", "error"}
    assert second == {"version": 1, "result": {}}


def test_another_version_is_told_ours(serving: Serving) -> None:
    (answer,) = raw(serving.path, b'{"version": 2, "command": "echo"}\n')
    assert answer["error"] == {"message": "version 2 is not spoken here", "hint": "this is version 1"}


@pytest.mark.parametrize("version", [b"true", b"1.0", b'"1"', b"null"])
def test_a_version_is_a_number(serving: Serving, version: bytes) -> None:
    (answer,) = raw(serving.path, b'{"version": %s, "command": "echo"}\n' % version)
    assert answer["error"]["hint"] == "this is version 1"


def test_a_line_without_end_is_cut_off(serving: Serving) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connected:
        connected.settimeout(10)
        connected.connect(str(serving.path))
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            connected.sendall(b"x" * (64 * MAX_REQUEST))
    with ControlClient(serving.path) as client:
        assert client.request("echo") == {}


def test_there_may_be_only_so_many(serving: Serving) -> None:
    clients = [ControlClient(serving.path) for _ in range(MAX_CLIENTS)]
    assert [client.request("echo") for client in clients] == [{}] * MAX_CLIENTS
    with ControlClient(serving.path) as surplus, pytest.raises(ControlError, match=r"closed|does not answer"):
        surplus.request("echo")
    for client in clients:
        client.__exit__()
    # Each place is free again once the daemon has seen that its client is gone.
    for _ in range(1000):
        try:
            with ControlClient(serving.path) as client:
                assert client.request("echo") == {}
            return
        except ControlError:
            continue
    pytest.fail("no place is free again")


def test_only_its_user_can_open_it(serving: Serving) -> None:
    assert stat.S_IMODE(os.stat(serving.path).st_mode) == 0o600


def test_it_goes_with_the_daemon(path: Path) -> None:
    Serving(path).close()
    assert not path.exists()
    with pytest.raises(ControlError, match="no daemon listens on") as caught:
        ControlClient(path)
    assert "--control" in caught.value.hint


def test_what_a_dead_daemon_left_is_replaced(path: Path) -> None:
    left = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    left.bind(str(path))
    left.close()
    running = Serving(path)
    with ControlClient(path) as client:
        assert client.request("echo") == {}
    running.close()


def test_a_daemon_that_lives_is_left_alone(serving: Serving) -> None:
    with pytest.raises(ControlError, match="another daemon listens on"):
        ControlSocket(serving.path)
    with ControlClient(serving.path) as client:
        assert client.request("echo") == {}


def test_a_daemon_that_starts_is_left_alone(path: Path) -> None:
    """It answers later. Clients wait, however many there are."""
    starting = ControlSocket(path)
    clients = []
    for _ in range(2 * MAX_CLIENTS):
        with pytest.raises(ControlError, match="another daemon listens on"):
            ControlSocket(path)
        client = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
        clients.append(client)
        with suppress(BlockingIOError):
            client.connect(str(path))
    for client in clients:
        client.close()
    starting.discard()
    assert not path.exists()


@in_namespaces()
def test_a_socket_of_another_user_learns_nothing() -> None:
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        path = Path(folder, "control")
        reading, writing = os.pipe()
        trap = os.fork()
        if trap == 0:
            os.setresuid(1234, 1234, 1234)
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listening:
                listening.bind(str(path))
                path.chmod(0o666)
                listening.listen()
                os.write(writing, b"!")
                connected, _ = listening.accept()
                os._exit(len(connected.recv(100)))
        os.read(reading, 1)
        os.close(reading)
        os.close(writing)
        asks = os.fork()
        if asks == 0:
            become_nobody()
            try:
                ControlClient(path)
            except ControlError as error:
                os._exit("is of another user" not in str(error))
            os._exit(2)
        assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in (asks, trap)] == [0, 0]


def test_files_are_not_replaced(path: Path) -> None:
    path.write_text("precious")
    with pytest.raises(ControlError, match="is no socket"):
        ControlSocket(path)
    assert path.read_text() == "precious"


def test_a_place_where_nothing_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(ControlError, match=r"cannot make the control socket .*: No such file or directory"):
        ControlSocket(tmp_path / "no such directory" / "control")
