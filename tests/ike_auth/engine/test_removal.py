# SPDX-License-Identifier: ISC
"""How SAs end: by their time, by the peer, by the kernel; and what an exchange leaves that comes to nothing."""

from dataclasses import replace

import pytest

from ike_auth.events import ExchangeFailed, IkeSaDown, TunnelDown, TunnelUp
from ike_auth.exchanges.v1 import informational
from ike_auth.network import Datagram
from ike_auth.sa import IpsecSa
from ike_auth.sa_table import MAX_MESSAGE_IDS
from ike_auth.wire.numbers import Doi, NotifyType, ProtocolId
from ike_auth.wire.payloads import Delete, Notification
from tests.ike_auth.engine.words import denied_from, ike_sa, say, two
from tests.ike_auth.gateways import FAST, assert_joined, assert_mirrored, assert_nothing_left, meet, pair
from tests.ike_auth.simulation import Host, Network, deliver

# --- time


def test_a_tunnel_ends_with_its_life_and_the_peer_is_told() -> None:
    a, b = pair(of_a={"active": False})
    denied_from(b, 1.0)
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1199)
    assert_joined(a, b)
    network.run(2)
    assert not a.installed
    assert not b.installed
    assert {event.why for end in (a, b) for event in end.of(TunnelDown)} <= {"expired", "deleted by the peer"}
    assert len(a.engine.table.ike_sas) == 1


def test_an_ike_sa_ends_with_its_life_and_its_tunnels_stay() -> None:
    lives = """
[LIFE_MAIN_MODE]
LIFE_TYPE= SECONDS
LIFE_DURATION= 600,60:86400
"""
    a, b = pair({**FAST, "sections": lives})
    network = meet(a, b, seconds=601)
    assert a.engine.table.ike_sas == b.engine.table.ike_sas == {}
    assert_joined(a, b)
    network.run(650)
    assert {event.why for end in (a, b) for event in end.of(IkeSaDown)} <= {"expired", "deleted by the peer"}


def test_everything_that_has_ended_is_forgotten() -> None:
    a, b = pair(of_a={"active": False})
    denied_from(b, 1.0)
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(4000)
    assert_nothing_left(a, b)


# --- the peer


def test_the_peer_deletes_a_tunnel() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    spi = b.engine.table.tunnels[0].inbound[0].spi
    say(network, b, Delete(Doi.IPSEC, ProtocolId.AH, (spi,)))
    assert_joined(a, b)
    say(network, b, Delete(Doi.IPSEC, ProtocolId.ESP, (b"else", spi)))
    assert not a.installed
    assert [event.why for event in a.of(TunnelDown)] == ["deleted by the peer"]
    assert len(network.carried) == 9, "what the peer has deleted it needs not be told"


def test_nobody_deletes_what_is_anothers() -> None:
    """By SPIs that another peer has chosen, or by ours."""
    a, b = pair()
    network = meet(a, b, seconds=1)
    (tunnel,) = a.engine.table.tunnels
    core = a.engine._core
    core.sas.remove_tunnel(tunnel)
    core.sas.add_tunnel(replace(tunnel, peer="another"))
    spi = b.engine.table.tunnels[0].inbound[0].spi
    say(network, b, Delete(Doi.IPSEC, ProtocolId.ESP, (spi,)))
    say(network, b, Delete(Doi.IPSEC, ProtocolId.ESP, (tunnel.inbound[0].spi,)))
    assert len(a.installed) == 2


def test_the_peer_deletes_the_ike_sa() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    ike = ike_sa(b)
    say(network, b, Delete(Doi.IPSEC, ProtocolId.ISAKMP, (ike.cookies.initiator + ike.cookies.responder,)))
    assert a.engine.table.ike_sas == {}
    assert len(a.installed) == 2
    assert [event.why for event in a.of(IkeSaDown)] == ["deleted by the peer"]


def test_a_responder_that_deletes_at_once_may_not_like_our_identity() -> None:
    a, b = pair()
    network = meet(a, b, lambda number, datagram: deliver(number, datagram) if number < 6 else [], seconds=0.1)
    network.do(b, b.engine.stop(network.clock))
    network._tamper = deliver
    ike = ike_sa(a)
    data = informational._seal(
        informational.Channel.of(ike),
        (Delete(Doi.IPSEC, ProtocolId.ISAKMP, (ike.cookies.initiator + ike.cookies.responder,)),),
        b.engine._core.random,
    )
    network.inject(Datagram(data, ike.remote, ike.local))
    network.run(1)
    expected = "deleted by the peer before anything else; perhaps it does not accept our identity IPV4_ADDR 10.99.0.1"
    assert [event.why for event in a.of(IkeSaDown)] == [expected]
    (failed,) = a.of(ExchangeFailed)
    assert failed.what == "quick mode tunnel"
    assert failed.why.startswith(f"its phase 1 is gone: {expected}")


