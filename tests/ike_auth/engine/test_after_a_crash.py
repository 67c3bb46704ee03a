# SPDX-License-Identifier: ISC
"""One end has crashed and comes back with nothing: how long it takes until both agree again.

A crash takes 2 s here, a packet up to a millisecond, and traffic comes twice a second each way.
"""

from dataclasses import replace
from itertools import product

import pytest

from ike_auth.authorization.requests import PresharedKey
from ike_auth.config.model import Configuration
from ike_auth.effects import Report, SendDatagram
from ike_auth.engine import contact, parties, recovery
from ike_auth.engine.contact import ANEW
from ike_auth.engine.core import Core
from ike_auth.engine.liveness import MOST_PROBES, REPEAT
from ike_auth.events import IkeSaDown, IkeSaUp, TunnelDown
from ike_auth.network import Datagram, Endpoint
from ike_auth.sa import Nat
from ike_auth.wire.header import Header
from ike_auth.wire.numbers import Doi, ExchangeType, NotifyType, ProtocolId
from ike_auth.wire.payloads import Notification
from tests.ike_auth.configurations import A
from tests.ike_auth.engine.traffic import Pings
from tests.ike_auth.engine.words import ike_sa, say, two
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, assert_joined, meet, pair
from tests.ike_auth.simulation import FLIGHT, Host, Network, deliver, endpoint

CONTACT: Options = {**FAST, "initial_contact": True}
CONTACT_RSA: Options = {**FAST_RSA, "initial_contact": True}
AT_ONCE = 1.0  # a handshake, and the pings that provoke it
CHECK = 60.0  # the default Check-interval
DEATH = MOST_PROBES * REPEAT
CRASH = 2.0


def crash(network: Network, host: Host) -> Host:
    """It forgets everything, without a word, and is back after a while."""
    del network.hosts[host.address]
    network.run(CRASH)
    reborn = replace(host, seed=host.seed + 100)
    network.hosts[host.address] = reborn
    network.do(reborn, reborn.engine.start(network.clock))
    return reborn


def nowhere(host: Host, configuration: Configuration) -> Host:
    """With peers that may be anywhere."""
    peers = {name: replace(peer, address=None) for name, peer in configuration.peers.items()}
    return replace(host, configuration=replace(configuration, peers=peers))


def agree(a: Host, b: Host) -> bool:
    """The same tunnels, and nothing is kept that the other end does not have."""
    mirrored = {(not inbound, spi) for inbound, spi in b.installed}
    return bool(a.installed) and set(a.installed) == mirrored


def outage(network: Network, limit: float) -> float:
    """Seconds of traffic that was lost until both ends agree again."""
    network.hosts = dict(sorted(network.hosts.items()))
    pings = Pings.between(network, flight=FLIGHT)
    pings.run(limit)
    delivered = pings.counts["delivered"]
    pings.run(20)
    assert pings.counts["delivered"] - delivered == 80, "and all is well"
    assert agree(*network.hosts.values())
    return pings.outage()


# --- who crashed, who was the initiator, who is active


@pytest.mark.parametrize("options", [CONTACT, CONTACT_RSA], ids=["psk", "rsa"])
@pytest.mark.parametrize("traffic", [True, False], ids=["traffic", "silence"])
def test_the_initiator_crashes_and_is_active(options: Options, traffic: bool) -> None:
    """It begins as soon as it is back, and says that it has started anew."""
    a, b = pair(options)
    network = meet(a, b, seconds=100)
    reborn = crash(network, a)
    if traffic:
        assert outage(network, 30) <= AT_ONCE
    network.run(AT_ONCE)
    assert_joined(reborn, b)
    assert ANEW in {event.why for event in b.of(TunnelDown)}
    assert len(b.engine.table.ike_sas) == 1


def test_the_initiator_crashes_and_is_passive() -> None:
    """An operator had brought it up. Its own packets wait for a tunnel, and bring it up."""
    a, b = pair(CONTACT, of_a={"active": False})
    network = Network(a, b)
    network.start()
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(100)
    crash(network, a)
    assert outage(network, 30) <= AT_ONCE


def test_the_initiator_crashes_and_only_the_responder_has_something_to_send() -> None:
    """Passive both, and the one that has nothing is told so by packets that it cannot read: it makes an IKE SA and
    says that it has started anew. Then the other's packets wait, and bring the tunnel up."""
    a, b = pair(CONTACT, of_a={"active": False})
    network = Network(a, b)
    network.start()
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(100)
    reborn = crash(network, a)
    pings = Pings(network, [(b, a)], flight=FLIGHT)
    pings.run(30)
    assert pings.outage() <= AT_ONCE + pings.every
    assert_joined(reborn, b)


