# SPDX-License-Identifier: ISC
"""Notifications and deletes: what is believed, what is only shown, and what they name."""

from dataclasses import replace
from functools import cache

import pytest

from ike_auth.effects import Report
from ike_auth.errors import (
    InvalidExchangeType,
    InvalidFlags,
    InvalidHash,
    LocalError,
    MalformedMessage,
    NoProposalChosen,
    PeerError,
    UnexpectedMessage,
)
from ike_auth.events import PeerNotified
from ike_auth.exchanges.steps import (
    Acknowledged,
    Closed,
    DeleteIkeSa,
    DeleteTunnels,
    FailPhase2,
    Outcome,
    StartedAnew,
)
from ike_auth.exchanges.v1 import informational
from ike_auth.exchanges.v1.informational import Channel, Listening
from ike_auth.exchanges.v1.main_mode import ProofAwaited, channel
from ike_auth.exchanges.version import Route
from ike_auth.sa import Cookies, IkeSa
from ike_auth.wire.header import Header
from ike_auth.wire.messages import Message, encode_payloads
from ike_auth.wire.numbers import Doi, ExchangeType, Flags, NotifyType, ProtocolId
from ike_auth.wire.payloads import Delete, Hash, Nonce, Notification, Payload
from tests.ike_auth.exchanges import sides
from tests.ike_auth.exchanges.sides import VERSION, Walk

ESP, AH, ISAKMP = ProtocolId.ESP, ProtocolId.AH, ProtocolId.ISAKMP
ID = 0x1234


@cache
def walk() -> Walk:
    return sides.main_mode()


def both() -> tuple[IkeSa, IkeSa]:
    return walk().sas


def told(*payloads: Payload) -> Outcome:
    """What the responder makes of this from the initiator."""
    return taken(sealed(*payloads))


def sealed(*payloads: Payload, hashed: bytes | None = None) -> bytes:
    ike, _ = both()
    chain = encode_payloads(payloads)
    header = Header(ike.cookies.initiator, ike.cookies.responder, exchange=ExchangeType.INFORMATIONAL, message_id=ID)
    proof = ike.keys.hash_1(ID, chain[1]) if hashed is None else hashed
    return Channel.of(ike).protection(ID).seal(header, (Hash(proof),), then=chain)[0]


def taken(data: bytes) -> Outcome:
    _, ike = both()
    return walk().r.take(walk().r.listen_child(ike, data), data)


def notification(type: NotifyType, spi: bytes = b"", data: bytes = b"", protocol: ProtocolId = ESP) -> Notification:
    return Notification(Doi.IPSEC, protocol, type, spi, data)


def reports(outcome: Outcome) -> list[str]:
    events = [effect.event for effect in outcome.after if isinstance(effect, Report)]
    return [event.notify for event in events if isinstance(event, PeerNotified)]


def as_initiator_reads(data: bytes) -> tuple[Payload, ...]:
    ike, _ = both()
    return Channel.of(ike).protection(Header.decode(data).message_id).open(Header.decode(data), data)[0].payloads


# --- notifications


def test_dead_peer_detection_is_answered_with_the_same_data() -> None:
    ike, _ = both()
    spi = ike.cookies.initiator + ike.cookies.responder
    asked = Notification(Doi.IPSEC, ISAKMP, NotifyType.R_U_THERE, spi, b"\0\0\0\7")
    outcome = told(asked)
    (sent,) = outcome.notify
    _, answer = as_initiator_reads(sent)
    assert answer == replace(asked, type=NotifyType.R_U_THERE_ACK)
    assert (outcome.changes, outcome.after, outcome.send) == ((), (), None)
    assert isinstance(outcome.state, Closed)


def test_an_acknowledgement_is_not_acknowledged() -> None:
    cookies = both()[1].cookies
    for spi, expected in ((b"", None), (cookies.initiator + cookies.responder, 7)):
        outcome = told(notification(NotifyType.R_U_THERE_ACK, spi, data=b"\0\0\0\7"))
        assert (outcome.notify, outcome.after) == ((), ())
        (change,) = outcome.changes
        assert isinstance(change, Acknowledged)
        assert change.sequence == expected


@pytest.mark.parametrize("type", [NotifyType.REPLAY_STATUS, NotifyType.RESPONDER_LIFETIME, NotifyType(40000)])
def test_what_is_no_error_is_reported(type: NotifyType) -> None:
    outcome = told(notification(type))
    assert reports(outcome) == [str(type)]
    assert outcome.changes == ()