def test_a_tunnel_that_is_deleted_before_message_3_has_come() -> None:
    a, b = pair()
    network = meet(a, b, lambda number, datagram: deliver(number, datagram) if number < 8 else [], seconds=0.1)
    assert len(b.installed) == 1
    say(network, a, Delete(Doi.IPSEC, ProtocolId.ESP, (a.engine.table.tunnels[0].inbound[0].spi,)))
    assert not b.installed
    assert [event.why for event in b.of(ExchangeFailed)] == ["deleted by the peer"]


def test_a_responder_that_gives_up_says_so_to_an_initiator_that_thinks_it_is_up() -> None:
    """Message 3 and all its repetitions are lost: half a tunnel would take traffic and deliver none."""
    a, b = pair()
    network = meet(a, b, lambda number, d: [] if 8 <= number < 12 else deliver(number, d), seconds=30)
    assert len(a.installed) == 2
    network.run(20)
    assert not a.installed
    assert not b.installed
    assert "no quick mode 3 after 4 attempts" in b.of(ExchangeFailed)[0].why
    network.run(60)
    assert_joined(a, b)


# --- refusals of quick mode


def begun(*connections: str) -> tuple[Network, Host, Host]:
    """A has quick modes under way that B has not heard of."""
    a, b = pair()
    network = meet(a, b, seconds=1)
    network._tamper = lambda number, datagram: []
    for name in connections:
        network.do(a, a.engine.initiate(name, network.clock))
    network._tamper = deliver
    return network, a, b


def under_way(host: Host) -> list[str]:
    return [name for exchange in host.engine.exchanges if exchange.state.open for name in exchange.connections]


@pytest.mark.parametrize("spi", [b"", bytes(4)])
def test_a_refusal_without_an_spi_means_the_only_quick_mode_of_ours(spi: bytes) -> None:
    network, a, b = begun("tunnel")
    say(network, b, Notification(Doi.IPSEC, ProtocolId.ESP, NotifyType.NO_PROPOSAL_CHOSEN, spi))
    assert under_way(a) == []
    assert "the peer says NO_PROPOSAL_CHOSEN" in a.of(ExchangeFailed)[0].why


def test_a_refusal_by_the_cookies_means_it_too() -> None:
    network, a, b = begun("tunnel")
    cookies = ike_sa(a).cookies
    spi = cookies.initiator + cookies.responder
    say(network, b, Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.NO_PROPOSAL_CHOSEN, spi))
    assert under_way(a) == []


def test_a_refusal_by_an_spi_that_means_nothing_is_no_refusal() -> None:
    """INVALID_SPI, say, about a packet of some tunnel that has gone."""
    network, a, b = begun("tunnel")
    say(network, b, Notification(Doi.IPSEC, ProtocolId.ESP, NotifyType.INVALID_SPI, b"gone"))
    assert under_way(a) == ["tunnel"]
    assert "INVALID_SPI" in str(a.events[-1])


def test_of_several_quick_modes_a_refusal_without_an_spi_is_remembered_for_each() -> None:
    a, b = two()
    network = meet(a, b, seconds=1)
    network._tamper = lambda number, datagram: []
    for name in ("tunnel", "second"):
        network.do(a, a.engine.initiate(name, network.clock))
    say(network, b, Notification(Doi.IPSEC, ProtocolId.ESP, NotifyType.NO_PROPOSAL_CHOSEN))
    assert sorted(under_way(a)) == ["second", "tunnel"]
    network.run(50)
    assert ["the peer said NO_PROPOSAL_CHOSEN" in event.why for event in a.of(ExchangeFailed)] == [True, True]


def test_a_refusal_by_the_spi_of_the_responder() -> None:
    """The initiator refuses message 2."""
    a, b = pair()
    network = meet(a, b, lambda number, datagram: deliver(number, datagram) if number < 7 else [], seconds=0.1)
    network._tamper = deliver
    (waiting,) = [e for e in b.engine.exchanges if e.state.open]
    for spi in (b"else", waiting.state.own_spis[0]):
        say(network, a, Notification(Doi.IPSEC, ProtocolId.ESP, NotifyType.NO_PROPOSAL_CHOSEN, spi))
    assert not b.installed
    assert ["the peer says NO_PROPOSAL_CHOSEN" in event.why for event in b.of(ExchangeFailed)] == [True]