@pytest.mark.parametrize("of_b", [False, True], ids=["passive", "active"])
@pytest.mark.parametrize("options", [CONTACT, CONTACT_RSA], ids=["psk", "rsa"])
def test_the_responder_crashes(options: Options, of_b: bool) -> None:
    """Passive, it makes an IKE SA when packets come that it cannot read; active, at once."""
    a, b = pair(options)
    b = replace(b, configuration=pair(options, of_b={"active": of_b})[1].configuration)
    network = meet(a, b, seconds=100)
    reborn = crash(network, b)
    assert outage(network, 30) <= AT_ONCE
    assert ANEW in {event.why for event in a.of(TunnelDown)} | {event.why for event in reborn.of(TunnelDown)}


def test_the_responder_crashes_both_are_passive_and_only_it_has_something_to_send() -> None:
    a, b = pair(CONTACT, of_a={"active": False})
    network = Network(a, b)
    network.start()
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(100)
    reborn = crash(network, b)
    pings = Pings(network, [(b, a)], flight=FLIGHT)
    pings.run(30)
    assert pings.outage() <= AT_ONCE
    assert_joined(a, reborn)


def test_the_responder_crashes_and_cannot_begin() -> None:
    """A gateway for peers anywhere. Dead peer detection finds out, then the other end begins again."""
    a, b = pair(CONTACT, of_a={"general": "DPD-check-interval= 20"})
    b = nowhere(b, b.configuration)
    network = meet(a, b, seconds=100)
    crash(network, b)
    assert outage(network, 80) <= 20 + DEATH + AT_ONCE
    assert a.engine.counters["unknown SPI"] == 0


def test_the_responder_crashes_cannot_begin_and_nobody_asks() -> None:
    """Then it lasts until the tunnel is renewed: a quick mode without an answer, an IKE SA given up, and another."""
    a, b = pair(CONTACT)
    b = nowhere(b, b.configuration)
    network = meet(a, b, seconds=100)
    reborn = crash(network, b)
    lost = outage(network, 1200)
    assert 800 < lost < 1100
    assert reborn.engine.counters["unknown SPI"] > 100, "strangers are counted, and that is all"


def test_both_crash() -> None:
    a, b = pair(CONTACT)
    network = meet(a, b, seconds=100)
    for end in (b, a):
        crash(network, end)
    assert outage(network, 30) <= AT_ONCE


def test_all_tunnels_with_a_peer_are_back_at_once() -> None:
    a, b = two()
    peers = {name: replace(peer, initial_contact=True) for name, peer in a.configuration.peers.items()}
    a = replace(a, configuration=replace(a.configuration, peers=peers))
    network = meet(a, b, seconds=100)
    reborn = crash(network, a)
    network.run(AT_ONCE)
    assert_joined(reborn, b, tunnels=2)


# --- what INITIAL-CONTACT is taken to mean


def test_it_is_said_in_message_5_and_again_in_an_exchange_of_its_own() -> None:
    a, b = pair(CONTACT)
    network = meet(a, b, seconds=1)
    kinds = [Header.decode(d.data).exchange for d in network.carried if d.local.host == a.address]
    quick = ExchangeType.QUICK
    assert kinds == [ExchangeType.MAIN] * 3 + [ExchangeType.INFORMATIONAL, quick, quick]
    network.do(a, a.engine.down("peer", network.clock))
    network.do(a, a.engine.up("tunnel", network.clock))
    sent = len(network.carried)
    network.run(1)
    assert_joined(a, b)
    kinds = [Header.decode(d.data).exchange for d in network.carried[sent:]]
    assert ExchangeType.INFORMATIONAL not in kinds[3:], "once in this life"


