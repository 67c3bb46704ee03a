# SPDX-License-Identifier: ISC
"""A NAT gives a peer another port: all that is with this peer follows, and nothing that is with somebody else."""

from dataclasses import replace

import pytest

from ike_auth.engine.following import follow
from ike_auth.network import Datagram, Endpoint
from ike_auth.sa import IpsecSa
from ike_auth.wire.identities import Identity
from tests.ike_auth.configurations import A
from tests.ike_auth.engine.test_nat import OUTSIDE, behind, ike_sa
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, meet
from tests.ike_auth.nat import Nat
from tests.ike_auth.simulation import Host, Network, endpoint


def two_tunnels(options: Options = FAST) -> tuple[Host, Host, Nat, Network]:
    """A is behind the NAT, and B has two tunnels with it."""
    a, b, nat = behind(A, options)
    network = meet(a, b, nat, seconds=1)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(b.engine.table.tunnels) == 2
    return a, b, nat, network


def ends(host: Host) -> set[Endpoint]:
    """Where the SAs in a host's kernel have their peer."""
    return {_theirs(sa) for sa in host.installed.values()}


def _theirs(sa: IpsecSa) -> Endpoint:
    return sa.source if sa.inbound else sa.destination


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
def test_a_message_moves_all_tunnels(options: Options) -> None:
    a, b, nat, network = two_tunnels(options)
    nat.forget()
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    now_at = endpoint(OUTSIDE, nat.port_of(4500))
    assert ends(b) == {now_at}
    assert len(b.installed) == 6
    assert {tunnel.at for tunnel in b.engine.status(network.clock).tunnels} == {str(now_at)}


def test_a_packet_moves_all_tunnels_and_the_ike_sa() -> None:
    a, b, nat, network = two_tunnels()
    nat.forget()
    network.send(Datagram(b"anything", endpoint(A, 4500), ike_sa(a).remote))
    now_at = endpoint(OUTSIDE, nat.port_of(4500))
    used = b.engine.table.tunnels[1].inbound[0]
    network.do(b, b.engine.peer_moved(used.spi, now_at))
    assert ends(b) == {now_at}
    assert ike_sa(b).remote == now_at
    network.do(b, b.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(a.engine.table.tunnels) == 3, "B reaches A where A is now"


def test_what_is_under_way_goes_to_the_new_port() -> None:
    """B has asked at the old one, and asks again."""
    a, b, nat, network = two_tunnels()
    nat.forget()
    network.do(b, b.engine.initiate("tunnel", network.clock))
    network.run(0.5)
    assert len(a.engine.table.tunnels) == 2
    network.send(Datagram(b"anything", endpoint(A, 4500), ike_sa(a).remote))
    used = b.engine.table.tunnels[0].inbound[0]
    network.do(b, b.engine.peer_moved(used.spi, endpoint(OUTSIDE, nat.port_of(4500))))
    network.run(20)
    assert len(a.engine.table.tunnels) == 3


def test_a_copy_of_a_message_moves_nothing() -> None:
    """Neither of one that is remembered, nor of one whose exchange is forgotten, nor anything else from there."""
    _, b, _, network = two_tunnels()
    before, theirs = ends(b), ike_sa(b).remote
    elsewhere = endpoint(OUTSIDE, 999)
    for wait in (0, 1000):
        network.run(wait)
        copies = [d for d in network.carried if d.local.host != b.address]
        for datagram in copies:
            network.inject(replace(datagram, local=elsewhere))
            network.inject(replace(datagram, local=elsewhere, data=datagram.data[:-1] + b"\0"))
        network.run(1)
        assert ends(b) == before
        assert ike_sa(b).remote == theirs


def test_the_host_does_not_change() -> None:
    _, b, _, network = two_tunnels()
    before = ends(b)
    used = b.engine.table.tunnels[0].inbound[0]
    network.do(b, b.engine.peer_moved(used.spi, endpoint("203.0.113.9", 4500)))
    assert ends(b) == before
    assert b.engine.peer_moved(b"none", endpoint(OUTSIDE, 999)) == []


def test_who_is_at_another_port_or_is_somebody_else_stays() -> None:
    """Several hosts behind one NAT, of which some may share a name."""
    _, b, _, _ = two_tunnels()
    core, first = b.engine._core, b.engine.table.tunnels[0]
    elsewhere = endpoint(OUTSIDE, 50_000)
    shared = replace(first, outbound=tuple(replace(sa, destination=elsewhere) for sa in first.outbound))
    core.sas.change_tunnel(shared)
    other = replace(b.engine.table.tunnels[1], identity=Identity.fqdn("other.example.org"))
    core.sas.change_tunnel(other)
    peer, old = (first.peer, first.identity), ike_sa(b).remote
    assert follow(core, peer, old, endpoint(OUTSIDE, 999)) == []
    assert b.engine.table.tunnels == (shared, other)
    assert ike_sa(b).remote == endpoint(OUTSIDE, 999)
