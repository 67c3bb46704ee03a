# SPDX-License-Identifier: ISC
"""Dead peer detection: who is asked, when, how often, what counts as an answer, and what follows from none."""

from dataclasses import replace

import pytest

from ike_auth.engine import liveness
from ike_auth.engine.liveness import DEAD, HINT_INTERVAL, MOST_PROBES, REPEAT
from ike_auth.events import IkeSaDown, IkeSaUp, TunnelDown, TunnelUp
from ike_auth.exchanges.v1 import informational, phase1
from ike_auth.exchanges.v1.informational import Channel
from ike_auth.network import Datagram
from ike_auth.sa import IkeSa
from ike_auth.wire import vendor_ids
from ike_auth.wire.header import Header
from ike_auth.wire.messages import Message, decode_payloads, encode_payloads
from ike_auth.wire.numbers import Doi, ExchangeType, NotifyType, ProtocolId
from ike_auth.wire.payloads import Notification, VendorId
from tests.ike_auth.configurations import A, B
from tests.ike_auth.engine.words import ike_sa, say
from tests.ike_auth.gateways import FAST, Options, assert_joined, assert_nothing_left, meet, pair
from tests.ike_auth.simulation import Host, Network, deliver

INTERVAL = 30.0
PROBED: Options = {**FAST, "general": f"DPD-check-interval= {INTERVAL:.0f}"}


def read(ike: IkeSa, datagram: Datagram) -> Message | None:
    """An informational message under this IKE SA."""
    header = Header.decode(datagram.data)
    if header.exchange != ExchangeType.INFORMATIONAL or not header.encrypted:
        return None
    return Channel.of(ike).protection(header.message_id).open(header, datagram.data)[0]


def probes(network: Network, ike: IkeSa, kind: NotifyType = NotifyType.R_U_THERE) -> list[tuple[str, int]]:
    """Who has sent some of this kind, with which numbers."""
    found = []
    for datagram in network.carried:
        message = read(ike, datagram)
        for notification in message.all(Notification) if message is not None else ():
            if notification.type == kind:
                assert notification.spi == ike.cookies.initiator + ike.cookies.responder
                assert (notification.doi, notification.protocol) == (Doi.IPSEC, ProtocolId.ISAKMP)
                found.append((str(datagram.local.host), int.from_bytes(notification.data, "big")))
    return found


def cut(network: Network, end: Host) -> None:
    """Nothing from this host arrives any more."""
    network._tamper = lambda number, datagram: [] if datagram.local.host == end.address else deliver(number, datagram)


# --- who is asked, and when


def test_by_default_nobody_is_asked() -> None:
    a, b = pair()
    network = meet(a, b, seconds=900)
    assert len(network.carried) == 9


def test_a_silent_peer_is_asked_after_the_interval_and_again_after_another() -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=INTERVAL + 1)
    ((who, first),) = probes(network, ike_sa(a))
    assert who == A
    assert first < 1 << 31
    network.run(2 * INTERVAL)
    assert probes(network, ike_sa(a)) == [(A, first), (A, first + 1), (A, first + 2)]
    assert probes(network, ike_sa(a), NotifyType.R_U_THERE_ACK) == [(B, first), (B, first + 1), (B, first + 2)]
    assert_joined(a, b)


def test_who_asks_has_shown_that_it_is_there() -> None:
    """Both ends have the interval, and one of them does the asking."""
    a, b = pair(PROBED)
    network = meet(a, b, seconds=10 * INTERVAL)
    assert {who for who, _ in probes(network, ike_sa(a))} == {A}
    assert len(probes(network, ike_sa(a))) <= 10


@pytest.mark.parametrize("sign", ["exchange", "first packet", "packets"])
def test_signs_of_life_put_it_off(sign: str) -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=INTERVAL - 1)
    spi = a.engine.table.tunnels[0].inbound[0].spi
    if sign == "exchange":
        network.do(b, b.engine.initiate("tunnel", network.clock))
    else:
        hear = a.engine.sa_used if sign == "first packet" else a.engine.sa_heard
        network.do(a, hear(spi, network.clock))
    network.run(INTERVAL - 1)
    assert probes(network, ike_sa(a)) == []
    network.run(2)
    assert len(probes(network, ike_sa(a))) == 1


