# SPDX-License-Identifier: ISC
"""The whole backend in a namespace: a real device, real sockets and routes, and a peer that the test moves."""

import select
import socket
from contextlib import closing
from dataclasses import replace
from ipaddress import ip_address
from typing import Any

import pytest

from ike_auth.daemon import clock
from ike_auth.daemon.kernel import Acquire, KernelError, PeerMoved, SaUsed
from ike_auth.daemon.kernel.userspace import UserspaceKernel
from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.tun import Tun
from ike_auth.daemon.udp import Sockets
from ike_auth.engine import Ports
from ike_auth.network import Endpoint
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId
from tests.ike_auth.daemon.kernel.beyond import OURS, PEERS, Beyond, a_host, beyond, greeting, side
from tests.ike_auth.daemon.network.commands import everything, ip, outer_network, way
from tests.ike_auth.daemon.network.isolated import become_nobody, in_namespaces
from tests.ike_auth.esp.sas import HERE6, THERE6, at_the_peer, flow, ipsec_sa

DATA = slice(28, None)  # of a UDP packet over IPv4
REPLACED = "somebody else; `esp0` takes its place"


def exchange(pair: Beyond) -> None:
    """One datagram each way."""
    with a_host() as host:
        host.sendto(b"question", ("10.2.0.1", 53))
        assert pair.sent()[0][DATA] == b"question"
        pair.send(greeting(b"answer"))
        pair.turn(lambda: answered(host))
        assert host.recv(100) == b"answer"


def answered(host: socket.socket) -> bool:
    return bool(select.select([host], [], [], 0)[0])


@pytest.mark.parametrize("udp", [True, False])
@in_namespaces()
def test_there_and_back(udp: bool) -> None:
    with beyond(udp=udp) as pair:
        pair.set_up()
        exchange(pair)
        assert [(s.sa.inbound, s.counted.packets, s.counted.bytes) for s in pair.kernel.sas] == [
            (True, 1, 34),
            (False, 1, 36),
        ]
        assert pair.kernel.drops == {}
        assert pair.events == [SaUsed(pair.back.spi)]


# --- what is steered


@in_namespaces()
def test_a_guard_holds_back_and_tells() -> None:
    with beyond() as pair, a_host() as host:
        pair.kernel.guard(pair.guard)
        assert way("10.2.0.1") == "esp0"
        host.sendto(b"early", ("10.2.0.1", 53))
        pair.turn(lambda: bool(pair.events))
        assert pair.events == [Acquire(side("10.1.0.1", 1000), side("10.2.0.1", 53))]
        assert pair.kernel.drops == {"guarded": 1}
        pair.set_up()
        for data in (b"first", b"second"):
            host.sendto(data, ("10.2.0.1", 53))
        assert [packet[DATA] for packet in pair.sent(2)] == [b"first", b"second"]
        pair.kernel.remove_flow(pair.flow)
        host.sendto(b"late", ("10.2.0.1", 53))
        pair.turn(lambda: pair.kernel.drops == {"guarded": 2})
        pair.kernel.unguard(pair.guard)
        assert way("10.2.0.1") != "esp0"


@in_namespaces()
def test_what_is_not_there_is_not_removed() -> None:
    with beyond() as pair:
        pair.set_up()
        pair.kernel.unguard(pair.guard)
        assert way("10.2.0.1") == "esp0"
        pair.kernel.remove(replace(pair.out, spi=b"none"))
        pair.kernel.remove_flow(pair.flow)
        pair.kernel.remove_flow(pair.flow)
        pair.kernel.guard(pair.guard)
        pair.kernel.remove_flow(pair.flow)
        assert way("10.2.0.1") == "esp0"


@in_namespaces()
def test_two_may_ask_for_one_guard() -> None:
    """Who negotiates, and who sets keys by hand."""
    with beyond() as pair, a_host() as host:
        pair.kernel.guard(pair.guard)
        pair.kernel.guard(pair.guard)
        pair.kernel.unguard(pair.guard)
        host.sendto(b"early", ("10.2.0.1", 53))
        pair.turn(lambda: pair.kernel.drops == {"guarded": 1})
        pair.kernel.unguard(pair.guard)
        assert way("10.2.0.1") != "esp0"


