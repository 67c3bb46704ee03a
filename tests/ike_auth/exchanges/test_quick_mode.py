# SPDX-License-Identifier: ISC
"""Quick mode row by row."""

from dataclasses import replace
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import pytest

from ike_auth.authorization.requests import AuthorizeTunnel, Decision, Signed, TunnelAuthorized
from ike_auth.effects import Effect, InstallSa, RemoveSa, Report
from ike_auth.errors import (
    InvalidExchangeType,
    InvalidFlags,
    InvalidHash,
    InvalidKeyInformation,
    InvalidMessageId,
    LocalError,
    MalformedMessage,
    PeerError,
    UnexpectedMessage,
)
from ike_auth.events import ExchangeFailed, TunnelRefused, TunnelUp
from ike_auth.exchanges.steps import Closed, Outcome
from ike_auth.exchanges.v1.phase2 import connection_for
from ike_auth.exchanges.v1.quick_mode import Answered, ChoiceAsked, Confirmed, Listening, OfferAsked, Offered
from ike_auth.sa import IkeSa, Nat
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import Doi, EncapsulationMode, NotifyType, ProtocolId
from ike_auth.wire.payloads import Hash, KeyExchange, Nonce, Notification, Payload
from ike_auth.wire.proposals import SecurityAssociation
from tests.ike_auth.configurations import A, B
from tests.ike_auth.exchanges import sides
from tests.ike_auth.exchanges.forging import altered, made, opened, protection_of
from tests.ike_auth.exchanges.sides import VERSION, Walk
from tests.ike_auth.gateways import FAST
from tests.ike_auth.simulation import endpoint

NO = Decision(False, "false", "no")
YES = Decision(True, "true", "yes")


def kinds(effects: tuple[Effect, ...]) -> list[str]:
    words = []
    for effect in effects:
        match effect:
            case InstallSa(sa):
                words.append("install in" if sa.inbound else "install out")
            case RemoveSa(sa):
                words.append("remove in" if sa.inbound else "remove out")
            case Report(event):
                words.append(type(event).__name__)
    return words


# --- the ladder


def test_the_states_in_which_each_message_is_taken() -> None:
    walk = sides.quick_mode()
    assert [type(state) for state in walk.states.values()] == [Listening, Offered, Answered]
    assert [type(steps[0].state) for steps in walk.outcomes.values()] == [OfferAsked, ChoiceAsked, Closed]
    assert [type(steps[-1].state) for steps in walk.outcomes.values()] == [Answered, Confirmed, Closed]
    assert [type(step.ask) for steps in walk.outcomes.values() for step in steps if step.ask] == [AuthorizeTunnel] * 2
    assert [VERSION.awaited(state) for state in walk.states.values()] == [f"quick mode {n}" for n in (1, 2, 3)]
    assert VERSION.awaited(walk.outcomes[1][0].state) == "answer about the tunnel"
    assert {VERSION.name(state) for state in walk.states.values()} == {"quick mode"}
    assert VERSION.offered(walk.states[2]) == f"{FAST['suites']} for 10.1.0.0/16 ↔ 10.2.0.0/16"


def test_every_message_is_taken_in_its_own_state_alone() -> None:
    walk = sides.quick_mode()
    states = {**walk.states, **{10 * n: steps[0].state for n, steps in walk.outcomes.items()}}
    for number, data in walk.messages.items():
        for other, state in states.items():
            # Message 1 once more is no other message: see below.
            if other != number and (number, other) != (1, 3):
                with pytest.raises(PeerError):
                    (walk.i if other == 2 else walk.r).take(state, data)


def test_effects_in_their_order() -> None:
    walk = sides.quick_mode()
    one, two, three = (steps[-1] for steps in walk.outcomes.values())
    assert (kinds(one.before), kinds(one.after), one.changes) == (["install in"], [], ())
    assert (kinds(two.before), kinds(two.after)) == (["install in", "install out"], ["TunnelUp"])
    assert (kinds(three.before), kinds(three.after)) == ([], ["install out", "TunnelUp"])
    assert three.send is None


