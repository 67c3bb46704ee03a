# SPDX-License-Identifier: ISC
"""A real TUN device in a namespace of its own."""

import os
import select
import socket
import struct
from contextlib import closing
from ipaddress import ip_interface

import pytest

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.tun import HEADER_SIZE, Tun, TunGone
from tests.ike_auth.daemon.network.commands import ip, shown
from tests.ike_auth.daemon.network.isolated import (
    CLONE_NEWNET,
    CLONE_NEWNS,
    become_nobody,
    device_for_everybody,
    hidden_device,
    in_namespaces,
)
from tests.ike_auth.daemon.network.packets import udp_packet

HEADER = struct.Struct("<BBHHHH")  # flags, kind of segments, header length, segment size, checksum start and offset
PLAIN = bytes(HEADER_SIZE)
NEEDS_CHECKSUM, TCP4 = 1, 1


def running(tun: Tun, mtu: int = 1400) -> None:
    """Up, with 10.1.0.1 here and 10.1.0.2 behind it."""
    with closing(Netlink.open()) as netlink:
        number = links.index(netlink, tun.name)
        links.set_up_tun(netlink, number, mtu)
        links.add_address(netlink, number, ip_interface("10.1.0.1/24"))


@in_namespaces()
def test_names() -> None:
    with closing(Tun.open()) as first, closing(Tun.open()) as second, closing(Tun.open("inner")) as third:
        assert [first.name, second.name, third.name] == ["esp0", "esp1", "inner"]
        assert {link["ifname"] for link in shown("link")} == {"lo", "esp0", "esp1", "inner"}
        with pytest.raises(NetworkError, match="`inner`: a device of that name is in use"):
            Tun.open("inner")
        with pytest.raises(NetworkError, match="`lo`: a device of that name is there and is none of ours"):
            Tun.open("lo")
    assert {link["ifname"] for link in shown("link")} == {"lo"}


@pytest.mark.parametrize("name", ["", "sixteen-letters-", "é" * 8])
def test_impossible_names(name: str) -> None:
    with pytest.raises(NetworkError, match="1 to 15 bytes"):
        Tun.open(name)


@in_namespaces()
def test_descriptor_blocks_nobody_and_is_for_nobody_else() -> None:
    with closing(Tun.open()) as tun:
        assert not os.get_blocking(tun.fileno())
        assert not os.get_inheritable(tun.fileno())
        running(tun)
        assert tun.read() == []


@in_namespaces()
def test_says_nothing_by_itself() -> None:
    """No router solicitations, no multicast reports, no link-local address."""
    with closing(Tun.open()) as tun:
        running(tun)
        assert [a["local"] for link in shown("address show dev esp0") for a in link["addr_info"]] == ["10.1.0.1"]
        assert select.select([tun], [], [], 1.5)[0] == []


@in_namespaces()
def test_datagrams_of_the_kernel() -> None:
    with closing(Tun.open()) as tun, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        running(tun)
        for data in (b"one", b"two", b"three"):
            sender.sendto(data, ("10.1.0.2", 7))
        assert [packet[HEADER_SIZE + 28 :] for packet in tun.read(2)] == [b"one", b"two"]
        [packet] = tun.read(2)
        assert packet[HEADER_SIZE + 28 :] == b"three"
        # What is missing of the checksum is ours to add: from where, and where to.
        assert HEADER.unpack(packet[:HEADER_SIZE]) == (NEEDS_CHECKSUM, 0, 0, 0, 20, 6)


@in_namespaces()
def test_datagrams_for_the_kernel() -> None:
    with closing(Tun.open()) as tun, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        running(tun)
        receiver.bind(("10.1.0.1", 7))
        receiver.settimeout(5)
        packet = udp_packet("10.1.0.2", "10.1.0.1", (9, 7), b"hello")
        assert tun.write([PLAIN, packet[:20], memoryview(packet)[20:]])
        assert receiver.recvfrom(100) == (b"hello", ("10.1.0.2", 9))
        assert not tun.write([PLAIN, b""])
        assert not tun.write([b"\0"])


