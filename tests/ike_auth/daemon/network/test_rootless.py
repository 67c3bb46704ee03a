# SPDX-License-Identifier: ISC
"""Namespaces without privileges, for real: as `nobody` where the tests run as root."""

import json
import os
import pty
import select
import signal
import socket
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_interface
from pathlib import Path

import pytest

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.rootless import Inside
from ike_auth.daemon.network.steering import Steering
from ike_auth.daemon.network.tun import HEADER_SIZE
from ike_auth.daemon.network.unshare import CLONE_NEWNET, CLONE_NEWUSER, unshare, why_not
from tests.ike_auth.daemon.network.isolated import (
    CLONE_NEWNS,
    become_nobody,
    device_for_everybody,
    homes_for_everybody,
    in_namespaces,
    unprivileged,
)
from tests.ike_auth.daemon.network.packets import udp_packet
from tests.ike_auth.daemon.network.test_selection import selector

SECONDS = 20


@contextmanager
def inside(*command: str) -> Iterator[tuple[Inside, Steering]]:
    """A namespace where 10.1.0.1 is the command's address and 10.2.0.0/16 lies behind the TUN."""
    with closing(Inside.open(command)) as opened:
        netlink = opened.netlink
        number = links.index(netlink, opened.tun.name)
        steered = Steering(netlink, number)
        links.set_up_tun(netlink, number, 1400)
        links.add_address(netlink, number, ip_interface("10.1.0.1/32"))
        links.add_address(netlink, number, ip_interface("fd01::1/128"))
        steered.steer(selector("10.1.0.0/16"), selector("10.2.0.0/16"))
        steered.steer(selector("fd01::/64"), selector("::/0"))
        yield opened, steered


def end_of(opened: Inside) -> int | None:
    assert select.select([opened.ended()], [], [], SECONDS)[0], "the command does not end"
    return opened.status()


def python(text: str) -> tuple[str, ...]:
    return sys.executable, "-c", text


@unprivileged
def test_command_speaks_through_the_device() -> None:
    asks = python(
        "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); s.settimeout(20);"
        "s.sendto(b'ping', ('10.2.0.1', 7)); raise SystemExit(s.recv(9) != b'pong')"
    )
    with inside(*asks) as (opened, _):
        opened.start()
        assert select.select([opened.tun], [], [], SECONDS)[0]
        [packet] = opened.tun.read()
        ip = packet[HEADER_SIZE:]
        assert (socket.inet_ntoa(ip[12:16]), socket.inet_ntoa(ip[16:20]), ip[28:]) == (
            "10.1.0.1",
            "10.2.0.1",
            b"ping",
        )
        port = int.from_bytes(ip[20:22], "big")
        opened.tun.write([bytes(HEADER_SIZE), udp_packet("10.2.0.1", "10.1.0.1", (7, port), b"pong")])
        assert end_of(opened) == 0


LOOKS_AROUND = """
import json, os, subprocess, sys
links = json.loads(subprocess.check_output(["ip", "-j", "link"]))
found = {
    "namespace": os.readlink("/proc/self/ns/net"),
    "user": os.getuid(),
    "users": open("/proc/self/uid_map").read().split(),
    "groups": open("/proc/self/setgroups").read().strip(),
    "links": [(link["ifname"], "UP" in link["flags"]) for link in links],
    "descriptors": sorted(os.listdir("/proc/self/fd")),
}
json.dump(found, open(sys.argv[1], "w"))
"""


@unprivileged
def test_nothing_else_is_there() -> None:
    before = os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/user")
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "found")
        with inside(*python(LOOKS_AROUND), str(file)) as (opened, _):
            opened.start()
            assert end_of(opened) == 0
        found = json.loads(file.read_text())
    assert (os.readlink("/proc/self/ns/net"), os.readlink("/proc/self/ns/user")) == before  # we have stayed outside
    assert found.pop("namespace") != before[0]
    assert found == {
        "user": 0,
        "users": ["0", str(os.geteuid()), "1"],
        "groups": "deny",
        "links": [["lo", True], ["esp0", True]],
        "descriptors": ["0", "1", "2", "3"],  # the last is the listing's
    }


@unprivileged
def test_descriptors_are_for_nobody_else() -> None:
    with inside("true") as (opened, _):
        descriptors = (opened.tun.fileno(), opened.netlink.fileno(), opened.ended())
        assert [os.get_inheritable(descriptor) for descriptor in descriptors] == [False] * 3
        assert not os.get_blocking(opened.tun.fileno())


@unprivileged
def test_routes_change_while_the_command_runs() -> None:
    """We are outside and change what is inside: the namespace's owner may."""
    with inside("sleep", "60") as (opened, steered):
        opened.start()
        steered.steer(selector("10.1.0.0/16"), selector("0.0.0.0/0"))
        steered.release(selector("10.1.0.0/16"), selector("10.2.0.0/16"))
        assert len(steered.networks) == 2
        steered.close()
        assert steered.networks == set()


@pytest.mark.parametrize(
    ("command", "status"),
    [(("true",), 0), (("sh", "-c", "exit 7"), 7), (("sh", "-c", "kill -KILL $$"), 128 + 9)],
)
@unprivileged
def test_status_is_the_commands(command: tuple[str, ...], status: int) -> None:
    with inside(*command) as (opened, _):
        assert opened.status() is None
        opened.start()
        assert end_of(opened) == status


