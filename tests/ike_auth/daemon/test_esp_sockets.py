# SPDX-License-Identifier: ISC
"""ESP of its own IP protocol, over the loopback interface of a namespace."""

import errno
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from ipaddress import ip_address

import pytest

from ike_auth.daemon.esp_sockets import ESP, EspSockets
from ike_auth.network import Endpoint, EspDatagrams, IPAddress
from tests.ike_auth.daemon.network.commands import ip
from tests.ike_auth.daemon.network.isolated import become_nobody, in_namespaces

PACKET = bytes(range(1, 60))
OURS = {4: ip_address("127.0.0.1"), 6: ip_address("fd00::1")}
PEERS = {4: ip_address("127.0.0.2"), 6: ip_address("fd00::2")}


@contextmanager
def opened(*addresses: IPAddress) -> Iterator[EspSockets]:
    ip("link set lo up")
    for address in (OURS[6], PEERS[6]):
        ip(f"address add {address}/128 dev lo nodad")
        deadline = time.monotonic() + 10
        while f"local {address} " not in ip("-6 route show table local"):  # comes a little later
            assert time.monotonic() < deadline
            time.sleep(0.01)
    with closing(EspSockets(addresses)) as sockets:
        yield sockets


def a_peer(version: int) -> socket.socket:
    family = socket.AF_INET if version == 4 else socket.AF_INET6
    made = socket.socket(family, socket.SOCK_RAW, ESP)
    made.bind((str(PEERS[version]), 0))
    made.settimeout(5)
    return made


def came(sockets: EspSockets) -> list[EspDatagrams]:
    found = select.select(list(sockets), [], [], 5)[0]
    assert found, "nothing comes"
    return [datagrams for one in found for datagrams in sockets.receive(one)]


def end(address: IPAddress) -> Endpoint:
    return Endpoint(address, 0)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("wildcard", [False, True])
@in_namespaces()
def test_there_and_back(version: int, wildcard: bool) -> None:
    ours, theirs = OURS[version], PEERS[version]
    addresses = () if wildcard else (OURS[4], OURS[6])
    with opened(*addresses) as sockets, a_peer(version) as peer:
        burst = EspDatagrams(b"one!two!3", 4, end(ours), end(theirs), 0x2E << 2)
        assert sockets.send(burst)
        header = 20 if version == 4 else 0  # raw sockets deliver that of IPv4
        packets = [peer.recvfrom(100) for _ in range(3)]
        assert [data[header:] for data, _ in packets] == [b"one!", b"two!", b"3"]
        assert {source[0] for _, source in packets} == {str(ours)}
        if version == 4:
            assert {data[1] for data, _ in packets} == {0x2E << 2}
        level, kind = (
            (socket.IPPROTO_IP, socket.IP_TOS) if version == 4 else (socket.IPPROTO_IPV6, socket.IPV6_TCLASS)
        )
        peer.setsockopt(level, kind, 3)
        peer.sendto(PACKET, (str(ours), 0))
        # A wildcard socket has heard what went to the peer, too: that is another address of ours here.
        heard = came(sockets)
        while heard[-1].data != PACKET:  # the kernel delivers when it has time
            heard += came(sockets)
        assert heard[-1] == EspDatagrams(PACKET, len(PACKET), end(ours), end(theirs), 3)


@in_namespaces()
def test_header_options_are_no_esp() -> None:
    """A header of 24 bytes, and one that is longer than the packet."""
    with opened(OURS[4]) as sockets, socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as crafting:
        options = b"\1\1\1\0"  # RFC 791 3.1: no operation, end of options
        head = struct.pack("!BBHHHBBH4s4s", 0x46, 0, 0, 0, 0, 64, ESP, 0, PEERS[4].packed, OURS[4].packed)
        crafting.sendto(head + options + PACKET, (str(OURS[4]), 0))
        assert [datagrams.data for datagrams in came(sockets)] == [PACKET]


@in_namespaces()
def test_others_have_their_turn() -> None:
    with opened(OURS[4]) as sockets, a_peer(4) as peer:
        for number in range(100):
            peer.sendto(bytes([number]), (str(OURS[4]), 0))
        assert [len(came(sockets)) for _ in range(2)] == [64, 36]
        assert sockets.receive(next(iter(sockets))) == []


@in_namespaces()
def test_what_finds_no_way_is_lost_and_the_rest_goes() -> None:
    with opened() as sockets, a_peer(4) as peer:
        nowhere = EspDatagrams(PACKET, 30, end(OURS[4]), end(ip_address("192.0.2.1")))
        assert not sockets.send(nowhere)
        assert sockets.send(nowhere._replace(remote=end(PEERS[4])))
        assert peer.recv(100)[20:] == PACKET[:30]


@in_namespaces()
def test_an_address_that_has_no_socket() -> None:
    with opened(OURS[4]) as sockets, pytest.raises(OSError, match=r"no socket for 127\.0\.0\.9"):
        sockets.send(EspDatagrams(PACKET, 30, end(ip_address("127.0.0.9")), end(PEERS[4])))


@in_namespaces()
def test_nothing_stays_open_when_one_cannot_be_opened() -> None:
    """The decorator looks for what was left open."""
    with pytest.raises(OSError, match=os.strerror(errno.EADDRNOTAVAIL)), opened(OURS[4], ip_address("192.0.2.1")):
        pass


@in_namespaces()
def test_without_the_right_to() -> None:
    become_nobody()
    with pytest.raises(PermissionError):
        EspSockets((OURS[4],))