def test_authentication_failed_ends_the_ike_sa() -> None:
    outcome = told(notification(NotifyType.AUTHENTICATION_FAILED, protocol=ISAKMP))
    assert outcome.changes == (DeleteIkeSa(both()[1].cookies, "the peer does not accept our identity"),)


def test_an_error_refuses_the_quick_mode_that_it_names() -> None:
    outcome = told(notification(NotifyType.NO_PROPOSAL_CHOSEN, b"\1\2\3\4"))
    assert outcome.changes == (FailPhase2(both()[1], b"\1\2\3\4", "NO_PROPOSAL_CHOSEN"),)
    assert reports(outcome) == []


def test_an_error_may_name_nothing() -> None:
    ike = both()[1]
    for spi in (b"", bytes(4), bytes(16), ike.cookies.initiator + ike.cookies.responder):
        assert told(notification(NotifyType.INVALID_ID_INFORMATION, spi)).changes == (
            FailPhase2(ike, None, "INVALID_ID_INFORMATION"),
        )


def test_several_in_one_message_in_their_order() -> None:
    outcome = told(
        notification(NotifyType.INITIAL_CONTACT),
        notification(NotifyType.R_U_THERE, data=b"1"),
        notification(NotifyType.R_U_THERE, data=b"2"),
        notification(NotifyType.NO_PROPOSAL_CHOSEN, b"\1\2\3\4"),
    )
    assert len(outcome.notify) == 2
    assert [type(change) for change in outcome.changes] == [StartedAnew, FailPhase2]
    assert reports(outcome) == []


# --- deletes


def test_a_delete_of_tunnels_names_spis_of_the_peer() -> None:
    outcome = told(Delete(Doi.IPSEC, ESP, (b"aaaa", b"bbbb")), Delete(Doi.IPSEC, AH, (b"cccc",)))
    ike = both()[1]
    assert outcome.changes == (
        DeleteTunnels(ike, ESP, (b"aaaa", b"bbbb")),
        DeleteTunnels(ike, AH, (b"cccc",)),
    )


def test_a_delete_of_the_ike_sa_has_its_cookies() -> None:
    ike = both()[1]
    spi = ike.cookies.initiator + ike.cookies.responder
    (change,) = told(Delete(Doi.IPSEC, ISAKMP, (bytes(16), spi))).changes
    assert isinstance(change, DeleteIkeSa)
    assert change.cookies == ike.cookies
    assert told(Delete(Doi.IPSEC, ISAKMP, (bytes(16),))).changes == ()


def test_a_delete_as_the_first_word_is_a_doubt_about_our_identity() -> None:
    ike = both()[1]
    data = informational.delete_ike_sa(Channel.of(both()[0]), walk().i.random)
    (change,) = taken(data).changes
    assert isinstance(change, DeleteIkeSa)
    assert change.why == (
        "deleted by the peer before anything else; perhaps it does not accept our identity IPV4_ADDR 10.99.0.2"
    )
    heard = replace(ike, heard=ike.established + 1)
    (change,) = walk().r.take(VERSION.accept_child(Header.decode(data), heard), data).changes
    assert change == DeleteIkeSa(ike.cookies, "deleted by the peer")


def test_our_own_deletes() -> None:
    ike_i, ike_r = both()
    quick = sides.quick_mode()
    tunnel = quick.outcomes[2][-1].changes[0].tunnel  # type: ignore[union-attr]
    data = VERSION.delete_tunnels(ike_i, [tunnel], walk().i.random)
    assert taken(data).changes == (DeleteTunnels(ike_r, ESP, (tunnel.inbound[0].spi,)),)
    data = VERSION.delete_ike(ike_i, walk().i.random)
    assert [type(change) for change in taken(data).changes] == [DeleteIkeSa]


def test_message_ids_are_random_and_never_zero() -> None:
    numbers = iter([bytes(4), bytes(4)])
    data = informational.delete_ike_sa(Channel.of(both()[0]), lambda _: next(numbers))
    assert Header.decode(data).message_id == 1


# --- what is not believed


def test_a_wrong_hash() -> None:
    for hashed in (bytes(32), b"", both()[0].keys.hash_1(ID + 1, b"")):
        with pytest.raises(InvalidHash):
            taken(sealed(notification(NotifyType.R_U_THERE), hashed=hashed))