@unprivileged
def test_command_waits_for_start() -> None:
    with inside("sh", "-c", "exit 7") as (opened, _):
        opened.close()
        assert opened.status() != 7


@pytest.mark.parametrize(
    ("command", "why"), [("/no/such/command", "no such file or directory"), ("/dev/null", "permission denied")]
)
@unprivileged
def test_command_that_is_none(command: str, why: str) -> None:
    with inside(command) as (opened, _), pytest.raises(NetworkError, match=f"cannot run `{command}`: {why}"):
        opened.start()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@unprivileged
def test_signals_are_passed_on(number: int) -> None:
    os.setsid()  # no terminal, so nothing came from the keyboard
    with inside("sleep", "60") as (opened, _):
        opened.start()
        opened.forward(number)
        assert end_of(opened) == 128 + number
        opened.forward(number)  # to nobody


@unprivileged
def test_command_ends_with_the_namespace() -> None:
    with inside("sleep", "60") as (opened, _):
        opened.start()
        ended = os.dup(opened.ended())
    assert select.select([ended], [], [], 0)[0]
    os.close(ended)
    assert opened.status() == 128 + signal.SIGTERM


@unprivileged
def test_command_ends_with_a_killed_daemon() -> None:
    daemon = """
import sys
from ike_auth.daemon.network.rootless import Inside
opened = Inside.open(["sh", "-c", "echo $$; exec sleep 60"])
opened.start()
sys.stdin.read()
"""
    with subprocess.Popen(python(daemon), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        command = os.pidfd_open(int(process.stdout.readline()))
        process.kill()
        assert select.select([command], [], [], SECONDS)[0]
        os.close(command)


HAS_A_TERMINAL = """
import select, signal
from ike_auth.daemon.network.rootless import Inside
def hear(number, frame):
    opened.forward(signal.SIGINT)
    print("heard again" if number == signal.SIGUSR1 else "heard", flush=True)
script = "trap 'echo interrupted' INT; tty; until read line; do :; done; echo said $line; exit 3"
opened = Inside.open(["sh", "-c", script])
signal.signal(signal.SIGINT, hear)
signal.signal(signal.SIGUSR1, hear)
opened.start()
select.select([opened.ended()], [], [], 20)
status = opened.status()
opened.close()
raise SystemExit(status)
"""


@unprivileged
def test_terminal_is_the_commands() -> None:
    """Ctrl-C reaches the command once, by the terminal; the daemon does not send it again."""
    daemon, terminal = pty.fork()
    if daemon == 0:
        os.execv(sys.executable, python(HAS_A_TERMINAL))
    with closing(os.fdopen(terminal, "r+b", buffering=0)) as keyboard:
        appears(terminal, b"/dev/")  # what tty(1) prints if there is one
        keyboard.write(termios.tcgetattr(terminal)[6][termios.VINTR])
        screen = appears(terminal, b"interrupted", b"heard")
        # Once more without the keyboard: two signals that come at once may be one.
        os.kill(daemon, signal.SIGUSR1)
        screen += appears(terminal, b"heard again")
        keyboard.write(b"hello\n")
        screen += appears(terminal, b"said hello")
        _, status = os.waitpid(daemon, 0)
    assert screen.count(b"interrupted") == 1
    assert os.waitstatus_to_exitcode(status) == 3


def appears(terminal: int, *wanted: bytes) -> bytes:
    """What appears on the screen until all of `wanted` is there."""
    screen = b""
    end = time.monotonic() + SECONDS
    while not all(text in screen for text in wanted):
        assert select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0], screen
        screen += os.read(terminal, 1000)
    return screen


# --- where it is forbidden


@unprivileged
def test_too_many_namespaces() -> None:
    """A real limit, in a user namespace around us: the sysctl is each namespace's own."""
    user = os.geteuid()
    unshare(CLONE_NEWUSER)
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/sys/user/max_user_namespaces").write_text("0")
    with pytest.raises(
        NetworkError,
        match=r"cannot make a user namespace: the sysctl user.max_user_namespaces is 0 \(as root: `sysctl user.max",
    ):
        Inside.open(["true"])


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_device_that_only_root_may_open() -> None:
    device_for_everybody(0o600)
    homes_for_everybody()
    become_nobody()
    with pytest.raises(NetworkError, match="this user may not open /dev/net/tun"):
        Inside.open(["true"])


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("kernel/unprivileged_userns_clone", "0", "sysctl kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1",
            "sysctl kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0", "sysctl user.max_user_namespaces=10000"),
        ("user/max_net_namespaces", "0", "sysctl user.max_net_namespaces=10000"),
    ],
)
def test_settings_that_forbid_it(tmp_path: Path, name: str, value: str, expected: str) -> None:
    """A folder plays /proc/sys: three of these settings are not in every kernel."""
    setting = tmp_path / name
    setting.parent.mkdir()
    error = PermissionError(1, "Operation not permitted")
    assert "seccomp" in why_not(error, tmp_path)
    setting.write_text(f"{value}\n")
    assert expected in why_not(error, tmp_path)
    setting.write_text("5\n")
    assert "seccomp" in why_not(error, tmp_path)