# --- the kernel


def refusing(kind: str, once: bool = True) -> dict[str, object]:
    """A kernel that does not install the inbound, or the outbound SA."""
    left = [1 if once else 1000]

    def fail(sa: IpsecSa) -> bool:
        if (sa.inbound == (kind == "in")) and left[0]:
            left[0] -= 1
            return True
        return False

    return {"fail_install": fail}


@pytest.mark.parametrize("end", ["a", "b"])
@pytest.mark.parametrize("kind", ["in", "out"])
def test_an_sa_that_cannot_be_installed_makes_no_tunnel_at_either_end(kind: str, end: str) -> None:
    a, b = pair(**{end: refusing(kind)})  # type: ignore[arg-type]
    network = meet(a, b, seconds=45)
    assert not a.installed
    assert not b.installed
    assert a.engine.table.tunnels == b.engine.table.tunnels == ()
    failing = a if end == "a" else b
    why = [event.why for event in failing.events if isinstance(event, TunnelDown | ExchangeFailed)]
    assert any("the kernel refuses" in text for text in why)
    assert not (end == "a" and a.of(TunnelUp)), "what cannot be had is not said to be up"
    network.run(60)
    assert_joined(a, b)


def test_an_inbound_sa_that_expires_in_the_kernel_takes_the_tunnel_along() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.sa_gone(a.engine.table.tunnels[0].inbound[0].spi, "expired in the kernel", network.clock))
    network.run(0.5)
    assert not a.installed
    assert not b.installed
    assert [event.why for event in a.of(TunnelDown)] == ["expired in the kernel"]


@pytest.mark.parametrize("inbound", [True, False])
def test_an_sa_that_nobody_knows_is_gone(inbound: bool) -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    assert a.engine.sa_gone(b"else", "expired", network.clock, inbound=inbound) == []
    assert_joined(a, b)


def test_an_sa_of_an_exchange_that_is_under_way() -> None:
    a, b = pair()
    network = meet(a, b, lambda number, datagram: deliver(number, datagram) if number < 8 else [], seconds=0.1)
    (spi,) = (spi for inbound, spi in b.installed if inbound)
    network.do(b, b.engine.sa_gone(spi, "expired in the kernel", network.clock))
    assert not b.installed
    assert [event.why for event in b.of(ExchangeFailed)] == ["expired in the kernel"]


# --- message ids


def test_a_message_id_is_used_once() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    sent = list(network.carried)
    network.run(200)  # everything that is repeated has been forgotten
    for datagram in sent[6:]:
        network.inject(datagram)
    network.run(1)
    assert_joined(a, b)
    assert b.engine.counters["InvalidMessageId"] == 2
    assert a.engine.counters["InvalidMessageId"] == 1


def test_a_message_of_ours_that_comes_back_is_not_the_peers() -> None:
    """Both ends have the same keys: what we say to the peer would pass for what it says to us."""
    a, b = pair()
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.sa_gone(a.engine.table.tunnels[0].inbound[0].spi, "operator", network.clock))
    (told,) = network.carried[9:]
    reflected = replace(told, local=told.remote, remote=told.local)
    before = a.engine.counters["InvalidMessageId"]
    network.inject(reflected)
    network.run(1)
    assert a.engine.counters["InvalidMessageId"] == before + 1


def test_an_ike_sa_that_has_had_all_its_message_ids_ends() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    cookies = ike_sa(b).cookies
    used = b.engine.table._message_ids[cookies]
    used.update(range(MAX_MESSAGE_IDS - 3 - len(used)))
    say(network, a, Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.R_U_THERE, b"", b"\0\0\0\1"))
    assert ike_sa(b).cookies == cookies
    say(network, a, Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.R_U_THERE, b"", b"\0\0\0\2"))
    assert b.engine.table.ike_sas == {}
    assert a.engine.table.ike_sas == {}
    assert [event.why for event in b.of(IkeSaDown)] == ["it had as many exchanges as it may"]
    assert_mirrored(a, b)


def test_dead_peer_detection_is_answered() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    say(network, a, Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.R_U_THERE, b"", b"\0\0\0\1"))
    (answer,) = network.carried[9:]
    assert (answer.local.host, answer.remote.host) == (b.address, a.address)
    assert b.events[-1] == b.of(TunnelUp)[-1], "and not worth a word"