def test_both_ends_come_to_the_same_tunnel() -> None:
    walk = sides.quick_mode()
    i, r = made(walk.outcomes[2][-1]), made(walk.outcomes[3][-1])
    assert (i.initiator, r.initiator) == (True, False)
    assert (i.local, i.remote) == (r.remote, r.local)
    for ours, theirs in zip(i.sas, r.outbound + r.inbound, strict=True):
        assert (ours.spi, ours.fingerprint, ours.inbound) == (theirs.spi, theirs.fingerprint, not theirs.inbound)
        assert (ours.source, ours.destination) == (theirs.source, theirs.destination)
    assert i.expires == walk.i.now.monotonic + 1200


def test_a_message_id_is_needed() -> None:
    walk = sides.main_mode()
    ike, _ = walk.sas
    header = Header.decode(walk.messages[6])
    quick = Header.decode(sides.quick_mode().messages[1])
    with pytest.raises(InvalidMessageId):
        VERSION.accept_child(replace(quick, message_id=0), ike)
    with pytest.raises(InvalidExchangeType, match="under an IKE SA"):
        VERSION.accept_child(replace(header, message_id=7), ike)


# --- hashes


@pytest.mark.parametrize("number", [1, 2])
def test_every_payload_is_covered_by_the_hash(number: int) -> None:
    walk = sides.quick_mode()
    state, side = walk.states[number], walk.r if number == 1 else walk.i
    hashed, *rest = opened(protection_of(state), walk.messages[number])
    header = Header.decode(walk.messages[number])
    assert isinstance(hashed, Hash)
    for index, payload in enumerate(rest):
        if isinstance(payload, Nonce):
            other: Payload = Nonce(bytes(len(payload.data)))
        elif isinstance(payload, Identity):
            other = Identity.subnet(ip_network("192.0.2.0/24"))
        elif isinstance(payload, KeyExchange):
            other = KeyExchange(bytes(31) + b"\1")
        else:
            continue
        forged = protection_of(state).seal(header, (hashed, *rest[:index], other, *rest[index + 1 :]))[0]
        with pytest.raises(InvalidHash):
            side.take(state, forged)
    for wrong in (Hash(bytes(32)), Hash(b""), Hash(hashed.data + b"\0")):
        with pytest.raises(InvalidHash):
            side.take(state, protection_of(state).seal(header, (wrong, *rest))[0])


def test_message_3_is_a_hash_over_both_nonces() -> None:
    walk = sides.quick_mode()
    state = walk.states[3]
    header = Header.decode(walk.messages[3])
    with pytest.raises(InvalidHash, match=r"quick mode 3: wrong HASH\(3\)"):
        walk.r.take(state, protection_of(state).seal(header, (Hash(bytes(32)),))[0])
    with pytest.raises(InvalidFlags):
        walk.r.take(state, Message(replace(header, flags=header.flags & ~1), (Hash(bytes(32)),)).encode())


def test_a_nonce_of_the_wrong_size() -> None:
    for number in (1, 2):
        walk = sides.quick_mode()
        with pytest.raises(MalformedMessage):
            (walk.r if number == 1 else walk.i).take(walk.states[number], altered(walk, number, Nonce(bytes(7))))


# --- what the responder makes of message 1


def refusal(outcome: Outcome, walk: Walk) -> tuple[str, Notification]:
    """Why a genuine message is refused for good, and what the peer is told."""
    assert isinstance(outcome.state, Closed)
    (report,) = outcome.after
    assert isinstance(report, Report)
    assert isinstance(report.event, ExchangeFailed)
    (told,) = outcome.notify
    state = walk.states[1]
    assert isinstance(state, Listening)
    listening = VERSION.accept_child(Header.decode(told), state.ike)
    assert hasattr(listening, "protection")
    (notification,) = listening.protection.open(Header.decode(told), told)[0].all(Notification)
    return report.event.why, notification