def test_the_hash_comes_first_and_nothing_else_may_stand_there() -> None:
    ike, _ = both()
    header = Header(ike.cookies.initiator, ike.cookies.responder, exchange=ExchangeType.INFORMATIONAL, message_id=ID)
    for payloads in ((notification(NotifyType.R_U_THERE), Hash(bytes(32))), (notification(NotifyType.R_U_THERE),)):
        with pytest.raises(UnexpectedMessage):
            taken(Channel.of(ike).protection(ID).seal(header, payloads)[0])
    with pytest.raises(UnexpectedMessage):
        told(Nonce(bytes(16)))


def test_only_its_own_row_takes_it() -> None:
    data = sealed(notification(NotifyType.INITIAL_CONTACT))
    outcome = taken(data)
    with pytest.raises(UnexpectedMessage):
        walk().r.take(outcome.state, data)
    quick = data[:18] + bytes([ExchangeType.QUICK]) + data[19:]
    listening = walk().r.listen_child(both()[1], data)
    assert isinstance(listening, Listening)
    with pytest.raises(PeerError):
        walk().r.take(listening, quick)


# --- in the clear


@pytest.mark.parametrize(
    ("flags", "under_ike", "route"),
    [
        (Flags.NONE, True, Route.HINT),
        (Flags.NONE, False, Route.HINT),
        (Flags.ENCRYPTION, False, Route.HINT),
        (Flags.ENCRYPTION, True, Route.CHILD),
    ],
)
def test_what_nobody_vouches_for_is_a_hint(flags: Flags, under_ike: bool, route: Route) -> None:
    header = Header(b"initiato", b"responde", exchange=ExchangeType.INFORMATIONAL, flags=flags, message_id=ID)
    assert VERSION.route(header, under_ike) == route


@pytest.mark.parametrize(
    ("exchange", "message_id", "route"),
    [
        (ExchangeType.MAIN, 0, Route.IKE),
        (ExchangeType.AGGRESSIVE, 0, Route.IKE),
        (ExchangeType.MAIN, 7, Route.CHILD),
        (ExchangeType.QUICK, 0, Route.CHILD),
        (ExchangeType.QUICK, 7, Route.CHILD),
    ],
)
def test_what_belongs_where(exchange: ExchangeType, message_id: int, route: Route) -> None:
    header = Header(b"initiato", b"responde", exchange=exchange, message_id=message_id)
    assert VERSION.route(header, True) == route


def test_hints_in_the_clear() -> None:
    data = informational.notify_clear(Cookies(b"initiato", bytes(8)), NotifyType.NO_PROPOSAL_CHOSEN, walk().i.random)
    assert VERSION.hints(None, Header.decode(data), data) == ("NO_PROPOSAL_CHOSEN",)
    header = Header.decode(data)
    assert header.message_id != 0
    with_delete = Message(header, (Delete(Doi.IPSEC, ESP, (b"aaaa",)),)).encode()
    assert VERSION.hints(None, Header.decode(with_delete), with_delete) == (), "a delete says nothing here"
    flagged = replace(header, flags=Flags.ENCRYPTION).encode() + data[28:]
    with pytest.raises(InvalidFlags):
        VERSION.hints(None, Header.decode(flagged), flagged)
    with pytest.raises(MalformedMessage):
        VERSION.hints(None, header, data[:24] + (len(data) - 1).to_bytes(4, "big") + data[28:-1])
    hashed = Message(header, (Hash(bytes(32)),)).encode()
    with pytest.raises(UnexpectedMessage):
        VERSION.hints(None, Header.decode(hashed), hashed)


def test_a_hint_under_keys_whose_holder_is_not_identified() -> None:
    state = walk().states[6]
    assert isinstance(state, ProofAwaited)
    data = informational.refuse(
        channel(state.agreed, state.protection), NotifyType.AUTHENTICATION_FAILED, walk().r.random
    )
    assert VERSION.hints(state, Header.decode(data), data) == ("AUTHENTICATION_FAILED",)


# --- what a stranger's first message is answered with


def test_only_a_few_refusals_are_told_to_strangers() -> None:
    header = Header.decode(walk().messages[1])
    random = walk().r.random
    for error, name in (
        (NoProposalChosen("x"), "NO_PROPOSAL_CHOSEN"),
        (InvalidExchangeType("x"), "INVALID_EXCHANGE_TYPE"),
    ):
        data = VERSION.refusal(header, error, random)
        assert data is not None
        assert VERSION.hints(None, Header.decode(data), data) == (name,)
        assert Header.decode(data).initiator_cookie == header.initiator_cookie
        assert len(data) < len(walk().messages[1]), "nothing is made larger"
    for silent in (UnexpectedMessage("x"), MalformedMessage("x"), LocalError("x")):
        assert VERSION.refusal(header, silent, random) is None
