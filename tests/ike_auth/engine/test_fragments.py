# SPDX-License-Identifier: ISC
"""Messages in pieces: in any order, twice, forged; and what is kept of pieces that never become a message."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import permutations

import pytest

from ike_auth.events import MessageDropped
from ike_auth.network import Datagram
from ike_auth.wire.fragments import MAX_AGE
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.messages import Message
from ike_auth.wire.payloads import Fragment, VendorId
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, assert_joined, leftovers, meet, pair
from tests.ike_auth.simulation import Host, Network, deliver, endpoint


def cut(datagram: Datagram, pieces: int, id: int = 1) -> list[Datagram]:
    """The same message in pieces, as peers send it: the header of each has the cookies, and no message id."""
    data, size = datagram.data, -(-len(datagram.data) // pieces)
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return [
        piece(datagram, Fragment(id, number, number == len(parts), part))
        for number, part in enumerate(parts, start=1)
    ]


def piece(datagram: Datagram, *payloads: Fragment | VendorId) -> Datagram:
    whole = Header.decode(datagram.data)
    header = Header(whole.initiator_cookie, whole.responder_cookie, exchange=whole.exchange)
    return replace(datagram, data=Message(header, payloads).encode())


def run(
    number: int, pieces: Sequence[Datagram] | None = None, options: Options = FAST_RSA, **how: object
) -> tuple[Network, Host, Host]:
    """A handshake in which the message of this number comes in three pieces, in this order."""
    a, b = pair(options)
    order = how.get("order", (0, 1, 2))

    def tamper(count: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if count != number - 1:
            return deliver(count, datagram)
        parts = cut(datagram, 3)
        before = [forge(datagram, parts) for forge in how.get("before", ())]  # type: ignore[attr-defined]
        return [(0.001 + place / 10_000, part) for place, part in enumerate([*before, *(parts[i] for i in order)])]  # type: ignore[attr-defined]

    return meet(a, b, tamper, seconds=5), a, b


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_message_5_in_any_order(order: tuple[int, ...]) -> None:
    network, a, b = run(5, order=order)
    assert_joined(a, b)
    assert len(network.carried) == 9
    assert leftovers(b).get("fragments") is None


@pytest.mark.parametrize("number", [3, 4, 5, 6, 7, 8, 9])
def test_every_message_that_has_both_cookies_may_come_in_pieces(number: int) -> None:
    network, a, b = run(number)
    assert_joined(a, b)
    assert len(network.carried) == 9


@pytest.mark.parametrize("order", [(0, 0, 1, 1, 2, 2), (0, 1, 2, 0, 1, 2), (2, 2, 1, 0, 1)])
def test_duplicates(order: tuple[int, ...]) -> None:
    network, a, b = run(5, order=order)
    assert_joined(a, b)
    network.run(MAX_AGE + 1)
    assert leftovers(b).get("fragments") is None


def test_a_piece_that_is_lost_comes_with_the_repetition() -> None:
    network, a, b = run(5, order=(0, 2))
    assert not b.installed
    assert leftovers(b)["fragments"] == 1
    network.run(10)
    assert_joined(a, b)
    network.run(MAX_AGE)
    assert leftovers(b).get("fragments") is None


FORGERIES = {
    "other content": lambda d, parts: piece(d, Fragment(1, 2, False, b"forged")),
    "a false end": lambda d, parts: piece(d, Fragment(1, 2, True, b"forged")),
    "behind the end": lambda d, parts: piece(d, Fragment(1, 9, False, b"forged")),
    "another set": lambda d, parts: piece(d, Fragment(2, 1, False, b"forged")),
    "a whole set": lambda d, parts: piece(d, Fragment(3, 1, True, b"forged")),
    "number 0": lambda d, parts: piece(d, Fragment(1, 0, False, b"forged")),
    "nothing": lambda d, parts: piece(d, Fragment(1, 1, False, b"")),
    "two pieces": lambda d, parts: piece(d, Fragment(1, 1, False, b"x"), Fragment(1, 2, False, b"y")),
    "with company": lambda d, parts: piece(d, Fragment(1, 1, False, b"x"), VendorId(b"y")),
    "a piece of pieces": lambda d, parts: piece(d, Fragment(4, 1, True, parts[0].data)),
    "a header alone": lambda d, parts: replace(
        d, data=d.data[:16] + b"\x84" + d.data[17:24] + HEADER_SIZE.to_bytes(4, "big")
    ),
}


@pytest.mark.parametrize("forged", FORGERIES)
def test_a_forged_piece_costs_one_attempt_at_most(forged: str) -> None:
    """docs/decisions/0304: what contradicts itself is given up; the repetition starts from nothing."""
    network, a, b = run(5, before=[FORGERIES[forged]])
    network.run(20)
    assert_joined(a, b)
    assert a.of(MessageDropped) == []
    network.run(MAX_AGE)
    assert leftovers(b).get("fragments") is None


def test_pieces_with_unknown_cookies_are_not_kept() -> None:
    a, b = pair(FAST)
    network = meet(a, b, seconds=1)
    template = network.carried[0]
    for cookies in (b"whatever" * 2, template.data[:8] + b"whatever", template.data[:8] + bytes(8)):
        data = cookies + template.data[16:]
        network.inject(piece(replace(template, data=data), Fragment(1, 1, False, b"forged")))
    network.run(1)
    assert leftovers(b).get("fragments") is None
    assert b.engine.counters["InvalidCookie"] == 3


def test_what_never_becomes_a_message_is_forgotten() -> None:
    a, b = pair(FAST)
    network = meet(a, b, seconds=1)
    for id in range(10):
        network.inject(piece(network.carried[-1], Fragment(id, 1, False, bytes(1000))))
    network.run(MAX_AGE - 1)
    assert leftovers(b)["fragments"] == 1
    assert sum(len(s.pieces) for s in next(iter(b.engine._core.fragments.values())).sets.values()) == 2
    network.run(5)
    assert leftovers(b).get("fragments") is None


def test_a_whole_message_from_another_host_is_not_believed_because_it_came_in_pieces() -> None:
    a, b = pair(FAST)

    def tamper(count: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if count != 4:
            return deliver(count, datagram)
        copies = [replace(part, local=endpoint("203.0.113.9")) for part in cut(datagram, 3)]
        return [*((0.0001, copy) for copy in copies), (0.001, datagram)]

    meet(a, b, tamper, seconds=1)
    assert_joined(a, b)
    assert [str(end.remote) for end in b.engine.table.ike_sas.values()] == ["10.99.0.1:500"]
