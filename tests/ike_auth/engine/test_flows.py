# SPDX-License-Identifier: ISC
"""Which traffic is told to the kernel: guarded from the start, carried as long as a tunnel is up."""

from ipaddress import ip_address

import pytest

from ike_auth.effects import AddFlow
from ike_auth.events import TunnelUp
from ike_auth.sa import Flow
from ike_auth.wire.identities import Selector
from tests.ike_auth.configurations import A, B, gateway
from tests.ike_auth.simulation import Host, Network, host


@pytest.fixture
def ends() -> tuple[Host, Host]:
    return host(A, gateway(A, active=True)), host(B, gateway(B, active=False), seed=1)


@pytest.fixture
def network(ends: tuple[Host, Host]) -> Network:
    network = Network(*ends)
    network.start()
    return network


def test_configured_traffic_is_guarded_before_there_is_a_tunnel(network: Network, ends: tuple[Host, Host]) -> None:
    guards = [next(iter(end.guards)) for end in ends]
    assert [str(guard) for guard in guards] == ["10.1.0.0/16 ↔ 10.2.0.0/16", "10.2.0.0/16 ↔ 10.1.0.0/16"]
    assert not any(guard.parameters for guard in guards)
    assert [end.flows for end in ends] == [{}, {}]


def test_a_tunnel_brings_its_flow_and_the_last_one_takes_it_away(network: Network, ends: tuple[Host, Host]) -> None:
    network.run(1)
    a, _ = ends
    assert list(a.flows.values()) == [a.of(TunnelUp)[0].tunnel.flow]
    for _ in range(2):
        network.do(a, a.engine.initiate("tunnel", network.clock))
        network.run(1)
    assert len(a.engine.table.tunnels) == 3
    for left in (2, 1, 0):
        network.do(a, a.engine.sa_gone(a.engine.table.tunnels[0].inbound[0].spi, "test", network.clock))
        network.run(1)
        assert [len(end.engine.table.tunnels) for end in ends] == [left, left]
        assert [len(end.flows) for end in ends] == [min(left, 1)] * 2
    assert [len(end.guards) for end in ends] == [1, 1]


def test_the_kernel_is_told_once_for_tunnels_that_are_alike(network: Network, ends: tuple[Host, Host]) -> None:
    told: list[Flow] = []
    a, _ = ends
    a.watch = lambda effect: told.append(effect.flow) if isinstance(effect, AddFlow) else None
    network.run(1)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(told) == 1


def test_a_flow_that_the_kernel_refuses_ends_its_tunnels(network: Network, ends: tuple[Host, Host]) -> None:
    network.run(1)
    a, _ = ends
    network.do(a, a.engine.flow_gone(a.engine.table.tunnels[0].flow, "no route", network.clock))
    network.run(1)
    assert [end.engine.table.tunnels for end in ends] == [(), ()]
    assert [end.flows for end in ends] == [{}, {}]


def test_stopping_takes_the_guards_away(network: Network, ends: tuple[Host, Host]) -> None:
    network.run(1)
    for end in ends:
        network.do(end, end.engine.stop(network.clock))
        assert (end.guards, end.flows) == (set(), {})


def test_a_waiting_packet_brings_up_the_connection_that_is_for_it(ends: tuple[Host, Host]) -> None:
    passive = gateway(A, active=False)
    a, b = host(A, passive), ends[1]
    network = Network(a, b)
    network.start()
    network.run(1)
    assert a.engine.table.tunnels == ()
    of_others = Selector.of(ip_address("10.3.0.1"))
    one, other = (Selector.of(ip_address(address), 6, 0) for address in ("10.1.2.3", "10.2.3.4"))
    network.do(a, a.engine.acquire(one, of_others, network.clock))
    network.run(1)
    assert a.engine.table.tunnels == ()
    network.do(a, a.engine.acquire(one, other, network.clock))
    network.do(a, a.engine.acquire(one, other, network.clock))
    network.run(1)
    (up,) = a.of(TunnelUp)
    assert up.tunnel.connection == "tunnel"


def test_older_tunnels_go_once_the_peer_sends_through_a_newer_one(network: Network, ends: tuple[Host, Host]) -> None:
    network.run(1)
    a, b = ends
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    newest = b.engine.table.tunnels[-1]
    network.do(b, b.engine.sa_used(newest.inbound[0].spi, network.clock))
    network.run(10)
    assert b.engine.table.tunnels == (newest,)
    assert len(a.engine.table.tunnels) == 1
    assert [len(end.flows) for end in ends] == [1, 1]


def test_a_soft_limit_renews_the_tunnel(network: Network, ends: tuple[Host, Host]) -> None:
    network.run(1)
    a, _ = ends
    spi = a.engine.table.tunnels[0].outbound[0].spi
    network.do(a, a.engine.sa_soft_limit(spi, network.clock, inbound=False))
    network.run(1)
    assert len(a.engine.table.tunnels) == 2
