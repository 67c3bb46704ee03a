# SPDX-License-Identifier: ISC
"""The peer says under an IKE SA that it does not have an SA of ours: INVALID-SPI, RFC 2408 3.14.1."""

from dataclasses import replace

from ike_auth.engine.lacking import INTERVAL, LACKS
from ike_auth.events import PeerNotified, TunnelDown
from ike_auth.wire.numbers import Doi, NotifyType, ProtocolId
from ike_auth.wire.payloads import Notification
from tests.ike_auth.engine.traffic import Pings
from tests.ike_auth.engine.words import ike_sa, say
from tests.ike_auth.gateways import FAST, meet, pair
from tests.ike_auth.simulation import FLIGHT, Host, Network


def lacks(spi: bytes, protocol: ProtocolId = ProtocolId.ESP) -> Notification:
    return Notification(Doi.IPSEC, protocol, NotifyType.INVALID_SPI, spi)


def newest(host: Host) -> bytes:
    """The SPI at which the newest tunnel comes in."""
    return host.engine.table.tunnels[-1].inbound[0].spi


def joined() -> tuple[Host, Host, Network]:
    a, b = pair(FAST)
    return a, b, meet(a, b, seconds=10)


def test_the_tunnel_is_renewed_and_then_the_old_one_goes() -> None:
    """B has lost its end of the tunnel, and not the IKE SA."""
    a, b, network = joined()
    lost = newest(b)
    (tunnel,) = b.engine.table.tunnels
    b.engine.table.remove_tunnel(tunnel)
    b.installed.clear()
    say(network, b, lacks(lost))
    assert [len(end.engine.table.tunnels) for end in (a, b)] == [2, 1]
    assert a.engine.table.tunnels[-1].inbound[0].spi == b.engine.table.tunnels[0].outbound[0].spi
    assert [event.notify for event in a.of(PeerNotified)] == ["INVALID_SPI"]
    pings = Pings.between(network, flight=FLIGHT)
    pings.run(20)
    assert len(a.installed) == len(b.installed) == 2
    assert pings.outage() == 0


def test_also_where_the_peer_has_begun_it_if_we_could_have() -> None:
    a, b, network = joined()
    say(network, a, lacks(newest(a)))
    assert len(a.engine.table.tunnels) == len(b.engine.table.tunnels) == 2


def test_not_again_and_again() -> None:
    """A peer that says so of each new one."""
    a, b, network = joined()
    for _ in range(10):
        say(network, b, lacks(newest(b)))
    assert len(a.engine.table.tunnels) == 2
    network.run(INTERVAL)
    say(network, b, lacks(newest(b)))
    assert len(a.engine.table.tunnels) == 3


def test_of_one_that_has_a_successor_nothing_follows() -> None:
    a, b, network = joined()
    old = newest(b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    say(network, b, lacks(old))
    assert len(a.engine.table.tunnels) == 2


def test_of_what_is_not_the_peers_nothing_follows() -> None:
    """An SPI of ours, one of nobody's, one of another peer's, and none."""
    a, b, network = joined()
    say(network, b, lacks(newest(a)), lacks(b"none"), lacks(b""), lacks(bytes(4)))
    (tunnel,) = a.engine.table.tunnels
    a.engine.table.change_tunnel(replace(tunnel, identity=ike_sa(a).own_identity))
    say(network, b, lacks(newest(b)))
    assert len(a.engine.table.tunnels) == 1
    assert len(b.engine.table.tunnels) == 1


def test_what_we_cannot_renew_goes_at_both_ends() -> None:
    a, b, network = joined()
    (tunnel,) = b.engine.table.tunnels
    b.engine.table.change_tunnel(replace(tunnel, connection=None))
    say(network, a, lacks(newest(a)))
    assert [event.why for event in b.of(TunnelDown)] == [LACKS]
    assert b.installed == {}
    assert [event.why for event in a.of(TunnelDown)] == ["deleted by the peer"]
