# SPDX-License-Identifier: ISC
"""What is dropped at the door, and what the same bytes get."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.effects import Report, SendDatagram
from ike_auth.events import ExchangeFailed, MessageDropped
from ike_auth.network import Datagram
from ike_auth.wire.header import Header
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import ExchangeType, Flags
from ike_auth.wire.payloads import VendorId
from tests.ike_auth.configurations import A, B
from tests.ike_auth.gateways import FAST, assert_joined, leftovers, meet, pair
from tests.ike_auth.simulation import Host, Network, deliver, endpoint

HEADER = Header(b"initiato", b"responde", exchange=ExchangeType.MAIN)


def given_to(host: Host, data: bytes, source: str = A) -> list[object]:
    return list(host.engine.receive(Datagram(data, endpoint(B), endpoint(source)), Network(host).clock))


@pytest.mark.parametrize(
    ("data", "counter"),
    [
        (b"", "MalformedMessage"),
        (b"\xff", "MalformedMessage"),
        (bytes(27), "MalformedMessage"),
        (Message(HEADER, ()).encode() + b"x", "UnequalPayloadLengths"),
        (Message(replace(HEADER, version=0x20), ()).encode(), "InvalidMajorVersion"),
        (Message(replace(HEADER, version=0x11), ()).encode(), "InvalidMinorVersion"),
        (Message(replace(HEADER, exchange=ExchangeType(77)), ()).encode(), "InvalidExchangeType"),
        (Message(replace(HEADER, flags=Flags(0x80)), ()).encode(), "InvalidFlags"),
        (Message(replace(HEADER, initiator_cookie=bytes(8)), ()).encode(), "InvalidCookie"),
        (Message(HEADER, ()).encode(), "InvalidCookie"),
        (Message(replace(HEADER, exchange=ExchangeType.QUICK, message_id=7), ()).encode(), "InvalidCookie"),
        (Message(replace(HEADER, exchange=ExchangeType.INFORMATIONAL, message_id=7), ()).encode(), "InvalidCookie"),
    ],
)
def test_what_means_nothing_is_counted_and_reported(data: bytes, counter: str) -> None:
    _, b = pair(FAST)
    (effect,) = given_to(b, data)
    assert isinstance(effect, Report)
    assert isinstance(effect.event, MessageDropped)
    assert effect.event.counter == counter
    assert b.engine.counters == {counter: 1}
    assert leftovers(b) == {}


def test_a_first_message_that_is_refused_leaves_nothing() -> None:
    _, b = pair(FAST)
    first = replace(HEADER, responder_cookie=bytes(8))
    (effect,) = given_to(b, Message(first, (VendorId(b"x"),)).encode())
    assert isinstance(effect, Report)
    assert isinstance(effect.event, ExchangeFailed)
    sent, report = given_to(b, Message(replace(first, exchange=ExchangeType.AGGRESSIVE), ()).encode())
    assert isinstance(sent, SendDatagram)
    assert isinstance(report, Report)
    assert leftovers(b) == {}


def test_the_same_bytes_get_the_same_reply_and_nothing_else() -> None:
    """Every datagram of a handshake five times: nothing is asked, installed or sent more than once on account of it,
    but for the replies."""
    asked: list[object] = []
    a, b = pair(FAST, a={"watch": asked.append}, b={"watch": asked.append})
    network = meet(a, b, lambda number, datagram: [(0.001 * count, datagram) for count in range(1, 6)], seconds=2)
    assert_joined(a, b)
    assert len(a.installed) == 2
    kinds = [type(effect).__name__ for effect in asked]
    assert (kinds.count("Ask"), kinds.count("InstallSa")) == (4, 4)
    assert len({datagram.data for datagram in network.carried}) == 9


def test_a_reply_is_not_repeated_to_another_host() -> None:
    a, b = pair(FAST)
    network = meet(a, b, seconds=1)
    sent = len(network.carried)
    for number in (2, 4):  # messages 3 and 5
        network.inject(replace(network.carried[number], local=endpoint("203.0.113.9")))
    network.run(1)
    assert len(network.carried) == sent


@pytest.mark.parametrize("number", [1, 3, 5, 7])
def test_a_reply_that_was_lost_is_sent_again_when_the_message_comes_again(number: int) -> None:
    a, b = pair(FAST)
    network = meet(a, b, lambda count, d: [] if count == number else deliver(count, d), seconds=20)
    message, reply, message_again, reply_again = (d.data for d in network.carried[number - 1 : number + 3])
    assert (message_again, reply_again) == (message, reply)
    assert_joined(a, b)


def test_a_reflected_handshake_comes_to_nothing() -> None:
    """Everything that A sends comes back to it, as if from B."""
    a, b = pair(FAST)

    def reflect(_: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        return [(0.001, replace(datagram, local=datagram.remote, remote=datagram.local))]

    meet(a, b, reflect, seconds=300)
    assert not a.installed
    assert a.engine.table.ike_sas == {}


def test_our_own_first_message_that_comes_back_later_opens_nothing() -> None:
    a, b = pair(FAST)
    network = meet(a, b, seconds=1)
    first = network.carried[0]
    network.inject(replace(first, local=first.remote, remote=first.local))
    network.run(1)
    assert "our own first message came back" in str(a.events[-1])
    assert len(a.engine.exchanges.half_open) == 0


def test_messages_that_overtake_each_other() -> None:
    a, b = pair(FAST)
    meet(a, b, lambda number, d: [(0.05 if number % 3 else 0.001, d), (0.09, d)], seconds=5)
    assert_joined(a, b)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=200), st.booleans(), st.sampled_from(list(ExchangeType)), st.integers(0, 255))
def test_any_bytes_behind_known_cookies_are_dropped_and_nothing_more(
    junk: bytes, encrypted: bool, exchange: ExchangeType, first: int
) -> None:
    a, b = pair(FAST)
    network = meet(a, b, lambda number, datagram: deliver(number, datagram) if number < 5 else [], seconds=0.1)
    template = Header.decode(network.carried[4].data)
    header = replace(template, exchange=exchange, flags=Flags.ENCRYPTION if encrypted else Flags.NONE)
    data = header.datagram(template.next_payload.__class__(first), junk)
    for end, other in ((a, b), (b, a)):
        datagram = Datagram(data, endpoint(str(end.address)), endpoint(str(other.address)))
        for effect in end.engine.receive(datagram, network.clock):
            assert isinstance(effect, Report)
    network._tamper = deliver
    network.run(30)
    assert_joined(a, b)
