# SPDX-License-Identifier: ISC
"""Tunnels are renewed before their end, and nothing is lost on the way from one to the next."""

from dataclasses import replace
from random import Random

import pytest

from ike_auth.engine import renewal, traffic
from ike_auth.engine.core import Renew
from ike_auth.engine.traffic import GRACE
from ike_auth.events import ExchangeFailed, IkeSaUp, TunnelDown, TunnelUp
from ike_auth.network import Datagram
from ike_auth.sa import Tunnel
from ike_auth.wire.header import Header
from ike_auth.wire.numbers import ExchangeType
from tests.ike_auth.engine.hostile import Run
from tests.ike_auth.engine.traffic import Pings
from tests.ike_auth.engine.words import denied_from, two
from tests.ike_auth.gateways import FAST, assert_joined, leftovers, meet, pair
from tests.ike_auth.simulation import FLIGHT, Host, Network, deliver

LIFE = 1200.0  # the default, seconds


def lives(ike: int | None = None, tunnel: int | None = None) -> dict[str, str]:
    """Options: lifetimes in seconds."""
    text = ""
    for name, seconds in (("LIFE_MAIN_MODE", ike), ("LIFE_QUICK_MODE", tunnel)):
        if seconds is not None:
            text += f"[{name}]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= {seconds},1:86400\n"
    return {**FAST, "sections": text}


def silent(network: Network) -> None:
    """Nothing arrives any more."""
    network._tamper = lambda number, datagram: []


def ups(host: Host) -> list[Tunnel]:
    return [event.tunnel for event in host.of(TunnelUp)]


# --- when


def test_whoever_began_a_tunnel_renews_it_after_80_to_90_percent_of_its_life() -> None:
    parts = []
    for seed in range(12):
        a, b = pair(seed=seed)
        meet(a, b, seconds=LIFE - 1)
        first, second = ups(a)
        assert second.initiator
        parts.append((second.established - first.established) / LIFE)
    assert all(0.8 <= part <= 0.9 for part in parts)
    assert max(parts) - min(parts) > 0.05, "not all at the same moment"


def test_the_other_end_renews_it_after_90_to_95_percent_if_that_has_not_happened() -> None:
    for seed in range(4):
        a, b = pair(seed=seed)
        network = meet(a, b, seconds=1)
        a.engine._core.timers.cancel(Renew(a.engine.table.tunnels[0].inbound[0].spi))
        network.run(LIFE - 2)
        first, second = ups(b)
        assert second.initiator
        assert 0.9 <= (second.established - first.established) / LIFE <= 0.95


def test_what_is_of_no_connection_is_not_renewed_here() -> None:
    a, b = two()
    network = meet(a, b, seconds=1)
    for tunnel in a.engine.table.tunnels:
        a.engine._core.timers.cancel(Renew(tunnel.inbound[0].spi))
    network.run(LIFE - 2)
    assert sorted(str(tunnel.connection) for tunnel in ups(b)) == ["None", "tunnel", "tunnel"]


def test_a_peer_without_an_address_is_met_under_the_ike_sa_that_is_there() -> None:
    """Even if its end is near: there will be no other until the peer makes one."""
    a, b = pair(lives(ike=1150))
    peers = {name: replace(peer, address=None) for name, peer in b.configuration.peers.items()}
    b = Host(b.address, replace(b.configuration, peers=peers), seed=b.seed)
    network = meet(a, b, seconds=1)
    a.engine._core.timers.cancel(Renew(a.engine.table.tunnels[0].inbound[0].spi))
    network.run(LIFE - 2)
    assert [tunnel.initiator for tunnel in ups(b)] == [False, True]
    assert len(b.of(IkeSaUp)) == 1


@pytest.mark.parametrize("life", [2, 5, 20, 100])
def test_short_lives(life: int) -> None:
    a, b = pair(lives(tunnel=life))
    network = meet(a, b, seconds=1)
    pings = Pings.between(network, every=life / 40, flight=FLIGHT)
    pings.run(life * 6)
    assert pings.lost() == 0
    assert_mirrors(a, b)


def assert_mirrors(a: Host, b: Host) -> None:
    assert {(inbound, spi) for inbound, spi in a.installed} == {(not inbound, spi) for inbound, spi in b.installed}
    assert a.installed


# --- make before break


@pytest.mark.parametrize("seed", range(3))
def test_no_packet_is_lost_in_a_day(seed: int) -> None:
    """Over IKE SAs that end meanwhile."""
    a, b = pair(of_b={"active": seed == 2}, seed=seed)
    network = meet(a, b, seconds=1)
    pings = Pings.between(network, every=2.0)
    pings.run(86400)
    assert pings.lost() == 0
    assert len(a.engine.table.tunnels) <= 2
    assert 70 < len(ups(a)) < 200
    assert 20 < len(a.of(IkeSaUp)) < 60
    assert a.of(ExchangeFailed) == b.of(ExchangeFailed) == []
    assert {event.why for end in (a, b) for event in end.of(TunnelDown)} <= {"replaced", "deleted by the peer"}