@in_namespaces()
def test_a_flow_is_replaced() -> None:
    with beyond() as pair, a_host() as host:
        pair.set_up()
        other = replace(pair.out.parameters, key_length=256)
        pair.kernel.add_flow(replace(pair.flow, parameters=(other,)))
        pair.kernel.add_flow(replace(pair.flow, parameters=(other,), local_address=PEERS))
        host.sendto(b"still", ("10.2.0.1", 53))
        assert pair.sent()[0][DATA] == b"still"
        pair.kernel.remove_flow(replace(pair.flow, local_address=PEERS))
        assert way("10.2.0.1") != "esp0"


@in_namespaces()
def test_a_flow_that_the_kernel_refuses_leaves_nothing() -> None:
    with beyond() as pair, a_host() as host:
        ip("link delete esp0")  # there can be no route into it
        with pytest.raises(KernelError, match="cannot add the route to"):
            pair.set_up()
        assert way("10.2.0.1") != "esp0"
        with pytest.raises(KernelError, match=REPLACED):
            pair.kernel.tend(0.0)
        pair.kernel.guard(pair.guard)
        host.sendto(b"early", ("10.2.0.1", 53))
        pair.turn(lambda: pair.kernel.drops == {"guarded": 1})
        pair.kernel.unguard(pair.guard)
        pair.kernel.add_flow(pair.flow)
        host.sendto(b"now", ("10.2.0.1", 53))
        assert pair.sent()[0][DATA] == b"now"
        pair.kernel.remove_flow(pair.flow)
        assert way("10.2.0.1") != "esp0"


@in_namespaces()
def test_nothing_is_left_behind() -> None:
    outer_network()
    before = everything()
    with beyond() as pair:
        pair.set_up()
        pair.kernel.guard(pair.guard)
        pair.kernel.tend(0.0)
    assert everything() == before
    assert list(pair.kernel.readers()) == []
    pair.kernel.close()


@in_namespaces()
def test_closing_when_the_kernel_refuses_closes_nevertheless() -> None:
    ip("link set lo up")
    with closing(Sockets((OURS,), Ports(0, 0))) as sockets:
        kernel = UserspaceKernel.here(sockets)
        kernel.guard(replace(flow(ipsec_sa()), parameters=()))
        become_nobody()
        with pytest.raises(KernelError, match="cannot remove"):
            kernel.close()
        assert list(kernel.readers()) == []


@in_namespaces()
def test_one_in_a_namespace() -> None:
    with beyond():
        other = Sockets((PEERS,), Ports(0, 0))
        with closing(other), pytest.raises(NetworkError, match="`esp0` is of another ike-auth that runs here"):
            UserspaceKernel.here(other)


# --- what cannot be had


@in_namespaces()
def test_esp_without_udp_needs_a_raw_socket() -> None:
    ip("link set lo up")
    with closing(Sockets((OURS,), Ports(0, 0))) as sockets:
        kernel = UserspaceKernel(sockets, Tun.open(), Netlink.open(), marked=False)
        with closing(kernel):
            sa = ipsec_sa()
            bare = replace(sa, parameters=replace(sa.parameters, encapsulation=EncapsulationMode.TUNNEL))
            with pytest.raises(KernelError, match="only root can send ESP without UDP"):
                kernel.install(bare)
            kernel.install(sa)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"encapsulation": EncapsulationMode.UDP_TRANSPORT}, "userspace has tunnel mode only"),
        ({"protocol": ProtocolId.AH}, "userspace has ESP and IPCOMP only"),
    ],
)
@in_namespaces()
def test_what_userspace_does_not_have(change: dict[str, Any], why: str) -> None:
    with beyond() as pair:
        parameters = replace(pair.out.parameters, **change)
        with pytest.raises(KernelError, match=why):
            pair.kernel.install(replace(pair.out, parameters=parameters))
        if "protocol" in change:
            with pytest.raises(KernelError, match=why):
                pair.kernel.add_flow(replace(pair.flow, parameters=(parameters,)))
            assert way("10.2.0.1") != "esp0"


# --- peers that move


@in_namespaces()
def test_a_peer_behind_a_nat_is_followed_to_another_port() -> None:
    with beyond() as pair, a_host() as host, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mapped:
        pair.set_up()
        mapped.bind((str(PEERS), 0))
        pair.send(greeting(b"from another port"), via=mapped)
        pair.turn(lambda: answered(host))
        pair.outside = mapped
        host.recv(100)
        host.sendto(b"to it", ("10.2.0.1", 53))
        assert pair.sent()[0][DATA] == b"to it"
        there = Endpoint(PEERS, mapped.getsockname()[1])
        assert pair.events == [SaUsed(pair.back.spi), PeerMoved(pair.back.spi, pair.back.destination, there)]


