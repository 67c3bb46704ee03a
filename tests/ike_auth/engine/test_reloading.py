# SPDX-License-Identifier: ISC
"""Another configuration, another policy, while everything runs: what goes, what stays, what is asked about again."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ike_auth.authorization.requests import (
    Answer,
    AuthorizeTunnel,
    Decision,
    IdentifyPeer,
    PeerIdentified,
    Question,
    Signed,
    TunnelAuthorized,
)
from ike_auth.config import isakmpd
from ike_auth.config.model import Configuration
from ike_auth.effects import Effect, Guard, Unguard
from ike_auth.engine import reviewing
from ike_auth.engine.reloading import OTHERWISE
from ike_auth.events import ExchangeFailed, IkeSaDown, IkeSaUp, TunnelDown, TunnelUp
from ike_auth.network import Datagram, Now
from pki.chain import TrustAnchors
from tests.ike_auth.configurations import ADDRESSES, A, B, gateway
from tests.ike_auth.engine.words import BECAUSE, Denies, ike_sa, two
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, assert_joined, assert_nothing_left, leftovers, meet, pair
from tests.ike_auth.simulation import AllowAll, Host, Network, deliver


def written(address: str, options: Options = FAST, **changes: Any) -> Configuration:
    """A configuration as that of `pair`, with changes."""
    active = {"active": address == A}
    return isakmpd.parse(gateway(address, **{**options, **active, **changes}), f"{address}.conf")


def reload(network: Network, host: Host, configuration: Configuration, authorizer: AllowAll | None = None) -> None:
    network.do(host, host.reload(configuration, network.clock, authorizer))
    network.run(1)


def whys(host: Host) -> tuple[list[str], list[str]]:
    """Why tunnels and IKE SAs went down."""
    return [event.why for event in host.of(TunnelDown)], [event.why for event in host.of(IkeSaDown)]


# --- the same again


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
def test_the_same_configuration_changes_nothing(options: Options) -> None:
    a, b = pair(options)
    network = meet(a, b, seconds=10)
    sent = len(network.carried)
    for host in (a, b):
        asked = questions(host)
        reload(network, host, written(str(host.address), options))
        assert [type(question) for question in asked] == [IdentifyPeer, AuthorizeTunnel]
    assert_joined(a, b)
    assert len(network.carried) == sent
    assert whys(a) == whys(b) == ([], [])


def test_other_lines_are_the_same_configuration() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    text = "# something at the top\n\n\n" + gateway(A, transforms=FAST["transforms"], suites=FAST["suites"])
    reload(network, a, isakmpd.parse(text, "another.conf"))
    assert_joined(a, b)
    assert ike_sa(a).peer.where.file == "another.conf", "messages name the file that is there"


def test_whether_we_bring_it_up_or_the_peer_does_ends_nothing() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    reload(network, a, written(A, active=False))
    assert_joined(a, b)


def questions(host: Host) -> list[Question]:
    """What the host is asked from now on."""
    asked: list[Question] = []

    def answer(question: Question, now: Now) -> Answer:
        asked.append(question)
        return host.answer_from_gate(question, now)

    host.answer = answer
    return asked


# --- connections and peers


def test_a_connection_that_is_gone_is_taken_down_and_the_peer_is_told() -> None:
    a, b = two()
    network = meet(a, b, seconds=10)
    connections = {name: c for name, c in a.configuration.connections.items() if name == "tunnel"}
    reload(network, a, replace(a.configuration, connections=connections))
    assert_joined(a, b)
    assert whys(a) == ([OTHERWISE], [])
    assert whys(b) == (["deleted by the peer"], [])
    assert len(a.guards) == 1
    network.run(3600)
    assert {t.connection for t in a.engine.table.tunnels} == {"tunnel"}


def test_a_new_connection_is_begun_at_once_under_the_ike_sa_that_is_there() -> None:
    with_two, b = two()
    a, _ = pair()
    network = meet(a, b, seconds=10)
    reload(network, a, with_two.configuration)
    assert_joined(a, b, tunnels=2)
    assert len(a.of(IkeSaUp)) == 1
    assert len(a.guards) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"suites": "QM-ESP-AESGCM-256-PFS-GRP31-SUITE"},
        {"clients": ADDRESSES},
        {"connection": "Flags= allow-overlap"},
    ],
    ids=str,
)
def test_a_connection_that_is_configured_otherwise_is_made_anew(changes: Mapping[str, Any]) -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    reload(network, b, written(B, **changes))
    assert b.engine.table.tunnels == ()
    assert whys(b) == ([OTHERWISE], [])
    reload(network, a, written(A, **changes))
    network.run(60)
    assert_joined(a, b)
    assert len(a.of(IkeSaUp)) == 1, "the peer is the same"


def test_guards_follow_and_nothing_is_open_meanwhile() -> None:
    """Of the same traffic with other ends, the new guard takes the place of the old one; of other traffic, it is
    there before the old one goes."""
    a, b = pair()
    network = meet(a, b, seconds=10)
    seen: list[Effect] = []
    a.watch = lambda effect: seen.append(effect) if isinstance(effect, Guard | Unguard) else None
    reload(network, a, written(A, clients=ADDRESSES))
    assert [type(effect) for effect in seen] == [Guard, Unguard]
    seen.clear()
    moved = replace(a.configuration.peers["peer"], address=a.address)
    reload(network, a, replace(a.configuration, peers={"peer": moved}))
    assert [type(effect) for effect in seen] == [Unguard, Guard]
    assert len(a.guards) == 1


@pytest.mark.parametrize(
    "changes",
    [{"key": "another key"}, {"peer": "Allow-Legacy= NULL"}, {"transforms": "AES-256-SHA2-256-GRP31"}],
    ids=str,
)
def test_a_peer_that_is_configured_otherwise_has_to_authenticate_again(changes: Mapping[str, Any]) -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    network.do(b, b.reload(written(B, **changes), network.clock))
    assert b.installed == {}
    assert whys(b) == ([OTHERWISE], [OTHERWISE])
    network.run(1)
    assert a.installed == {}
    assert a.engine.table.ike_sas == {}
    reload(network, a, written(A, **changes))
    network.run(120)
    assert_joined(a, b)


def test_a_peer_that_is_gone() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    gone = replace(b.configuration, peers={}, connections={}, peer_by_address={})
    reload(network, b, gone)
    assert b.engine.table.ike_sas == {}
    assert b.engine.table.tunnels == ()
    assert b.guards == set()
    network.run(200)
    assert a.installed == {}


def test_an_address_that_another_section_is_for_now() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    peer = b.configuration.peers["peer"]
    peers = {"peer": peer, "other": replace(peer, name="other")}
    by_address = {a.address: "other"}
    network.do(b, b.reload(replace(b.configuration, peers=peers, peer_by_address=by_address), network.clock))
    assert whys(b) == ([OTHERWISE], [OTHERWISE])


def test_dead_peer_detection_may_begin_or_end() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    reload(network, a, written(A, general="DPD-check-interval= 5"))
    network.run(20)
    asked = len(network.carried) - 9
    assert asked >= 4
    reload(network, a, written(A))
    sent = len(network.carried)
    network.run(100)
    assert len(network.carried) == sent


# --- policy


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
@pytest.mark.parametrize("end", [0, 1], ids=["initiator", "responder"])
def test_a_tunnel_that_policy_no_longer_allows_goes_with_the_reason(options: Options, end: int) -> None:
    ends = pair(options)
    network = meet(*ends, seconds=10)
    host, other = ends[end], ends[1 - end]
    reload(network, host, written(str(host.address), options), Denies())
    assert host.installed == other.installed == {}
    assert whys(host) == ([f"no longer authorized: {BECAUSE}"], [])
    assert whys(other)[0] == ["deleted by the peer"]


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
@pytest.mark.parametrize("end", [0, 1], ids=["initiator", "responder"])
def test_an_identity_that_policy_no_longer_allows_goes_with_all_it_has(options: Options, end: int) -> None:
    ends = pair(options)
    network = meet(*ends, seconds=10)
    host, other = ends[end], ends[1 - end]
    network.do(host, host.reload(written(str(host.address), options), network.clock, Denies(phase=1)))
    assert whys(host) == ([f"no longer authorized: {BECAUSE}"],) * 2
    network.run(1)
    assert host.installed == other.installed == {}
    assert host.engine.table.ike_sas == other.engine.table.ike_sas == {}


def test_a_tunnel_whose_ike_sa_has_ended_is_asked_about_too() -> None:
    a, b = pair({**FAST, "sections": "[LIFE_MAIN_MODE]\nLIFE_TYPE= SECONDS\nLIFE_DURATION= 60,60:86400\n"})
    network = meet(a, b, seconds=100)
    assert b.engine.table.ike_sas == {}
    network.do(b, b.reload(b.configuration, network.clock, Denies(phase=1)))
    assert b.installed == {}


def test_an_authority_that_is_trusted_no_longer() -> None:
    a, b = pair(FAST_RSA)
    network = meet(a, b, seconds=10)
    b.gate = replace(b.gate, anchors=TrustAnchors([]))
    reload(network, b, written(B, FAST_RSA))
    assert b.engine.table.ike_sas == {}
    assert "no longer authorized: " in whys(b)[1][0]


def test_a_certificate_that_ends_sooner_than_was_thought_ends_its_sas() -> None:
    """Say, a revocation list that has a shorter life."""
    a, b = pair()
    network = meet(a, b, seconds=10)
    end = network.clock.utc + timedelta(seconds=100)

    def answer(question: Question, now: Now) -> Answer:
        given = b.answer_from_gate(question, now)
        return replace(given, expires=end) if isinstance(given, PeerIdentified) else given

    b.answer = answer
    reload(network, b, b.configuration)
    (tunnel,) = b.engine.table.tunnels
    assert tunnel.authorization_ends == ike_sa(b).authorization_ends == end
    network.run(98)
    assert b.installed
    network.run(2)
    assert b.installed == {}
    assert whys(b)[0][0] == "expired"


def test_a_clock_that_was_set_is_noticed_at_the_next_check() -> None:
    a, b = pair(FAST_RSA)
    network = meet(a, b, seconds=10)
    (tunnel,) = b.engine.table.tunnels
    assert tunnel.authorization_ends is not None
    asked = questions(b)
    later = Now(network.now, tunnel.authorization_ends + timedelta(seconds=1))
    b.engine._core.check_soon(network.clock)
    for datagram in b.perform(b.engine.wake(later), later):
        network.send(datagram)
    assert [type(question) for question in asked] == [IdentifyPeer]
    assert b.installed == {}
    assert "no longer authorized" in whys(b)[0][0]


# --- answers that do not come, or make no sense


def test_no_answer_in_time_is_a_denial() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    b.answer = lambda question, now: None
    network.do(b, b.reload(b.configuration, network.clock))
    network.run(reviewing.PATIENCE - 0.1)
    assert b.installed
    network.run(0.2)
    assert b.installed == {}
    assert whys(b) == (["no longer authorized: no answer within 10 s"],) * 2
    (ask,) = b.unanswered
    assert b.engine.answer(ask.id, b.answer_from_gate(ask.question, network.clock), network.clock) == []
    assert b.engine.counters["late answer"] == 1


def test_an_answer_that_comes_late_but_in_time_counts() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    b.answer = lambda question, now: None
    network.do(b, b.reload(b.configuration, network.clock))
    for _ in range(2):
        network.run(5)
        ask = b.unanswered.pop()
        given = b.answer_from_gate(ask.question, network.clock)
        network.do(b, b.engine.answer(ask.id, given, network.clock))
    network.run(100)
    assert_joined(a, b)


def nonsense() -> Mapping[str, Callable[[Question], Answer]]:
    no = Decision(False, "", BECAUSE)
    return {
        "another kind": lambda question: Signed(None),
        "allowed, and nobody": lambda question: PeerIdentified(replace(no, allowed=True)),
        "tunnel for an identity": lambda question: TunnelAuthorized(0, (no,)),
    }


@pytest.mark.parametrize("name", nonsense())
def test_an_answer_that_makes_no_sense_is_a_denial(name: str) -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    b.answer = lambda question, now: nonsense()[name](question)
    network.do(b, b.reload(b.configuration, network.clock))
    assert b.installed == {}
    assert b.engine.table.ike_sas == {}


@pytest.mark.parametrize(
    ("chosen", "decisions"),
    [(None, ()), (0, ()), (1, (Decision(True, "", ""),)), (0, (Decision(False, "", BECAUSE),))],
)
def test_of_one_tunnel_only_the_first_can_be_chosen(chosen: int | None, decisions: tuple[Decision, ...]) -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)

    def answer(question: Question, now: Now) -> Answer:
        given = b.answer_from_gate(question, now)
        return TunnelAuthorized(chosen, decisions) if isinstance(question, AuthorizeTunnel) else given

    b.answer = answer
    network.do(b, b.reload(b.configuration, network.clock))
    assert b.engine.table.tunnels == ()
    assert b.engine.table.ike_sas


def test_a_second_reload_asks_anew() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    b.answer = lambda question, now: None
    for _ in range(3):
        network.do(b, b.reload(b.configuration, network.clock))
    assert len(b.engine._core.reviews) == 1
    b.answer = None
    reload(network, b, b.configuration)
    network.run(100)
    assert_joined(a, b)


def test_what_has_gone_meanwhile_needs_no_answer() -> None:
    a, b = pair()
    network = meet(a, b, seconds=10)
    b.answer = lambda question, now: None
    network.do(b, b.reload(b.configuration, network.clock))
    network.do(b, b.engine.stop(network.clock))
    network.run(30)
    assert_nothing_left(a, b)


# --- what is under way


@pytest.mark.parametrize("number", range(1, 10))
@pytest.mark.parametrize("how", ["the same", "denies", "another key", "no such connection"])
def test_a_reload_in_the_middle_of_a_handshake(number: int, how: str) -> None:
    """Whatever was under way: what is not allowed now is not up afterwards."""
    a, b = pair(of_a={"active": False})
    network = Network(a, b)
    network.start()
    network._tamper = lambda count, datagram: deliver(count, datagram) if count < number else []
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(0.5)
    network._tamper = deliver
    match how:
        case "denies":
            network.do(b, b.reload(b.configuration, network.clock, Denies()))
        case "another key":
            network.do(b, b.reload(written(B, key="another"), network.clock))
        case "no such connection":
            connections = replace(b.configuration, connections={})
            network.do(b, b.reload(connections, network.clock, Denies()))
        case _:
            network.do(b, b.reload(b.configuration, network.clock))
    network.run(60)
    if how == "the same":
        assert_joined(a, b)
    else:
        assert a.installed == b.installed == {}
    network.run(4000)
    assert "pending" not in leftovers(b)


@pytest.mark.parametrize("number", range(1, 10))
def test_a_reload_of_the_initiator_in_the_middle(number: int) -> None:
    a, b = pair()
    network = Network(a, b, tamper=lambda count, datagram: deliver(count, datagram) if count < number else [])
    network.start()
    network.run(0.5)
    network._tamper = deliver
    network.do(a, a.reload(replace(a.configuration, connections={}), network.clock))
    network.run(300)
    assert a.installed == b.installed == {}
    assert len(a.of(TunnelUp)) == (number >= 8)
    why = [event.why for event in a.of(ExchangeFailed)]
    assert all(OTHERWISE in text for text in why)


def test_many_reloads_while_much_goes_on() -> None:
    a, b = pair(of_b={"active": True})
    network = meet(a, b, seconds=10)
    for count in range(50):
        host = (a, b)[count % 2]
        other: Options = {"key": f"key {count // 10}"} if count % 5 == 0 else {}
        for end in (a, b):
            if other or end is host:
                network.do(end, end.reload(written(str(end.address), active=True, **other), network.clock))
        network.run(7)
    network.run(120)
    assert a.installed
    assert {(inbound, spi) for inbound, spi in a.installed} == {(not inbound, spi) for inbound, spi in b.installed}
    for end in (a, b):
        network.do(end, end.engine.stop(network.clock))
    network.run(200)
    assert_nothing_left(a, b)


def late(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
    return [(3.0, datagram)]


def test_a_tunnel_that_was_allowed_before_is_asked_about_when_it_is_there() -> None:
    """Message 2 was sent under the old policy; message 3 comes under the new one."""
    a, b = pair(of_a={"active": False})
    network = meet(a, b, seconds=1)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network._tamper = lambda number, datagram: deliver(number, datagram) if number < 8 else late(number, datagram)
    network.run(2)
    assert a.of(TunnelUp)
    assert not b.of(TunnelUp)
    network.do(b, b.reload(b.configuration, network.clock, Denies()))
    network.run(10)
    assert [event.why for event in b.of(TunnelDown)] == [f"no longer authorized: {BECAUSE}"]
    assert a.installed == b.installed == {}
