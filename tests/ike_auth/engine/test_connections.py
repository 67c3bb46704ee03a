# SPDX-License-Identifier: ISC
"""What is brought up, when, and under which IKE SA."""

from dataclasses import replace
from ipaddress import ip_address

import pytest

from ike_auth.errors import LocalError
from ike_auth.events import ExchangeFailed, IkeSaDown, IkeSaUp, TunnelUp
from ike_auth.network import Datagram
from ike_auth.wire.header import Header
from ike_auth.wire.numbers import Doi, ExchangeType, Group, NotifyType, ProtocolId
from ike_auth.wire.payloads import Notification
from tests.ike_auth.configurations import COMPRESSED, A, B
from tests.ike_auth.engine.words import say, two
from tests.ike_auth.gateways import FAST, assert_joined, assert_nothing_left, leftovers, meet, pair
from tests.ike_auth.simulation import Host, Network, deliver, endpoint


def exchanges(network: Network, source: str) -> list[ExchangeType]:
    return [Header.decode(d.data).exchange for d in network.carried if str(d.local.host) == source]


# --- at start and at each check


def test_active_connections_come_up_at_the_start_and_passive_ones_do_not() -> None:
    a, b = pair()
    network = Network(a, b)
    network.do(b, b.engine.start(network.clock))
    assert network.carried == []
    network.do(a, a.engine.start(network.clock))
    network.run(1)
    assert_joined(a, b)


def test_two_connections_with_one_peer_share_an_ike_sa() -> None:
    a, b = two()
    network = meet(a, b, seconds=1)
    assert_joined(a, b, tunnels=2)
    assert len(a.engine.table.ike_sas) == 1
    assert exchanges(network, A).count(ExchangeType.MAIN) == 3
    assert {tunnel.connection for tunnel in a.engine.table.tunnels} == {"tunnel", "second"}
    assert {tunnel.connection for tunnel in b.engine.table.tunnels} == {"tunnel", None}


def test_what_is_up_is_left_alone() -> None:
    a, b = pair()
    network = meet(a, b, seconds=600)
    assert len(network.carried) == 9


def test_what_went_down_is_brought_up_at_the_next_check() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(b, b.engine.sa_gone(b.engine.table.tunnels[0].inbound[0].spi, "operator", network.clock))
    network.run(30)
    assert not a.installed
    network.run(60)
    assert_joined(a, b)
    assert len(a.of(IkeSaUp)) == 1, "the IKE SA was still there"


def test_the_interval_of_checks_is_configured() -> None:
    a, b = pair({**FAST, "general": "Check-interval= 10"})
    network = meet(a, b, lambda number, datagram: [], seconds=0.5)
    network._tamper = deliver
    network.run(8)  # the first repetition
    assert_joined(a, b)


def test_a_peer_that_does_not_answer_is_tried_again_at_every_check() -> None:
    a, b = pair()
    network = meet(a, b, lambda number, datagram: [], seconds=200)
    failed = a.of(ExchangeFailed)
    assert [event.why.split(";")[0] for event in failed] == ["no main mode 2 after 4 attempts"] * 3
    assert len(network.carried) == 15, "four of each attempt, and the fourth attempt is under way"
    network._tamper = deliver
    network.run(100)
    assert_joined(a, b)


def test_repetitions_come_after_7_9_and_11_seconds() -> None:
    a, b = pair()
    network = Network(a, b, tamper=lambda number, datagram: [])
    moments: list[float] = []
    send = network.send

    def noted(datagram: Datagram) -> None:
        moments.append(network.now)
        send(datagram)

    network.send = noted  # type: ignore[method-assign]
    network.start()
    network.run(50)
    assert moments == [0.0, 7.0, 16.0, 27.0]


# --- by hand


def test_initiate_twice_while_it_is_under_way_is_once() -> None:
    a, b = pair(of_a={"active": False})
    network = Network(a, b)
    for _ in range(3):
        network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert_joined(a, b)
    assert len(network.carried) == 9


def test_initiate_what_is_up_makes_another_tunnel_under_the_same_ike_sa() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert_joined(a, b, tunnels=2)
    assert len(a.of(IkeSaUp)) == 1


def test_more_tunnels_for_the_same_traffic_replace_the_oldest() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    first = a.engine.table.tunnels[0]
    for _ in range(6):
        network.do(a, a.engine.initiate("tunnel", network.clock))
        network.run(1)
    assert_joined(a, b, tunnels=4)
    assert first not in a.engine.table.tunnels


def test_an_unknown_connection() -> None:
    a, _ = pair()
    with pytest.raises(KeyError):
        a.engine.initiate("no such", Network(a).clock)