@in_namespaces()
def test_an_sa_is_moved_by_whoever_knows_better() -> None:
    """Another tunnel with the same peer has shown where it is."""
    with beyond() as pair, a_host() as host, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mapped:
        pair.set_up()
        mapped.bind((str(PEERS), 0))
        pair.kernel.move(replace(pair.out, destination=Endpoint(PEERS, mapped.getsockname()[1])))
        pair.kernel.move(replace(pair.out, spi=b"none"))
        pair.outside = mapped
        host.sendto(b"to it", ("10.2.0.1", 53))
        assert pair.sent()[0][DATA] == b"to it"


@in_namespaces()
def test_no_packet_moves_a_peer_to_another_host() -> None:
    """It is delivered, being authentic; but answers go where the peer was."""
    with beyond() as pair, a_host() as host, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        pair.set_up()
        other.bind(("127.0.0.3", 0))
        pair.send(greeting(b"from elsewhere"), via=other)
        pair.turn(lambda: answered(host))
        host.recv(100)
        host.sendto(b"to the old place", ("10.2.0.1", 53))
        assert pair.sent()[0][DATA] == b"to the old place"


@in_namespaces()
def test_a_copy_moves_nobody() -> None:
    with beyond() as pair, a_host() as host, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as copier:
        pair.set_up()
        copier.bind((str(PEERS), 0))
        [burst] = pair.peer.outbound(bytes(10) + greeting(b"once"), 1.0).bursts
        for via in (pair.outside, copier):
            via.sendto(burst.data, (str(OURS), pair.back.destination.port))
        pair.turn(lambda: pair.kernel.drops == {"replayed": 1})
        assert host.recv(100) == b"once"
        host.sendto(b"to the peer", ("10.2.0.1", 53))
        assert pair.sent()[0][DATA] == b"to the peer"


# --- what the network does


@in_namespaces()
def test_a_device_that_was_taken_away() -> None:
    with beyond() as pair:
        pair.set_up()
        exchange(pair)
        ip("link delete esp0")
        [read, *_] = [read for _, read in pair.kernel.readers()]
        with pytest.raises(KernelError, match=REPLACED):
            read()
        exchange(pair)


@in_namespaces()
def test_a_device_that_was_set_down_is_missed_when_the_peer_sends() -> None:
    with beyond() as pair:
        pair.set_up()
        ip("link set esp0 down")
        pair.send(greeting(b"lost"))
        with pytest.raises(KernelError, match=REPLACED):
            pair.turn(lambda: False)
        assert pair.events == [SaUsed(pair.back.spi)]  # it came, after all
        exchange(pair)


@in_namespaces()
def test_a_device_that_was_set_down_is_missed_after_a_while() -> None:
    with beyond() as pair:
        pair.set_up()
        now = clock.now().monotonic
        again = pair.kernel.tend(now)
        assert again is not None
        assert now < again <= now + 10
        ip("link set esp0 down")
        with pytest.raises(KernelError, match=REPLACED):
            pair.kernel.tend(again)
        exchange(pair)


@in_namespaces()
def test_bursts_over_a_path_that_is_too_narrow_for_them() -> None:
    """Packets of 1280 bytes, the least that IPv6 may be told, do not fit into a path of 1280. Each is cut alone."""
    with beyond(local=HERE6, remote=THERE6) as pair, a_host("fd00:1::1") as host:
        ip("link set lo mtu 1280")
        pair.set_up()
        sent = [bytes([number]) * 1232 for number in range(8)]
        for data in sent:
            host.sendto(data, ("fd00:2::1", 53))
        assert [packet[48:] for packet in pair.sent(8)] == sent
        assert pair.kernel.drops == {}


@in_namespaces()
def test_what_cannot_be_sent_is_counted() -> None:
    with beyond() as pair, a_host() as host:
        nowhere = replace(pair.out, destination=Endpoint(ip_address("192.0.2.2"), 4500))
        pair.kernel.install(at_the_peer(replace(pair.back, source=nowhere.destination)))
        pair.kernel.install(nowhere)
        pair.kernel.add_flow(replace(pair.flow, remote_address=nowhere.destination.host))
        host.sendto(b"lost", ("10.2.0.1", 53))
        pair.turn(lambda: pair.kernel.drops == {"not sent": 1})
