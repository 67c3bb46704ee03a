# SPDX-License-Identifier: ISC
"""Path MTUs, and the DF bit on packets that really leave."""

import errno
import socket
from contextlib import closing
from ipaddress import ip_address

import pytest

from ike_auth.daemon.network import NetworkError, numbers
from ike_auth.daemon.network.path import Cutting, largest_segment, path_mtu, set_cutting, tunnel_mtu
from tests.ike_auth.daemon.network.commands import OUTSIDE, PEER, PEER6, ip, outer_network
from tests.ike_auth.daemon.network.isolated import in_namespaces, unprivileged
from tests.ike_auth.daemon.network.test_steering import capture

DF, MORE = 0x4000, 0x2000


@pytest.mark.parametrize(("peer", "option"), [(PEER, ""), (PEER6, "-6 ")])
@in_namespaces()
def test_path_mtu(peer: str, option: str) -> None:
    outer_network()
    remote = ip_address(peer)
    assert path_mtu(remote, marked=True) == path_mtu(remote, marked=False) == 1500
    ip(f"link set {OUTSIDE} mtu 1400")
    assert path_mtu(remote, marked=True) == 1400
    ip(f"{option}route add {peer} dev {OUTSIDE} mtu 1300")
    assert path_mtu(remote, marked=True) == 1300


@in_namespaces()
def test_path_is_that_of_our_own_packets() -> None:
    outer_network()
    ip("route add default dev lo table 7")
    ip(f"rule add not fwmark {numbers.MARK} table 7")
    assert path_mtu(ip_address(PEER), marked=True) == 1500
    assert path_mtu(ip_address(PEER), marked=False) == 65535


@in_namespaces()
def test_no_way() -> None:
    with pytest.raises(NetworkError, match=r"cannot reach 192\.0\.2\.1: network is unreachable"):
        path_mtu(ip_address("192.0.2.1"), marked=True)


@unprivileged
def test_only_root_may_mark() -> None:
    with pytest.raises(NetworkError, match="needs root or CAP_NET_ADMIN"):
        path_mtu(ip_address("192.0.2.1"), marked=True)


@pytest.mark.parametrize(
    ("cutting", "short", "long"),
    [(Cutting.ALLOWED, [0], [MORE, 185]), (Cutting.AVOIDED, [DF], [MORE, 185]), (Cutting.REFUSED, [DF], None)],
)
@in_namespaces()
def test_cutting(cutting: Cutting, short: list[int], long: list[int] | None) -> None:
    """Flags and fragment offsets of what leaves; 185 is 1480 bytes in units of eight."""
    outer_network()
    with closing(capture()) as outside, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ours:
        set_cutting(ours, cutting)
        ours.sendto(bytes(1000), (PEER, 4500))
        assert flags(outside) == short
        if long is None:
            with pytest.raises(OSError, match="too long") as caught:
                ours.sendto(bytes(2000), (PEER, 4500))
            assert caught.value.errno == errno.EMSGSIZE
        else:
            ours.sendto(bytes(2000), (PEER, 4500))
        assert flags(outside) == (long or [])


@pytest.mark.parametrize("cutting", Cutting)
@in_namespaces()
def test_cutting_over_ipv6(cutting: Cutting) -> None:
    outer_network()
    with closing(capture()) as outside, socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as ours:
        set_cutting(ours, cutting)
        if cutting == Cutting.REFUSED:
            with pytest.raises(OSError, match="too long"):
                ours.sendto(bytes(2000), (PEER6, 4500))
            assert fragments6(outside) == 0
        else:
            ours.sendto(bytes(2000), (PEER6, 4500))
            assert fragments6(outside) == 2


def flags(captured: socket.socket) -> list[int]:
    found = []
    for packet in packets(captured):
        if packet[0] >> 4 == 4:
            found.append(int.from_bytes(packet[6:8], "big"))
    return found


def fragments6(captured: socket.socket) -> int:
    return sum(packet[0] >> 4 == 6 and packet[6] == 44 for packet in packets(captured))


def packets(captured: socket.socket) -> list[bytes]:
    found = []
    while True:
        try:
            found.append(captured.recv(1 << 16))
        except BlockingIOError:
            return found


@pytest.mark.parametrize(
    ("path", "overhead", "expected"), [(1500, 73, 1427), (1300, 73, 1280), (1280, 73, 1280), (65536, 0, 65535)]
)
def test_tunnel_mtu(path: int, overhead: int, expected: int) -> None:
    assert tunnel_mtu(path, overhead) == expected


def test_largest_segment() -> None:
    """RFC 9293 3.7.1: the fixed headers of IP and TCP."""
    assert (largest_segment(1500, 4), largest_segment(1500, 6)) == (1460, 1440)
