# SPDX-License-Identifier: ISC
"""What we write into control messages, and read out of them; test_udp and test_esp_sockets ask the kernel."""

import socket
import struct
from ipaddress import ip_address

import pytest

from ike_auth.daemon import ancillary
from ike_auth.daemon.ancillary import About
from ike_auth.network import Endpoint
from tests.ike_auth.daemon.network.isolated import in_namespaces

HERE4, HERE6 = ip_address("192.0.2.1"), ip_address("2001:db8::1")
PKTINFO4 = (socket.IPPROTO_IP, 8, struct.pack("=i", 3) + HERE4.packed + ip_address("192.0.2.255").packed)
PKTINFO6 = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, HERE6.packed + struct.pack("=i", 3))


@pytest.mark.parametrize(
    ("messages", "about"),
    [
        ([], About(None)),
        ([PKTINFO4], About(HERE4)),
        ([PKTINFO6], About(HERE6)),
        ([(socket.IPPROTO_IP, socket.IP_TOS, b"\xb8"), PKTINFO4], About(HERE4, tos=0xB8)),
        ([PKTINFO6, (socket.IPPROTO_IPV6, socket.IPV6_TCLASS, struct.pack("=i", 3))], About(HERE6, tos=3)),
        ([PKTINFO4, (socket.IPPROTO_UDP, 104, struct.pack("=i", 1400))], About(HERE4, size=1400)),
        ([(socket.SOL_SOCKET, 29, bytes(16)), (socket.IPPROTO_UDP, 99, b""), PKTINFO4], About(HERE4)),
    ],
)
def test_what_is_read(messages: ancillary.Ancillary, about: About) -> None:
    assert ancillary.read(messages) == about


def test_what_is_read_has_room() -> None:
    largest = (PKTINFO6, (0, 0, bytes(4)), (0, 0, bytes(4)))
    assert sum(socket.CMSG_SPACE(len(data)) for *_, data in largest) <= ancillary.SPACE


@pytest.mark.parametrize("local", [HERE4, HERE6])
def test_the_address_to_leave_from_reads_back(local: object) -> None:
    assert isinstance(local, type(HERE4) | type(HERE6))
    [(level, kind, data)] = ancillary.from_address(Endpoint(local, 500))
    interface = data[:4] if local.version == 4 else data[16:]
    assert interface == bytes(4)  # routes decide
    if local.version == 4:
        data = data[:4] + data[4:8] + data[4:8]
    assert ancillary.read([(level, kind, data)]).local == local


def test_segments_and_traffic_class() -> None:
    assert ancillary.segments(1400) == [(socket.IPPROTO_UDP, 103, struct.pack("=H", 1400))]
    for version in (4, 6):
        [(level, kind, data)] = ancillary.traffic_class(version, 0xB8)
        assert ancillary.read([(level, kind, data)]).tos == 0xB8


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@in_namespaces()
def test_buffers_hold_a_burst(family: socket.AddressFamily) -> None:
    """Past the system's limit, for root. The kernel says the double of what it was asked for (socket(7))."""
    with socket.socket(family, socket.SOCK_DGRAM) as opened:
        ancillary.prepare(opened, segments=True)
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            assert opened.getsockopt(socket.SOL_SOCKET, option) == 2 * (8 << 20)