@in_namespaces()
def test_superpackets_of_tcp() -> None:
    """A connection to ourselves by way of the device: its packets are longer than the MTU, and not cut by us."""
    sent = bytes(range(256)) * 80
    with closing(Tun.open()) as tun, socket.socket() as listener, socket.socket() as client:
        running(tun)
        listener.bind(("10.1.0.1", 7))
        listener.listen()
        client.setblocking(False)
        client.connect_ex(("10.1.0.2", 7))
        sizes, kinds = _reflect(tun, listener)
        server, _ = listener.accept()
        with server:
            client.sendall(sent)
            received = b""
            while len(received) < len(sent):
                more_sizes, more_kinds = _reflect(tun, server)
                received += server.recv(1 << 16)
                sizes, kinds = sizes | more_sizes, kinds | more_kinds
        assert received == sent
        assert max(sizes) > 1400
        assert TCP4 in kinds


def _reflect(tun: Tun, until: socket.socket) -> tuple[set[int], set[int]]:
    """Send packets back with addresses exchanged, which changes no checksum, until a socket has something to say.

    Returns which lengths they had, and which kinds of segmentation.
    """
    sizes: set[int] = set()
    kinds: set[int] = set()
    while until.fileno() not in (readable := select.select([tun.fileno(), until.fileno()], [], [], 5)[0]):
        assert readable, "the connection hangs"
        for packet in tun.read():
            at = HEADER_SIZE
            sizes.add(len(packet) - at)
            kinds.add(packet[1])
            source, destination = packet[at + 12 : at + 16], packet[at + 16 : at + 20]
            assert tun.write([packet[: at + 12], destination, source, packet[at + 20 :]])
    return sizes, kinds


@in_namespaces()
def test_adopted_by_another_process() -> None:
    with closing(Tun.open()) as tun:
        running(tun)
        with closing(Tun.adopt(os.dup(tun.fileno()))) as adopted:
            assert (adopted.name, adopted.udp_segments) == ("esp0", tun.udp_segments)
            tun.close()
            assert [link["ifname"] for link in shown("link")] == ["lo", "esp0"]
    assert [link["ifname"] for link in shown("link")] == ["lo"]


def test_adopting_something_else() -> None:
    with pytest.raises(NetworkError, match="not a usable TUN device"):
        Tun.adopt(os.open(os.devnull, os.O_RDWR))


@pytest.mark.parametrize("how", ["link delete esp0", "link set esp0 down"])
@in_namespaces()
def test_taken_away(how: str) -> None:
    with closing(Tun.open()) as tun:
        running(tun)
        ip(how)
        packet = udp_packet("10.1.0.2", "10.1.0.1", (9, 7), b"hello")
        with pytest.raises(TunGone, match="`esp0` was deleted or set down by somebody else"):
            tun.write([PLAIN, packet])
        if "delete" in how:
            with pytest.raises(TunGone):
                tun.read()


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_without_the_right_to() -> None:
    device_for_everybody()
    become_nobody()
    with pytest.raises(NetworkError, match="`esp%d`: that needs root, CAP_NET_ADMIN, or --rootless"):
        Tun.open()


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_device_that_only_root_may_open() -> None:
    device_for_everybody(0o600)
    become_nobody()
    with pytest.raises(NetworkError, match="`chmod 0666 /dev/net/tun` is usual"):
        Tun.open()


@in_namespaces(CLONE_NEWNET | CLONE_NEWNS)
def test_no_device() -> None:
    hidden_device()
    with pytest.raises(NetworkError, match="there is no /dev/net/tun"):
        Tun.open()


@in_namespaces()
def test_closing_twice() -> None:
    tun = Tun.open()
    tun.close()
    tun.close()