def test_a_proposal_that_is_not_acceptable_is_refused_by_the_spi_of_the_peer() -> None:
    walk = sides.quick_mode(of_b={"suites": "QM-ESP-AES-128-SHA2-256-PFS-GRP31-SUITE"})
    offered = opened(protection_of(walk.states[1]), walk.messages[1])[1]
    assert isinstance(offered, SecurityAssociation)
    wrong = SecurityAssociation(tuple(replace(p, protocol=ProtocolId.AH) for p in offered.proposals))
    why, told = refusal(walk.r.take(walk.states[1], altered(walk, 1, wrong)), walk)
    assert why.startswith("no acceptable phase 2 proposal: ")
    assert (told.type, told.protocol, told.spi) == (
        NotifyType.NO_PROPOSAL_CHOSEN,
        ProtocolId.AH,
        offered.proposals[0].spi,
    )
    assert told.doi == Doi.IPSEC


@pytest.mark.parametrize(
    ("identities", "why"),
    [
        ((Identity.fqdn("gw.example.org"), Identity.fqdn("gw.example.org")), "FQDN is no traffic selector"),
        (
            (Identity.range(ip_address("10.1.0.9"), ip_address("10.1.0.1")), Identity.address(ip_address(B))),
            "`10.1.0.9-10.1.0.1` is no range",
        ),
    ],
)
def test_client_identities_that_mean_no_traffic(identities: tuple[Identity, ...], why: str) -> None:
    walk = sides.quick_mode()
    said, told = refusal(walk.r.take(walk.states[1], altered(walk, 1, *identities)), walk)
    assert why in said
    assert told.type == NotifyType.INVALID_ID_INFORMATION


def test_one_client_identity_is_none() -> None:
    walk = sides.quick_mode()
    with pytest.raises(UnexpectedMessage, match="1 payloads Identity"):
        walk.r.take(walk.states[1], altered(walk, 1, Identity.address(ip_address(A))))


def test_without_a_key_exchange_there_is_no_pfs() -> None:
    walk = sides.quick_mode()
    why, _ = refusal(walk.r.take(walk.states[1], altered(walk, 1, drop=KeyExchange)), walk)
    assert "PFS CURVE25519: no key exchange was sent" in why


@pytest.mark.parametrize("value", [bytes(32), b"\1" * 31])
def test_a_public_value_outside_of_the_group_ends_the_exchange_after_policy(value: bytes) -> None:
    """The message is genuine, so no other one will follow."""
    walk = sides.quick_mode()
    asked = walk.r.take(walk.states[1], altered(walk, 1, KeyExchange(value)))
    with pytest.raises(InvalidKeyInformation):
        walk.r.answer(asked)
    asked = walk.i.take(walk.states[2], altered(walk, 2, KeyExchange(value)))
    with pytest.raises(InvalidKeyInformation):
        walk.i.answer(asked)


def test_a_tunnel_that_no_connection_names_is_policys_to_decide() -> None:
    walk = sides.quick_mode()
    elsewhere = Identity.subnet(ip_network("192.0.2.0/24")), Identity.subnet(ip_network("10.2.0.0/16"))
    asked = walk.r.take(walk.states[1], altered(walk, 1, *elsewhere)).ask
    assert isinstance(asked, AuthorizeTunnel)
    (request,) = asked.requests
    assert (request.connection, str(request.remote), str(request.local)) == (None, "192.0.2.0/24", "10.2.0.0/16")


