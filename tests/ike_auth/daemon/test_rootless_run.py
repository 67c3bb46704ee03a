# SPDX-License-Identifier: ISC
"""`ike-auth run --rootless -- COMMAND` by somebody who is not root: two daemons on the loopback interface."""

import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, Host
from ike_auth.demo.stage import free_ports
from ike_auth.engine import Ports
from tests.ike_auth import configurations
from tests.ike_auth.daemon.network.isolated import unprivileged
from tests.ike_auth.daemon.network.test_rootless import appears
from tests.interop.endpoints import __file__ as endpoints
from tests.interop.waiting import until

IKE_AUTH = Path(sys.executable).with_name("ike-auth")
SECONDS = 30.0
MEGABYTE = 1 << 20
ADDRESSES = {GATEWAY_A.address: configurations.A, GATEWAY_B.address: configurations.B}


@dataclass
class Place:
    """Where the files of daemons are, and the ports that they use."""

    folder: Path
    ports: Ports
    running: ExitStack
    started: list["subprocess.Popen[str]"] = field(default_factory=list)

    def command(self, gateway: Host, *inside: str) -> list[str]:
        path = self.folder / f"{gateway.name}.conf"
        path.touch(mode=0o600)
        path.write_text(configuration(gateway))
        ports = ["--port", str(self.ports.ike), "--nat-port", str(self.ports.nat)]
        control = ["--control", str(self.folder / gateway.name)]
        return [str(IKE_AUTH), "run", "-c", str(path), *ports, *control, "--rootless", "--", *inside]

    def start(self, gateway: Host, *inside: str) -> "subprocess.Popen[str]":
        """Its log goes to a file of its name."""
        with self.log(gateway).open("w") as log:
            process = subprocess.Popen(
                self.command(gateway, *inside),
                stdout=subprocess.PIPE,
                stderr=log,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,  # no terminal
            )
        self.running.enter_context(process)
        self.running.callback(process.kill)
        until(lambda: "ready: " in self.said(gateway), SECONDS, lambda: self.said(gateway))
        return process

    def log(self, gateway: Host) -> Path:
        return self.folder / f"{gateway.name}.log"

    def said(self, gateway: Host) -> str:
        return self.log(gateway).read_text()


def configuration(gateway: Host) -> str:
    text = configurations.gateway(
        ADDRESSES[gateway.address], active=gateway == GATEWAY_A, general="Use-Keynote= no", peer="Remote-ID= peer-id"
    )
    text = text.replace("ID-type= FQDN\nName= a.example.org", f"ID-type= IPV4_ADDR\nAddress= {GATEWAY_A.address}")
    text = text.replace("ID-type= FQDN\nName= b.example.org", f"ID-type= IPV4_ADDR\nAddress= {GATEWAY_B.address}")
    for address, simulated in ADDRESSES.items():
        text = text.replace(simulated, address)
    return text


@contextmanager
def place() -> Iterator[Place]:
    with tempfile.TemporaryDirectory() as folder, free_ports() as ports, ExitStack() as running:
        yield Place(Path(folder), ports, running)


def python(file: str, *words: str) -> tuple[str, ...]:
    return sys.executable, file, *words


@unprivileged
def test_bulk_between_two_commands() -> None:
    with place() as here:
        b = here.start(GATEWAY_B, *python(endpoints, "receive", "10.2.0.1", "7777"))
        assert b.stdout
        assert b.stdout.readline() == "ready\n"
        send = python(endpoints, "send", "10.2.0.1", "7777", "10.1.0.1", str(4 * MEGABYTE), "1", "random")
        a = here.start(GATEWAY_A, *send)
        went, _ = a.communicate(timeout=SECONDS)
        came, _ = b.communicate(timeout=SECONDS)
        assert went == came
        assert went.startswith(f"{4 * MEGABYTE} ")
        assert (a.returncode, b.returncode) == (0, 0)
        for gateway in (GATEWAY_A, GATEWAY_B):
            assert "tunnel up" in here.said(gateway)
            assert "error" not in here.said(gateway)
            assert not (here.folder / gateway.name).exists()  # the control socket


@unprivileged
def test_exit_status() -> None:
    with place() as here:
        b = here.start(GATEWAY_B, "sh", "-c", "exit 7")
        assert b.wait(SECONDS) == 7
        assert "stopped" in here.said(GATEWAY_B)


@pytest.mark.parametrize(
    ("command", "status", "why"),
    [
        ("/no/such/command", 127, "no such file or directory"),
        ("no-such-command", 127, "no such file or directory"),
        ("/dev/null", 126, "permission denied"),
        ("/", 126, "permission denied"),
    ],
)
def test_nothing_is_brought_up_for_a_command_that_cannot_run(command: str, status: int, why: str) -> None:
    with place() as here:
        done = subprocess.run(
            here.command(GATEWAY_A, command), capture_output=True, text=True, timeout=SECONDS, check=False
        )
    assert done.returncode == status
    assert done.stderr.endswith(f"ike-auth: error: cannot run `{command}`: {why}\n")
    assert "ready: " not in done.stderr


@unprivileged
def test_the_log_names_the_command_without_its_arguments() -> None:
    with place() as here:
        b = here.start(GATEWAY_B, "true", "a secret")
        assert b.wait(SECONDS) == 0
        assert "ESP in userspace, for `true` alone" in here.said(GATEWAY_B)
        assert "a secret" not in here.said(GATEWAY_B)


@unprivileged
def test_sigterm_ends_command_and_daemon_in_good_order() -> None:
    with place() as here:
        b = here.start(GATEWAY_B, "sleep", "60")
        a = here.start(GATEWAY_A, "sh", "-c", "trap 'exit 5' TERM; echo running; while :; do sleep 0.01; done")
        assert a.stdout
        assert a.stdout.readline() == "running\n"
        a.terminate()
        assert a.wait(SECONDS) == 5
        until(lambda: "tunnel down" in here.said(GATEWAY_B), SECONDS, lambda: here.said(GATEWAY_B))  # it was told
        b.terminate()
        assert b.wait(SECONDS) == 128 + signal.SIGTERM


@unprivileged
def test_ctrl_c_is_the_commands() -> None:
    """Once, by the terminal; the daemon ends when the command does, with its status."""
    script = "trap 'echo heard; exit 3' INT; echo running; while :; do sleep 0.01; done"
    with place() as here:
        command = here.command(GATEWAY_B, "sh", "-c", script)
        daemon, terminal = pty.fork()
        if daemon == 0:
            os.execv(command[0], command)
        with os.fdopen(terminal, "r+b", buffering=0) as keyboard:
            appears(terminal, b"running\r\n")
            keyboard.write(b"\3")
            assert appears(terminal, b"heard\r\n", b"stopped").count(b"heard") == 1
            assert os.waitstatus_to_exitcode(os.waitpid(daemon, 0)[1]) == 3


@unprivileged
def test_the_command_ends_with_a_killed_daemon() -> None:
    with place() as here:
        b = here.start(GATEWAY_B, "sh", "-c", "echo $$; exec sleep 60")
        assert b.stdout
        # What it calls itself is its number outside, too: there is no namespace of processes.
        command = os.pidfd_open(int(b.stdout.readline()))
        b.kill()
        assert select.select([command], [], [], SECONDS)[0]
        os.close(command)
        assert (here.folder / GATEWAY_B.name).exists()
        again = here.start(GATEWAY_B, "true")  # what the dead one has left is in nobody's way
        assert again.wait(SECONDS) == 0
        assert "no control socket" not in here.said(GATEWAY_B)