def test_traffic_of_an_sa_that_nobody_knows_is_no_sign() -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=INTERVAL - 1)
    assert a.engine.sa_heard(b"else", network.clock) == []
    network.run(2)
    assert len(probes(network, ike_sa(a))) == 1


def without_dpd(monkeypatch: pytest.MonkeyPatch, ids: tuple[VendorId, ...] = ()) -> None:
    kept = [v for v in decode_payloads(*phase1.OUR_VENDOR_IDS) if v != VendorId(vendor_ids.DPD)]
    monkeypatch.setattr(phase1, "OUR_VENDOR_IDS", encode_payloads([*kept, *ids]))


def test_who_has_not_announced_it_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    without_dpd(monkeypatch)
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=5 * INTERVAL)
    assert not ike_sa(a).dpd
    assert len(network.carried) == 9
    assert liveness.suspect(a.engine._core, ike_sa(a), network.clock) == []


def test_another_minor_version_is_good_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    without_dpd(monkeypatch, (VendorId(vendor_ids.DPD[:14] + b"\1\1"),))
    a, b = pair(of_a=PROBED)
    meet(a, b, seconds=1)
    assert ike_sa(a).dpd
    assert ike_sa(b).dpd


# --- no answer


def test_five_probes_five_seconds_apart_and_the_peer_is_dead() -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=1)
    ike = ike_sa(a)
    cut(network, b)
    network.run(INTERVAL + MOST_PROBES * REPEAT - 1.5)
    asked = probes(network, ike)
    assert len(asked) == MOST_PROBES
    assert len(set(asked)) == 1, "the same number"
    assert a.installed
    sent = len(network.carried)
    network.run(1)
    assert not a.installed
    assert [event.why for event in a.of(TunnelDown)] == [event.why for event in a.of(IkeSaDown)] == [DEAD]
    begun = network.carried[sent:]
    said = [Header.decode(d.data).exchange for d in begun if d.local.host == a.address]
    assert said == [ExchangeType.MAIN], "no deletes, and begun again"
    network._tamper = deliver
    network.run(10)
    assert a.installed


def test_a_lost_probe_or_answer_is_not_the_end() -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=1)
    cut(network, b)
    network.run(INTERVAL + (MOST_PROBES - 1) * REPEAT - 2)
    network._tamper = deliver
    network.run(2 * INTERVAL)
    assert len(set(probes(network, ike_sa(a)))) == 2
    assert_joined(a, b)
    assert a.of(IkeSaDown) == []


@pytest.mark.parametrize("sign", ["quick mode", "packets"])
def test_another_sign_of_life_is_an_answer_too(sign: str) -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=1)

    def no_acknowledgement(number: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        informational = Header.decode(datagram.data).exchange == ExchangeType.INFORMATIONAL
        return [] if informational and datagram.local.host == b.address else deliver(number, datagram)

    network._tamper = no_acknowledgement
    network.run(INTERVAL + 3 * REPEAT)
    if sign == "packets":
        network.do(a, a.engine.sa_heard(a.engine.table.tunnels[0].inbound[0].spi, network.clock))
    else:
        network.do(b, b.engine.initiate("tunnel", network.clock))
    network.run(2 * REPEAT)
    assert a.of(IkeSaDown) == []


def test_a_wrong_answer_is_none() -> None:
    """Of another number, or about another IKE SA: it may have been under way for a minute."""
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=1)
    ike = ike_sa(a)
    cookies = ike.cookies.initiator + ike.cookies.responder

    def acknowledge(spi: bytes, sequence: int) -> Notification:
        data = sequence.to_bytes(4, "big")
        return Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.R_U_THERE_ACK, spi, data)

    cut(network, b)
    network.run(INTERVAL + 1)
    ((_, sequence),) = probes(network, ike)
    for spi, number in ((cookies, sequence - 1), (cookies, sequence + 1), (b"", sequence), (b"x" * 16, sequence)):
        say(network, b, acknowledge(spi, number))
    assert a.engine.counters["wrong DPD acknowledgement"] == 4
    network.run(MOST_PROBES * REPEAT)
    assert DEAD in {event.why for event in a.of(IkeSaDown)}


