# SPDX-License-Identifier: ISC
"""Many that start at the same moment in one network namespace: one of them gets it."""

import os
import signal
from contextlib import ExitStack, closing
from dataclasses import dataclass

import pytest

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.device import Device
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.tun import Tun
from tests.ike_auth.daemon.network.commands import ip
from tests.ike_auth.daemon.network.isolated import in_namespaces

MANY = 12
ROUNDS = 5


@dataclass
class Starting:
    """A process that makes a device of ours as soon as it may, says what came of it, and stays."""

    pid: int
    said: int

    @classmethod
    def when(cls, waits: int, go: int) -> "Starting":
        """`waits` is readable once `go`, the other end, is closed everywhere."""
        ours, theirs = os.pipe()
        pid = os.fork()
        if pid:
            os.close(theirs)
            return cls(pid, ours)
        try:
            os.close(go)
            netlink, tun = Netlink.open(), Tun.open()
            os.write(theirs, b"!")
            os.read(waits, 1)
            Device(netlink, tun, 1400)
            os.write(theirs, b"mine")
            signal.pause()
        except NetworkError as error:
            os.write(theirs, str(error).encode())
        finally:
            os._exit(0)

    def listen(self) -> str:
        return os.read(self.said, 1000).decode()

    def end(self) -> None:
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.said)


@in_namespaces()
def test_one_of_many() -> None:
    for _ in range(ROUNDS):  # a killed one leaves nothing that keeps others out
        waits, go = os.pipe()
        with ExitStack() as ends:
            started = []
            for _ in range(MANY):
                one = Starting.when(waits, go)
                ends.callback(one.end)
                assert one.listen() == "!"
                started.append(one)
            os.close(waits)
            os.close(go)
            said = sorted(one.listen() for one in started)
        assert said.count("mine") == 1, said
        assert all(links.HOLDS_ONE in why for why in said if why != "mine"), said


@in_namespaces()
def test_another_interface_may_have_the_name() -> None:
    ip("link add ike-auth type veth peer name other")
    with (
        closing(Netlink.open()) as netlink,
        closing(Tun.open()) as tun,
        pytest.raises(NetworkError, match="an interface here is called `ike-auth`"),
    ):
        links.set_up_tun(netlink, links.index(netlink, tun.name), 1400)


@in_namespaces()
def test_setting_up_again_is_no_conflict_with_ourselves() -> None:
    with closing(Netlink.open()) as netlink, closing(Tun.open()) as tun:
        number = links.index(netlink, tun.name)
        links.set_up_tun(netlink, number, 1400)
        ip(f"link set {tun.name} down")
        links.set_up_tun(netlink, number, 1400)
        assert links.is_up(netlink, tun.name)