def test_a_second_connection_waits_for_the_ike_sa_that_the_first_is_making() -> None:
    a, b = two()
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.do(a, a.engine.initiate("second", network.clock))
    network.run(1)
    assert_joined(a, b, tunnels=2)
    assert len(a.engine.table.ike_sas) == 1


def test_a_peer_without_an_address_has_to_begin_itself() -> None:
    a, b = pair()
    peers = {name: replace(peer, address=None) for name, peer in a.configuration.peers.items()}
    alone = Host(a.address, replace(a.configuration, peers=peers), seed=1)
    network = Network(alone, b)
    network.start()
    network.run(200)
    assert network.carried == []
    assert alone.engine.initiate("tunnel", network.clock) == []


def test_nothing_to_offer_is_said_and_tried_again() -> None:
    a, b = pair()
    transforms = tuple(replace(t, hash=None) for t in a.configuration.peers["peer"].transforms)
    peers = {"peer": replace(a.configuration.peers["peer"], transforms=transforms)}
    mute = Host(a.address, replace(a.configuration, peers=peers), seed=1)
    meet(mute, b, seconds=130)
    assert [event.why for event in mute.of(ExchangeFailed)] == [
        "10.99.0.1.conf:12: peer `peer` has no transform that can be offered, only `ANY`"
    ] * 3


def test_no_way_to_a_peer_is_said() -> None:
    a, b = pair()

    def nowhere(_: object) -> None:
        raise LocalError("the network is unreachable")

    a.engine._core.source_address = nowhere  # type: ignore[assignment]
    meet(a, b, seconds=1)
    assert str(a.of(ExchangeFailed)[0]) == "main mode with peer at 10.99.0.2:500 failed: the network is unreachable"


def test_a_tunnel_that_cannot_be_offered_is_said_and_tried_again() -> None:
    a, b = pair()
    (tunnel,) = a.configuration.connections.values()
    (suite,) = tunnel.suites
    (protocol,) = suite.protocols
    unknown = tuple(replace(t, group=Group.EC2N_155) for t in protocol.transforms)
    suites = (replace(suite, protocols=(replace(protocol, transforms=unknown),)),)
    connections = {"tunnel": replace(tunnel, suites=suites)}
    unable = Host(a.address, replace(a.configuration, connections=connections), seed=1)
    meet(unable, b, seconds=70)
    assert [event.why for event in unable.of(ExchangeFailed)] == ["group EC2N_155"] * 2
    assert len(unable.engine.table.ike_sas) == 1


def test_an_spi_is_neither_reserved_nor_in_use() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    (tunnel,) = a.engine.table.tunnels
    draws = iter([b"\0\0\0\7", b"\0\0\x0f\xff", tunnel.inbound[0].spi, b"\0\0\x10\0"])
    a.engine._core.random = lambda size: next(draws)
    local = a.engine._core.local(endpoint(A), endpoint(B), network.clock)
    assert local.new_spi(ProtocolId.ESP) == b"\0\0\x10\0"


def test_a_kernel_is_asked_for_spis_of_its_own() -> None:
    a, _ = pair()
    asked: list[object] = []

    def reserve(*what: object) -> bytes:
        asked.append(what)
        return b"kern"

    a.engine._core.reserve_spi = reserve
    local = a.engine._core.local(endpoint(A), endpoint(B), Network(a).clock)
    assert local.new_spi(ProtocolId.ESP) == b"kern"
    assert asked == [(ProtocolId.ESP, ip_address(B), ip_address(A))]


def test_a_kernel_that_gives_none_ends_the_exchange_alone() -> None:
    a, b = pair()

    def refuse(*_: object) -> bytes:
        raise LocalError("the kernel has no SPI left")

    a.engine._core.reserve_spi = refuse
    meet(a, b, seconds=1)
    assert [event.why for event in a.of(ExchangeFailed)] == ["the kernel has no SPI left"]
    assert len(a.engine.table.ike_sas) == 1


def test_a_cpi_is_one_that_is_negotiated_and_not_in_use() -> None:
    compressed = {**FAST, "suites": "compressed", "sections": COMPRESSED}
    a, b = pair(compressed)
    network = meet(a, b, seconds=1)
    (tunnel,) = a.engine.table.tunnels
    draws = iter([b"\0\xff", b"\xf0\0", tunnel.inbound[0].spi, b"\xef\xff"])
    a.engine._core.random = lambda size: next(draws)
    local = a.engine._core.local(endpoint(A), endpoint(B), network.clock)
    assert local.new_spi(ProtocolId.IPCOMP) == b"\xef\xff"