def test_an_answer_that_nobody_asked_for_puts_nothing_off() -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=INTERVAL - 5)
    cookies = ike_sa(a).cookies
    spi = cookies.initiator + cookies.responder
    say(network, b, Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.R_U_THERE_ACK, spi, bytes(4)))
    network.run(5)
    assert len(probes(network, ike_sa(a))) == 1


def test_a_peer_that_is_heard_of_under_another_ike_sa_has_lost_only_this_one() -> None:
    a, b = pair(of_a=PROBED)
    network = meet(a, b, seconds=1)
    old = ike_sa(a)
    a.engine.table.change_ike(old.cookies, lambda sa: replace(sa, expires=network.now + 1e-9))
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    a.engine.table.change_ike(old.cookies, lambda sa: replace(sa, expires=3600.0))
    b.engine.table.remove_ike(old.cookies)
    network.run(INTERVAL + MOST_PROBES * REPEAT)
    assert [event.sa.cookies for event in a.of(IkeSaDown)] == [old.cookies]
    assert_joined(a, b, tunnels=2)


def test_both_ends_find_the_other_dead_and_meet_again() -> None:
    a, b = pair(PROBED, of_b={"active": True})
    network = meet(a, b, seconds=1)
    network._tamper = lambda number, datagram: []
    network.run(200)
    assert a.installed == b.installed == {}
    network._tamper = deliver
    network.run(60)
    assert a.installed
    assert {(inbound, spi) for inbound, spi in a.installed} == {(not inbound, spi) for inbound, spi in b.installed}
    for end in (a, b):
        network.do(end, end.engine.stop(network.clock))
    network.run(200)
    assert_nothing_left(a, b)


def test_there_is_an_ike_sa_to_ask_under_as_long_as_there_are_tunnels() -> None:
    lives = "[LIFE_MAIN_MODE]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 300,60:86400\n"
    a, b = pair({**PROBED, "sections": lives})
    meet(a, b, seconds=1000)
    assert len(a.of(IkeSaUp)) in (4, 5)
    assert a.engine.table.ike_sas
    assert len(a.of(TunnelUp)) <= 2
    assert len(b.of(IkeSaUp)) == len(a.of(IkeSaUp)), "who began it sees to that, and nobody else"


# --- hints


def hint(network: Network, kind: NotifyType, *, from_port: int = 500) -> None:
    a, b = network.hosts.values()
    ike = ike_sa(a)
    data = informational.notify_clear(ike.cookies, kind, b.engine._core.random)
    network.inject(Datagram(data, ike.remote._replace(port=from_port), ike.local))
    network.run(0.1)


@pytest.mark.parametrize("kind", [NotifyType.INVALID_COOKIE, NotifyType.INVALID_SPI])
def test_a_hint_that_the_peer_has_lost_its_sas_makes_us_ask_and_no_more(kind: NotifyType) -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    hint(network, kind)
    assert len(probes(network, ike_sa(a))) == 1
    network.run(100)
    assert_joined(a, b)
    assert len(network.carried) == 11, "asked, and answered"


def test_many_hints_make_us_ask_seldom() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    for _ in range(100):
        hint(network, NotifyType.INVALID_COOKIE)
    assert network.now < HINT_INTERVAL + 2
    assert len(probes(network, ike_sa(a))) == 1
    network.run(HINT_INTERVAL)
    hint(network, NotifyType.INVALID_COOKIE)
    assert len(probes(network, ike_sa(a))) == 2
    assert_joined(a, b)


def test_other_hints_make_nobody_ask() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    hint(network, NotifyType.NO_PROPOSAL_CHOSEN)
    assert len(network.carried) == 9


def test_a_hint_that_is_true_ends_in_25_seconds() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.hosts[b.address] = reborn = Host(b.address, b.configuration, seed=77)
    hint(network, NotifyType.INVALID_COOKIE)
    network.run(MOST_PROBES * REPEAT + 0.1)
    assert_joined(a, reborn)