@pytest.mark.parametrize(("grace", "enough"), [(GRACE, True), (0.1, False)])
def test_packets_that_are_overtaken_arrive(monkeypatch: pytest.MonkeyPatch, grace: float, enough: bool) -> None:
    """They are under way for up to four seconds."""
    monkeypatch.setattr(traffic, "GRACE", grace)
    a, b = pair(lives(tunnel=100))
    network = meet(a, b, seconds=1)
    pings = Pings.between(network, every=0.05, flight=4.0)
    pings.run(1000)
    assert (pings.lost() == 0) is enough


def test_the_old_tunnel_goes_five_seconds_after_traffic_comes_through_the_new_one() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(60)
    assert_joined(a, b, tunnels=2)
    new = b.engine.table.tunnels[-1]
    network.do(b, b.engine.sa_used(new.inbound[0].spi, network.clock))
    network.run(GRACE - 0.1)
    assert_joined(a, b, tunnels=2)
    network.run(0.2)
    assert_joined(a, b)
    assert b.engine.table.tunnels == (new,)
    assert [event.why for event in b.of(TunnelDown)] == ["replaced"]


def test_without_traffic_the_old_tunnel_ends_with_its_life() -> None:
    a, b = pair()
    network = meet(a, b, seconds=LIFE - 1)
    assert_joined(a, b, tunnels=2)
    network.run(2)
    assert_joined(a, b)