def test_when_all_cpis_are_in_use_that_is_said() -> None:
    a, _ = pair()
    a.engine._core.random = bytes
    local = a.engine._core.local(endpoint(A), endpoint(B), Network(a).clock)
    with pytest.raises(LocalError, match="nearly all SPIs of IPCOMP are in use"):
        local.new_spi(ProtocolId.IPCOMP)


# --- both at once


def test_both_sides_begin_at_the_same_moment() -> None:
    a, b = pair(of_b={"active": True})
    meet(a, b, seconds=600)
    assert_joined(a, b, tunnels=2)
    assert len(a.engine.table.ike_sas) == len(b.engine.table.ike_sas) == 2
    assert [len(end.of(TunnelUp)) for end in (a, b)] == [2, 2]
    assert a.of(ExchangeFailed) == b.of(ExchangeFailed) == []


# --- under which IKE SA


def test_the_newest_ike_sa_and_none_that_is_about_to_end() -> None:
    """Phase 1 lives an hour: after 55 minutes a new tunnel gets a new IKE SA, and the old one ends by itself."""
    a, b = pair()
    network = meet(a, b, seconds=3300)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(a.of(IkeSaUp)) == 2
    newest = list(a.engine.table.ike_sas.values())[-1]
    assert a.engine.table.tunnels[-1].cookies == newest.cookies
    network.run(400)
    assert list(a.engine.table.ike_sas.values()) == [newest]
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(a.of(IkeSaUp)) == 2


def test_an_ike_sa_that_ends_takes_along_what_is_under_way_under_it() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    (ike,) = a.engine.table.ike_sas.values()
    network._tamper = lambda number, datagram: []
    network.do(a, a.engine.initiate("tunnel", network.clock))
    a.engine.table.ike_sas[ike.cookies] = replace(ike, expires=network.now + 5)
    effects = a.engine._core.timers
    effects.set(next(t for t in effects if type(t).__name__ == "IkeExpires"), network.now + 5)
    network.run(6)
    (failed,) = a.of(ExchangeFailed)
    assert failed.why.startswith("its phase 1 is gone: expired")
    assert leftovers(a).get("_exchanges") is None or all(e.ike is None for e in a.engine.exchanges)


def test_a_peer_that_has_lost_the_ike_sa_gets_a_new_one() -> None:
    """It restarted without a word: a quick mode that nobody answers gives the IKE SA up."""
    a, b = pair()
    network = meet(a, b, seconds=1)
    reborn = Host(b.address, b.configuration, seed=99)
    network.hosts[b.address] = reborn
    network.do(a, a.engine.sa_gone(a.engine.table.tunnels[0].inbound[0].spi, "operator", network.clock))
    network.run(59)
    assert not a.installed
    network.run(41)
    (down,) = a.of(IkeSaDown)
    assert down.why == "the peer does not answer under it"
    assert "no quick mode 2 after 4 attempts" in a.of(ExchangeFailed)[-1].why
    network.run(60)
    assert_joined(a, reborn)


def test_an_ike_sa_under_which_the_peer_still_speaks_is_kept() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)

    def one_way(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        quick = Header.decode(datagram.data).exchange == ExchangeType.QUICK
        return [] if quick and str(datagram.local.host) == A else deliver(0, datagram)

    network._tamper = one_way
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(2)
    say(network, b, Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.R_U_THERE, b"", b"\0\0\0\1"))
    network.run(60)
    assert "no quick mode 2 after 4 attempts" in a.of(ExchangeFailed)[0].why
    assert a.of(IkeSaDown) == []


# --- the end


def test_stop_tells_the_peer_and_forgets_everything() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.stop(network.clock))
    assert len(network.carried) == 11, "one delete for the tunnel, one for the IKE SA"
    network.run(200)
    assert_nothing_left(a, b)
    assert a.engine.next_wake() is None
    assert [event.why for event in b.of(IkeSaDown)] == ["deleted by the peer"]


def test_stop_without_a_word() -> None:
    a, b = pair({**FAST, "general": "Delete-SAs= no"})
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.stop(network.clock))
    assert len(network.carried) == 9
    assert_nothing_left(a)
    assert len(b.installed) == 2


@pytest.mark.parametrize("number", range(1, 10))
def test_stop_in_the_middle(number: int) -> None:
    a, b = pair()
    network = Network(a, b, tamper=lambda count, datagram: deliver(count, datagram) if count < number else [])
    network.start()
    network.run(1)
    for end in (a, b):
        network.do(end, end.engine.stop(network.clock))
    assert_nothing_left(a, b)
    assert [end.engine.next_wake() for end in (a, b)] == [None, None]