def test_what_policy_is_asked() -> None:
    walk = sides.quick_mode()
    asked = walk.outcomes[1][0].ask
    assert isinstance(asked, AuthorizeTunnel)
    (request,) = asked.requests
    assert request.identity.identity == Identity.address(ip_address(A))
    assert (str(request.local), str(request.remote)) == ("10.2.0.0/16", "10.1.0.0/16")
    assert (request.pfs, request.initiator, request.connection, request.client_ids) == (True, False, "tunnel", True)
    asked = walk.outcomes[2][0].ask
    assert isinstance(asked, AuthorizeTunnel)
    (request,) = asked.requests
    assert (str(request.local), str(request.remote)) == ("10.1.0.0/16", "10.2.0.0/16")
    assert (request.pfs, request.initiator, request.connection) == (True, True, "tunnel")


def test_without_client_identities_the_ends_themselves() -> None:
    walk = sides.quick_mode({**FAST, "clients": None}, of_b={"active": True})
    assert [type(p) for p in opened(protection_of(walk.states[1]), walk.messages[1])] == [
        Hash,
        SecurityAssociation,
        Nonce,
        KeyExchange,
    ]
    tunnel = made(walk.outcomes[3][-1])
    assert (str(tunnel.local), str(tunnel.remote), tunnel.connection) == (B, A, "tunnel")


@pytest.mark.parametrize("number", [1, 2])
def test_policy_says_no(number: int) -> None:
    walk = sides.quick_mode()
    side = walk.r if number == 1 else walk.i
    refused = side.answer(walk.outcomes[number][0], TunnelAuthorized(None, (NO,)))
    assert isinstance(refused.state, Closed)
    assert (refused.send, refused.before, refused.changes, len(refused.notify)) == (None, (), (), 1)
    (report,) = refused.after
    assert isinstance(report, Report)
    assert isinstance(report.event, TunnelRefused)
    assert report.event.decisions == (NO,)


def test_an_answer_to_another_question_is_none() -> None:
    walk = sides.quick_mode()
    with pytest.raises(LocalError, match="asked about the tunnel, and was answered by Signed"):
        walk.r.answer(walk.outcomes[1][0], Signed(b""))


def test_no_sa_outlives_what_authorized_the_peer() -> None:
    walk = sides.quick_mode()
    state = walk.outcomes[1][0].state
    assert isinstance(state, OfferAsked)
    allowed = TunnelAuthorized(0, (YES,))

    def life(ends_in: timedelta) -> int:
        ike = replace(state.ike, authorization_ends=walk.r.now.utc + ends_in)
        answered = VERSION.answer(replace(state, ike=ike), allowed, walk.r.local).state
        assert isinstance(answered, Answered)
        assert {sa.life_seconds for sa in answered.tunnel.sas} == {
            round(answered.tunnel.expires - walk.r.now.monotonic)
        }
        return answered.tunnel.sas[0].life_seconds

    assert life(timedelta(days=1)) == 1200
    assert life(timedelta(seconds=90)) == 90
    for over in (timedelta(0), timedelta(seconds=-5), timedelta(milliseconds=900)):
        with pytest.raises(LocalError, match=r"what authorized IPV4_ADDR 10.99.0.1 has ended"):
            life(over)


# --- what the initiator makes of message 2


def test_other_client_identities_than_ours_are_refused() -> None:
    walk = sides.quick_mode()
    swapped = opened(protection_of(walk.states[2]), walk.messages[2])[-1:-3:-1]
    outcome = walk.i.take(walk.states[2], altered(walk, 2, *swapped))
    assert isinstance(outcome.state, Closed)
    (report,) = outcome.after
    assert isinstance(report, Report)
    assert "the peer answers with other client identities than ours" in str(report.event)


def test_client_identities_may_be_left_out_of_message_2() -> None:
    """RFC 2409 5.5 wants them back; who leaves them out has not answered with others."""
    walk = sides.quick_mode()
    asked = walk.i.take(walk.states[2], altered(walk, 2, drop=Identity)).ask
    assert asked == walk.outcomes[2][0].ask


