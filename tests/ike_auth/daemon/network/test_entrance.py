# SPDX-License-Identifier: ISC
"""What comes in clear, from an interface that is not the tunnels'."""

import socket
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.device import Device
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.tun import HEADER_SIZE, Tun
from tests.ike_auth.daemon.network.commands import HERE, OUTSIDE, PEER, ip, outer_network, shown
from tests.ike_auth.daemon.network.isolated import in_namespaces
from tests.ike_auth.daemon.network.packets import udp_packet
from tests.ike_auth.daemon.network.test_selection import selector

INNER, BEHIND = "10.1.0.1", "10.2.0.1"  # our side of the tunnel, and the peer's
IKE, OTHER = 500, 7777
_IPV4 = b"\x08\x00"


@contextmanager
def guarded(remote: str) -> Iterator[Device]:
    outer_network()
    ip(f"address add {INNER}/32 dev lo")
    with closing(Device(Netlink.open(), Tun.open(), 1400, (IKE,))) as opened:
        if opened.open_because:
            pytest.skip(opened.open_because)
        opened.steer(selector("10.1.0.0/16"), selector(remote))
        yield opened


def come_in(source: str, destination: str, port: int, data: bytes = b"in clear") -> None:
    """A packet arrives on the outer interface."""
    address = bytes.fromhex(shown(f"link show {OUTSIDE}")[0]["address"].replace(":", ""))
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as wire:
        wire.bind(("beyond", 0))
        wire.send(address + bytes(6) + _IPV4 + udp_packet(source, destination, (9, port), data))


@contextmanager
def host(address: str, port: int) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        opened.bind((address, port))
        opened.settimeout(5)
        yield opened


def in_tunnel(opened: Device, data: bytes) -> None:
    opened.write([bytes(HEADER_SIZE) + udp_packet(BEHIND, INNER, (9, OTHER), data)])


@in_namespaces()
def test_a_host_behind_the_peer_is_believed_in_the_tunnel_only() -> None:
    with guarded("10.2.0.0/16") as opened, host(INNER, OTHER) as here:
        come_in(BEHIND, INNER, OTHER)
        in_tunnel(opened, b"in the tunnel")
        assert here.recv(99) == b"in the tunnel"
        assert opened.intruders == 1
        come_in(PEER, INNER, OTHER, b"of others")
        assert here.recv(99) == b"of others"
        assert opened.intruders == 1


@in_namespaces()
def test_what_is_forwarded_is_looked_at_too() -> None:
    with guarded("10.2.0.0/16") as opened:
        with open("/proc/sys/net/ipv4/ip_forward", "w") as switch:
            switch.write("1")
        ip("link add lan type veth peer name farther")
        ip("link set lan up")
        ip("link set farther up")
        ip("address add 10.1.5.1/24 dev lan")
        come_in(BEHIND, "10.1.5.9", OTHER)
        come_in(PEER, "10.1.5.9", OTHER)
        assert opened.intruders == 1


@in_namespaces()
def test_a_peer_within_its_own_tunnel_is_heard_on_our_ports_only() -> None:
    with guarded("0.0.0.0/0") as opened, host(HERE, IKE) as daemon, host(INNER, OTHER) as here:
        come_in("198.51.100.7", HERE, IKE, b"IKE")
        assert daemon.recv(99) == b"IKE"
        come_in("198.51.100.7", INNER, OTHER)
        in_tunnel(opened, b"in the tunnel")
        assert here.recv(99) == b"in the tunnel"
        # The network that we are in is not behind the peer: docs/decisions/0802.
        come_in(PEER, INNER, OTHER, b"of a neighbour")
        assert here.recv(99) == b"of a neighbour"
        assert opened.intruders == 1


@in_namespaces()
def test_another_device_is_guarded_as_the_first_was() -> None:
    with guarded("10.2.0.0/16") as opened, host(INNER, OTHER) as here:
        ip(f"link delete {opened.name}")
        with pytest.raises(NetworkError, match="takes its place"):
            opened.look()
        come_in(BEHIND, INNER, OTHER)
        in_tunnel(opened, b"in the tunnel")
        assert here.recv(99) == b"in the tunnel"
        assert opened.intruders == 1


@in_namespaces()
def test_nothing_is_kept_out_any_more_once_it_is_closed() -> None:
    with guarded("10.2.0.0/16") as opened, host(INNER, OTHER) as here:
        opened.close()
        come_in(BEHIND, INNER, OTHER)
        assert here.recv(99) == b"in clear"
