# SPDX-License-Identifier: ISC
"""What others do to the device, and what becomes of it."""

import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import pytest
from pyroute2.netlink.rtnl import RTM_DELLINK
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.capabilities import keep_net_admin
from ike_auth.daemon.network.device import Device
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.rootless import Inside
from ike_auth.daemon.network.tun import HEADER_SIZE, Tun
from tests.ike_auth.daemon.network.commands import OUTSIDE, everything, ip, outer_network, shown, way
from tests.ike_auth.daemon.network.isolated import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    become_nobody,
    device_for_everybody,
    in_namespaces,
    unprivileged,
)
from tests.ike_auth.daemon.network.packets import udp_packet
from tests.ike_auth.daemon.network.test_rootless import SECONDS, end_of, python
from tests.ike_auth.daemon.network.test_selection import selector

LOCAL, REMOTE = selector("10.1.0.0/16"), selector("10.2.0.0/16")
UNREACHABLE = "No route to host"
FRAME = bytes(HEADER_SIZE) + udp_packet("10.2.0.1", "10.1.0.1", (9, 7777), b"hello")
REPLACED = r"somebody else; `\w+` takes its place"


@contextmanager
def device() -> Iterator[Device]:
    """With 10.2.0.0/16 behind it, and 10.1.0.1 here."""
    outer_network()
    ip("address add 10.1.0.1/32 dev lo")
    with closing(Device(Netlink.open(), Tun.open(), 1400)) as opened:
        opened.steer(LOCAL, REMOTE)
        yield opened


def sends_and_receives(opened: Device) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as host:
        host.bind(("10.1.0.1", 7777))
        host.settimeout(5)
        host.sendto(b"ping", ("10.2.0.1", 9))
        [descriptor] = opened.readable()
        assert select.select([descriptor], [], [], 5)[0]
        [frame] = opened.read(1)
        opened.write([FRAME])
        return frame.endswith(b"ping") and host.recv(9) == b"hello"


@pytest.mark.parametrize(
    ("how", "noticed"),
    [
        ("delete esp0", "read"),
        ("delete esp0", "write"),
        ("delete esp0", "look"),
        ("set esp0 down", "write"),
        ("set esp0 down", "look"),
        ("set esp0 down name other", "write"),
        ("set esp0 down name other", "look"),
    ],
)
@in_namespaces()
def test_taken_away_and_restored(how: str, noticed: str) -> None:
    with device() as opened:
        assert sends_and_receives(opened)
        opened.look()
        ip(f"link {how}")
        assert UNREACHABLE in way("10.2.0.1")
        [descriptor] = opened.readable()
        told = bool(select.select([descriptor], [], [], 0.1)[0])
        assert told == ("delete" in how)  # else who only reads does not learn of it
        acts = {"read": lambda: opened.read(1), "write": lambda: opened.write([FRAME]), "look": opened.look}
        with pytest.raises(NetworkError, match=REPLACED):
            acts[noticed]()
        assert way("10.2.0.1") == opened.name
        assert sends_and_receives(opened)
        opened.look()
        assert len(shown("link")) == 4  # no other device is left
    assert way("10.2.0.1") == OUTSIDE


@in_namespaces()
def test_that_cannot_be_restored_is_watched_no_longer_until_it_can() -> None:
    """What was deleted is readable without end."""
    with device() as opened:
        ip("link delete esp0")
        child = os.fork()
        if child == 0:
            become_nobody()
            failed = _says(opened.look, "cannot be restored at present") and list(opened.readable()) == []
            opened.write([FRAME])  # is lost
            os._exit(0 if failed and _says(opened.look, "cannot be restored") else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        with pytest.raises(NetworkError, match=REPLACED):
            opened.look()
        assert sends_and_receives(opened)


def _says(do: Callable[[], None], text: str) -> bool:
    try:
        do()
    except NetworkError as error:
        return text in str(error)
    return False


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_restored_by_another_user() -> None:
    """With what --user leaves: no right to open /dev/net/tun again."""
    with device() as opened:
        device_for_everybody(0o600)
        keep_net_admin(become_nobody)
        with pytest.raises(PermissionError):
            os.open("/dev/net/tun", os.O_RDWR)
        _delete("esp0")
        with pytest.raises(NetworkError, match=REPLACED):
            opened.look()
        assert sends_and_receives(opened)


def _delete(name: str) -> None:
    """As ip(8) would, which does not get our capability."""
    with closing(Netlink.open()) as netlink:
        message = ifinfmsg()
        message["index"] = links.index(netlink, name)
        netlink.change(RTM_DELLINK, message)


@in_namespaces()
def test_what_the_kernel_does_not_take_is_counted() -> None:
    with device() as opened:
        opened.write([b"\0", FRAME, bytes(HEADER_SIZE)])
        assert opened.refused == 2


@in_namespaces()
def test_closing_twice_and_when_the_kernel_refuses() -> None:
    outer_network()
    before = everything()
    opened = Device(Netlink.open(), Tun.open(), 1400)
    opened.steer(LOCAL, REMOTE)
    opened.close()
    opened.close()
    assert everything() == before
    opened = Device(Netlink.open(), Tun.open(), 1400)
    opened.steer(LOCAL, REMOTE)
    become_nobody()
    with pytest.raises(NetworkError, match="Operation not permitted"):
        opened.close()  # and no descriptor is left
    assert list(opened.readable()) == []
    assert UNREACHABLE in way("10.2.0.1")


@in_namespaces()
def test_one_network_that_is_refused_leaves_no_other_open() -> None:
    with device() as opened:
        ip("link delete esp0")  # routes into it cannot be added, those behind it can
        with pytest.raises(NetworkError):
            opened.steer(LOCAL, selector("10.3.0.1-10.3.0.4"))
        assert all(UNREACHABLE in way(f"10.3.0.{number}") for number in range(1, 5))
        opened.release(LOCAL, selector("10.3.0.1-10.3.0.4"))
        assert way("10.3.0.2") == OUTSIDE


TAKES_IT_AWAY = """
import socket, subprocess, sys, time
subprocess.run(["ip", "link", "delete", "esp0"], check=True)
sys.stdin.readline()
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.settimeout(20)
s.bind(("10.1.0.1", 7777))
s.sendto(b"ping", ("10.2.0.1", 9))
raise SystemExit(s.recv(9) != b"hello")
"""


@unprivileged
def test_taken_away_by_the_command_that_it_is_for() -> None:
    """Who is outside restores it inside, and without privileges."""
    reading, writing = os.pipe()
    before = os.dup(0)
    os.dup2(reading, 0)
    try:
        inside = Inside.open(python(TAKES_IT_AWAY))
    finally:
        os.dup2(before, 0)
        for descriptor in (reading, before):
            os.close(descriptor)
    with closing(inside), closing(Device(inside.netlink, inside.tun, 1400, addresses=True)) as opened:
        opened.steer(LOCAL, REMOTE)
        inside.start()
        [descriptor] = opened.readable()
        assert select.select([descriptor], [], [], SECONDS)[0]
        with pytest.raises(NetworkError, match=REPLACED):
            opened.read(1)
        os.write(writing, b"\n")
        assert select.select([descriptor], [], [], SECONDS)[0]
        assert opened.read(1)[0].endswith(b"ping")
        opened.write([FRAME])
        assert end_of(inside) == 0
    os.close(writing)