def test_a_choice_that_was_not_offered_is_refused() -> None:
    walk = sides.quick_mode()
    offered = opened(protection_of(walk.states[2]), walk.messages[2])[1]
    assert isinstance(offered, SecurityAssociation)
    wrong = SecurityAssociation(tuple(replace(p, protocol=ProtocolId.AH) for p in offered.proposals))
    outcome = walk.i.take(walk.states[2], altered(walk, 2, wrong))
    assert isinstance(outcome.state, Closed)
    assert len(outcome.notify) == 1


def test_message_2_without_the_key_exchange_that_was_asked_for() -> None:
    walk = sides.quick_mode()
    outcome = walk.i.take(walk.states[2], altered(walk, 2, drop=KeyExchange))
    assert isinstance(outcome.state, Closed)


# --- states that wait


def test_what_has_to_be_undone_if_message_3_does_not_come() -> None:
    walk = sides.quick_mode()
    state = walk.states[3]
    assert isinstance(state, Answered)
    assert kinds(state.abandoned()) == ["remove in"]
    assert walk.states[2].abandoned() == ()
    assert state.pending_tunnel == made(walk.outcomes[3][-1])


def test_spis_by_which_an_exchange_is_named() -> None:
    walk = sides.quick_mode()
    tunnel_i, tunnel_r = made(walk.outcomes[2][-1]), made(walk.outcomes[3][-1])
    own_i, own_r = (tunnel_i.inbound[0].spi,), (tunnel_r.inbound[0].spi,)
    assert walk.states[2].own_spis == walk.outcomes[2][0].state.own_spis == own_i
    assert walk.outcomes[2][-1].state.own_spis == own_i
    assert (walk.states[3].own_spis, walk.states[3].peer_spis) == (own_r, own_i)


# --- behind NAT


def behind_nat(ike: IkeSa) -> IkeSa:
    return replace(ike, nat=Nat(True, True, False))


def test_behind_nat_esp_goes_into_udp() -> None:
    first = sides.main_mode()
    ike_i, ike_r = map(behind_nat, first.sas)
    offered = first.i.child(ike_i)
    assert offered.send is not None
    asked = first.r.take(first.r.listen_child(ike_r, offered.send), offered.send).ask
    assert isinstance(asked, AuthorizeTunnel)
    assert asked.requests[0].protocols[0].encapsulation == EncapsulationMode.UDP_TUNNEL


# --- connections


def connections(*lines: tuple[str, Any, Any]) -> tuple[Any, ...]:
    template = sides.sides()[1].host.configuration.connections["tunnel"]
    return tuple(
        replace(
            template,
            name=name,
            local=None if local is None else Selector.of(ip_network(local)),
            remote=None if remote is None else Selector.of(ip_network(remote)),
        )
        for name, local, remote in lines
    )


@pytest.mark.parametrize(
    ("ours", "theirs", "name"),
    [
        ("10.2.0.0/16", "10.1.0.0/16", "exact"),
        ("10.2.0.0/16", "192.0.2.0/24", "open"),
        ("10.3.0.0/16", "10.1.0.0/16", None),
        (f"{B}/32", f"{A}/32", "ends"),
        (f"{B}/32", "10.1.0.0/16", None),
    ],
)
def test_which_connection_a_tunnel_is_of(ours: str, theirs: str, name: str | None) -> None:
    known = connections(("open", "10.2.0.0/16", None), ("exact", "10.2.0.0/16", "10.1.0.0/16"), ("ends", None, None))
    local = replace(
        sides.sides()[1].local,
        local=endpoint(B),
        remote=endpoint(A),
        settings=replace(sides.sides()[1].local.settings, connections_of=lambda _: known),
    )
    found = connection_for("peer", Selector.of(ip_network(ours)), Selector.of(ip_network(theirs)), local)
    assert (None if found is None else found.name) == name


def test_up_names_the_tunnel() -> None:
    (report,) = sides.quick_mode().outcomes[2][-1].after
    assert isinstance(report, Report)
    assert isinstance(report.event, TunnelUp)