@pytest.mark.parametrize("form", ["message 5", "its own"])
@pytest.mark.parametrize("options", [CONTACT, CONTACT_RSA], ids=["psk", "rsa"])
def test_either_form_is_heeded(options: Options, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair(options)
    network = meet(a, b, seconds=100)
    if form == "message 5":
        monkeypatch.setattr(contact, "made", lambda core, ike: [])
    else:
        monkeypatch.setattr(Core, "is_first_contact", lambda core, peer: False)
    reborn = crash(network, a)
    network.run(AT_ONCE)
    assert_joined(reborn, b)
    assert ANEW in {event.why for event in b.of(IkeSaDown)}


def test_without_either_form_the_old_ones_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    a, b = pair(CONTACT)
    network = meet(a, b, seconds=100)
    monkeypatch.setattr(contact, "made", lambda core, ike: [])
    monkeypatch.setattr(Core, "is_first_contact", lambda core, peer: False)
    crash(network, a)
    network.run(AT_ONCE)
    assert len(b.engine.table.tunnels) == 2


def test_of_another_identity_nothing_is_dropped() -> None:
    """Nor of another peer's section."""
    a, b = pair(CONTACT)
    network = meet(a, b, seconds=1)
    table, ike = b.engine.table, ike_sa(b)
    anothers = replace(
        ike,
        cookies=ike.cookies._replace(responder=b"anothers"),
        authenticated=replace(ike.authenticated, identity=ike.own_identity),
    )
    elsewhere = replace(
        ike, cookies=ike.cookies._replace(responder=b"sections"), peer=replace(ike.peer, name="another section")
    )
    for sa in (anothers, elsewhere):
        table.add_ike(sa)
    (tunnel,) = table.tunnels
    table.change_tunnel(replace(tunnel, identity=ike.own_identity))
    crash(network, a)
    network.run(AT_ONCE)
    assert {anothers.cookies, elsewhere.cookies} <= set(table.ike_sas)
    assert ike.cookies not in table.ike_sas
    assert [kept.inbound for kept in table.tunnels] == [tunnel.inbound]


def test_what_came_up_meanwhile_has_crossed_with_it_and_stays() -> None:
    """Both begin at once, and one of the two message 5 comes late, when the other handshake has long been done."""
    a, b = pair(CONTACT, of_b={"active": True})
    fives = [0]

    def late(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        header = Header.decode(datagram.data)
        five = header.exchange == ExchangeType.MAIN and header.encrypted and datagram.local.host == b.address
        fives[0] += five
        return [(5.0 if five and fives[0] == 1 else FLIGHT, datagram)]

    network = meet(a, b, tamper=late, seconds=4)
    assert_joined(a, b)
    network.run(30)
    assert agree(a, b)
    for end in (a, b):
        assert ANEW not in {event.why for event in end.of(TunnelDown)} | {event.why for event in end.of(IkeSaDown)}


def test_a_late_copy_drops_nothing() -> None:
    a, b = pair(CONTACT)
    network = meet(a, b, seconds=10)
    sent = list(network.carried)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    for datagram in sent:
        network.inject(datagram)
    network.run(300)
    for datagram in sent:
        network.inject(datagram)
    network.run(1)
    assert_joined(a, b, tunnels=2)


@pytest.mark.parametrize(("host", "dropped"), [(A, True), ("10.99.0.9", False)])
def test_with_a_group_key_the_same_name_elsewhere_is_somebody_else(host: str, dropped: bool) -> None:
    a, b = pair(CONTACT)
    b.gate = replace(b.gate, shared=lambda peer: True)
    network = meet(a, b, seconds=10)
    ike = ike_sa(b)
    b.engine.table.change_ike(ike.cookies, lambda sa: replace(sa, remote=endpoint(host)))
    crash(network, a)
    network.run(AT_ONCE)
    assert (ike.cookies not in b.engine.table.ike_sas) is dropped


@pytest.mark.parametrize(
    ("shared", "nat", "remote", "same"),
    [
        (False, False, endpoint("10.99.0.9"), True),
        (False, True, endpoint(A, 33333), True),
        (True, False, endpoint(A, 33333), True),
        (True, True, endpoint(A, 33333), False),
        (True, True, endpoint(A), True),
        (True, False, endpoint("10.99.0.9"), False),
    ],
)
def test_who_is_one_and_the_same(shared: bool, nat: bool, remote: Endpoint, same: bool) -> None:
    """Where several know the key, it takes the address; behind a NAT, the port."""
    a, b = pair()
    meet(a, b, seconds=1)
    proof = ike_sa(b).authenticated.proof
    assert isinstance(proof, PresharedKey)
    authenticated = replace(ike_sa(b).authenticated, proof=replace(proof, shared=shared))
    ike = replace(ike_sa(b), authenticated=authenticated, nat=Nat(remote=nat))
    b.engine.table.change_ike(ike.cookies, lambda sa: replace(sa, remote=remote))
    assert (parties.ike_sas_of(b.engine._core, ike) != []) is same
    (tunnel,) = b.engine.table.tunnels
    b.engine.table.change_tunnel(replace(tunnel, outbound=(replace(tunnel.outbound[0], destination=remote),)))
    assert (parties.tunnels_of(b.engine._core, ike) != []) is same


def test_who_shares_an_identity_can_be_told_not_to_say_so() -> None:
    a, b = pair(CONTACT, of_a={"initial_contact": False})
    network = meet(a, b, seconds=10)
    before = ike_sa(b).cookies
    reborn = crash(network, a)
    network.run(AT_ONCE)
    assert before in b.engine.table.ike_sas
    assert len(b.engine.table.tunnels) == 2
    assert len(reborn.engine.table.tunnels) == 1


# --- packets of SAs that are not here


def packet(network: Network, host: Host, remote: str = A, spi: bytes = b"\1\2\3\4", port: int = 500) -> list[object]:
    """What the kernel's report leads to."""
    local = endpoint(str(host.address))
    effects = host.engine.unknown_spi(local, endpoint(remote, port), spi, network.clock)
    network.do(host, effects)
    return [effect for effect in effects if not isinstance(effect, Report)]


def test_under_an_ike_sa_the_peer_is_told_and_drops_the_tunnel() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    (tunnel,) = b.engine.table.tunnels
    b.engine._core.sas.remove_tunnel(tunnel)
    spi = tunnel.inbound[0].spi
    (told,) = packet(network, b, spi=spi)
    assert isinstance(told, SendDatagram)
    network.run(1)
    assert a.installed == {}
    assert [event.why for event in a.of(TunnelDown)] == ["deleted by the peer"]


def test_it_is_told_once_a_minute_and_nobody_gets_more_than_one_a_second() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    told = 0
    for count in range(200):
        told += len(packet(network, b, spi=count.to_bytes(4, "big")))
        network.run(0.05)
    assert told == 10
    network.run(2)
    assert packet(network, b, spi=bytes(4)) == []
    network.run(recovery.SPI_INTERVAL)
    assert len(packet(network, b, spi=bytes(4))) == 1


def test_what_is_here_after_all_is_not_deleted() -> None:
    """The kernel's report and our step have crossed."""
    a, b = pair()
    network = Network(a, b, tamper=lambda number, d: deliver(number, d) if number < 8 else [])
    network.start()
    network.run(0.5)
    (pending,) = (spi for inbound, spi in b.installed if inbound)
    assert packet(network, b, spi=pending) == []
    network._tamper = deliver
    network.run(10)
    assert packet(network, b, spi=b.engine.table.tunnels[0].inbound[0].spi) == []


def test_strangers_are_counted() -> None:
    _, b = pair()
    network = Network(b)
    network.start()
    for address, _ in product(("10.99.0.77", "192.0.2.1"), range(50)):
        assert packet(network, b, remote=address) == []
    assert b.engine.counters["unknown SPI"] == 100
    assert len(b.engine._core.seldom) == 0


def test_a_configured_peer_is_called_once_in_a_check_interval() -> None:
    _, b = pair(CONTACT)
    network = Network(b)
    network.start()
    calls = 0
    for _ in range(400):
        calls += len(packet(network, b))
        network.run(0.5)
    assert calls == pytest.approx(200 / CHECK, abs=1)


def test_nobody_is_called_whom_an_operator_wants_down() -> None:
    a, b = pair()
    network = Network(a, b)
    network.do(b, b.engine.down("tunnel", network.clock))
    assert packet(network, b) == []
    network.do(b, b.engine.up("tunnel", network.clock))
    assert packet(network, b) == [], "that is under way already"
    network.run(1)
    assert_joined(a, b)


def test_peers_behind_one_nat_are_told_apart_by_their_ports() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    ike = ike_sa(b)
    other = replace(ike, cookies=ike.cookies._replace(responder=b"behindit"), remote=endpoint(A, 33333))
    b.engine.table.add_ike(other)
    (told,) = packet(network, b, port=500)
    assert isinstance(told, SendDatagram)
    assert told.remote == ike.remote
    network.run(2)
    (told,) = packet(network, b, spi=b"else", port=33333)
    assert isinstance(told, SendDatagram)
    assert told.remote == other.remote


# --- initial contact, by hand


def test_initial_contact_drops_what_is_older_than_the_ike_sa() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    first = ike_sa(b)
    network.run(3300)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    a.engine.table.remove_ike(first.cookies)
    tunnels = b.engine.table.tunnels
    say(network, a, Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.INITIAL_CONTACT))
    assert first.cookies not in b.engine.table.ike_sas
    assert b.engine.table.tunnels == tunnels[-1:]
    assert len(b.of(IkeSaUp)) == 2