def test_the_first_packet_may_come_before_message_3() -> None:
    """Which is lost, and comes again: by then the kernel has nothing more to say."""
    a, b = pair()
    network = meet(a, b, seconds=1)
    quick = [0]

    def without_message_3(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        quick[0] += Header.decode(datagram.data).exchange == ExchangeType.QUICK
        return [] if quick[0] == 3 else deliver(0, datagram)

    network._tamper = without_message_3
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    new = a.engine.table.tunnels[-1]
    assert len(b.engine.table.tunnels) == 1
    network.do(b, b.engine.sa_used(new.outbound[0].spi, network.clock))
    network.run(6.5)
    assert_joined(a, b, tunnels=2)
    network.run(20)
    assert_joined(a, b)


def test_who_never_hears_of_the_new_tunnel_keeps_the_old_one() -> None:
    """Message 3 is lost each time: the new tunnel goes, and traffic goes on through the old one."""
    a, b = pair()
    network = meet(a, b, seconds=1)
    old = a.engine.table.tunnels[0]
    quick = [0]

    def without_message_3(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        from_a = datagram.local.host == a.address and Header.decode(datagram.data).exchange == ExchangeType.QUICK
        quick[0] += from_a
        return [] if from_a and quick[0] > 1 else deliver(0, datagram)

    network._tamper = without_message_3
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(60)
    assert a.engine.table.tunnels == (old,)
    assert_joined(a, b)


def test_both_ends_at_the_same_moment() -> None:
    """Two new tunnels, each end holds another one to be the newest; and at the next renewal there is one again."""
    a, b = pair(of_b={"active": True})
    network = meet(a, b, seconds=1)
    pings = Pings.between(network)
    pings.run(30)
    for _ in range(3):
        for end in (a, b):
            network.do(end, end.engine.initiate("tunnel", network.clock))
        pings.run(LIFE)
    pings.run(LIFE)
    assert pings.lost() == 0
    assert len(a.engine.table.tunnels) <= 2


# --- kilobytes


def test_a_soft_limit_of_our_tunnel_renews_it_at_once_and_once() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    (tunnel,) = a.engine.table.tunnels
    for spi, inbound in ((tunnel.outbound[0].spi, False), (tunnel.inbound[0].spi, True)):
        network.do(a, a.engine.sa_soft_limit(spi, network.clock, inbound=inbound))
        network.run(0.1)
        network.do(b, b.engine.sa_soft_limit(spi, network.clock, inbound=not inbound))
        network.run(10)
    assert_joined(a, b, tunnels=2)


def test_a_soft_limit_of_the_peers_tunnel_leaves_it_some_seconds() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    (tunnel,) = b.engine.table.tunnels
    network.do(b, b.engine.sa_soft_limit(tunnel.outbound[0].spi, network.clock, inbound=False))
    network.run(renewal.COURTESY - 1)
    assert_joined(a, b)
    network.run(2)
    assert_joined(a, b, tunnels=2)
    assert ups(b)[-1].initiator


def test_limits_come_from_what_was_agreed_on_and_configured() -> None:
    suite = """
[LIFE_QUICK_MODE]
LIFE_TYPE= SECONDS
LIFE_DURATION= 1200,60:86400
[own-suite]
Protocols= own-protocol
[own-protocol]
PROTOCOL_ID= IPSEC_ESP
Transforms= own-transform
ReplayWindow= {window}
[own-transform]
TRANSFORM_ID= AES_GCM_16
KEY_LENGTH= 128
Life= LIFE_QUICK_MODE{kilobytes}
[a-gigabyte]
LIFE_TYPE= KILOBYTES
LIFE_DURATION= 1000000,1000:2000000
"""
    options = {**FAST, "suites": "own-suite"}
    agreed = {"sections": suite.format(window=256, kilobytes=",a-gigabyte")}
    plain = {"sections": suite.format(window=0, kilobytes="")}
    for of_a, of_b, expected in (
        (agreed, plain, [(256, 1_000_000), (0, 1_000_000)]),
        (plain, agreed, [(0, None), (256, 1_000_000)]),
    ):
        a, b = pair(options, of_a=of_a, of_b=of_b)
        meet(a, b, seconds=1)
        for end, limits in zip((a, b), expected, strict=True):
            assert {(sa.replay_window, sa.life_kilobytes) for sa in end.installed.values()} == {limits}
            assert not any(sa.esn for sa in end.installed.values())


def test_a_tunnel_of_no_connection_has_the_default_window() -> None:
    a, b = two()
    meet(a, b, seconds=1)
    (free,) = [tunnel for tunnel in b.engine.table.tunnels if tunnel.connection is None]
    assert {sa.replay_window for sa in free.sas} == {64}


# --- what goes wrong


def test_a_renewal_that_fails_is_tried_again_until_the_end() -> None:
    a, b = pair()
    network = meet(a, b, seconds=0.79 * LIFE)
    silent(network)
    network.run(0.205 * LIFE)
    assert len(a.of(ExchangeFailed)) >= 1
    assert len(a.engine.table.tunnels) == 1
    network._tamper = deliver
    network.run(0.001 * LIFE)
    assert len(ups(a)) >= 1
    network.run(0.2 * LIFE)
    assert_mirrors(a, b)


def test_a_network_that_is_back_in_time_costs_no_packet() -> None:
    a, b = pair(seed=3)
    network = meet(a, b, seconds=1)
    pings = Pings.between(network)
    pings.run(0.79 * LIFE)
    silent(network)
    pings.run(100)
    network._tamper = deliver
    pings.run(LIFE)
    assert pings.lost() == 0


def test_when_nothing_helps_the_tunnel_ends_and_the_next_check_begins_again() -> None:
    a, b = pair()
    network = meet(a, b, seconds=100)
    silent(network)
    network.run(LIFE)
    assert a.installed == b.installed == {}
    assert "expired" in {event.why for event in a.of(TunnelDown)}
    network._tamper = deliver
    network.run(61)
    assert_mirrors(a, b)


def test_denied_renewals_do_not_pile_up() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    denied_from(b, 1.0)
    network.run(LIFE - 2)
    assert 3 < len(a.of(ExchangeFailed)) < 30
    assert len(a.engine.table.tunnels) == 1


# --- IKE SAs


def test_tunnels_survive_their_ike_sa_and_are_renewed_under_another() -> None:
    a, b = pair(lives(ike=600))
    network = meet(a, b, seconds=1)
    pings = Pings.between(network)
    pings.run(700)
    assert a.engine.table.ike_sas == b.engine.table.ike_sas == {}
    pings.run(3 * LIFE)
    assert pings.lost() == 0
    assert 3 <= len(a.of(IkeSaUp)) <= 6, "only when there is something to do"


@pytest.mark.parametrize("offset", [-30.0, -1.0, -0.001, 0.0, 0.001, 1.0, 30.0])
def test_a_renewal_close_to_the_end_of_the_ike_sa(offset: float) -> None:
    a, b = pair(lives(ike=1000))
    network = meet(a, b, seconds=1)
    (tunnel,) = a.engine.table.tunnels
    a.engine._core.timers.set(
        Renew(tunnel.inbound[0].spi), next(iter(a.engine.table.ike_sas.values())).expires + offset
    )
    pings = Pings.between(network)
    pings.run(LIFE + 100)
    assert pings.lost() == 0
    assert len(ups(a)) == 2
    assert a.of(ExchangeFailed) == []


# --- a hostile network


@pytest.mark.parametrize("seed", range(25))
def test_renewals_while_much_is_lost_late_and_repeated(seed: int) -> None:
    """Traffic is not: it may wait for a tunnel only if all attempts came to nothing."""
    random = Random(seed)

    def tamper(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        times = random.choice((0, 1, 1, 1, 2))
        return [(random.choice((FLIGHT, FLIGHT, 0.5, 9.0)), datagram) for _ in range(times)]

    a, b = pair(lives(ike=1500, tunnel=600), of_b={"active": seed % 2 == 0}, seed=seed)
    run = Run(meet(a, b, seconds=30))
    network = run.network
    with run.ledger.kept():
        pings = Pings.between(network)
        network._tamper = tamper
        pings.run(5000)
    network._tamper = deliver
    pings.run(700)
    assert_mirrors(a, b)
    assert pings.counts["delivered"] > 0.9 * pings.counts.total(), pings.counts
    for end in (a, b):
        network.do(end, end.engine.stop(network.clock))
    network.run(500)
    assert leftovers(a) == leftovers(b) == {}
