# SPDX-License-Identifier: ISC
from typing import Any

import pytest

from ike_auth.exchange_table import Exchange, ExchangeTable
from ike_auth.exchanges.steps import Closed, State
from ike_auth.exchanges.v1.protocol import IkeV1
from ike_auth.sa import Cookies
from ike_auth.wire.header import NO_COOKIE
from tests.ike_auth.configurations import A, B
from tests.ike_auth.gateways import pair
from tests.ike_auth.simulation import endpoint
from tests.ike_auth.test_sa_table import ike_sa, made

COOKIES = Cookies(b"initiato", b"responde")
FIRST = endpoint(B), b"digest of message 1"


class Open(State):
    """One that knows SPIs and a tunnel, or cookies."""

    def __init__(self, spis: tuple[bytes, ...] = (), pending: bool = False, cookies: Cookies | None = None) -> None:
        self.spis, self.pending, self.cookies = spis, pending, cookies

    @property
    def ike_cookies(self) -> Cookies | None:
        return self.cookies

    @property
    def own_spis(self) -> tuple[bytes, ...]:
        return self.spis

    @property
    def pending_tunnel(self) -> Any:
        return made()[1] if self.pending else None


def exchange(table: ExchangeTable, state: State | None = None, **more: Any) -> Exchange:
    peer = pair()[0].configuration.peers["peer"]
    given = {"cookies": COOKIES, "initiator": False, **more}
    return Exchange(table.new_id(), IkeV1(), state or Open(), peer, endpoint(A), endpoint(B), began=0.0, **given)


def empty(table: ExchangeTable) -> bool:
    return not any(len(value) for value in vars(table).values() if hasattr(value, "__len__"))


def test_of_the_responder_by_cookies_and_by_the_first_message() -> None:
    table = ExchangeTable()
    there = exchange(table, first_message=FIRST)
    table.add(there)
    assert table.for_ike(COOKIES, (endpoint(B), b"something else")) == there
    assert table.for_ike(Cookies(b"whatever", NO_COOKIE), FIRST) == there
    assert table.for_ike(Cookies(b"whatever", b"whatever"), FIRST) is None  # no first message names a responder
    assert table.for_ike(Cookies(COOKIES.initiator, NO_COOKIE), (endpoint(B), b"")) is None
    assert table.for_ike(Cookies(COOKIES.initiator, b"whatever"), (endpoint(A), FIRST[1])) is None
    assert table.making(COOKIES) == there
    table.forget(there.id)
    assert table.for_ike(COOKIES, FIRST) is None
    assert empty(table)


def test_of_the_initiator_by_its_own_cookie_until_the_responder_has_answered() -> None:
    table = ExchangeTable()
    waiting = exchange(table, cookies=Cookies(COOKIES.initiator, NO_COOKIE), initiator=True)
    table.add(waiting)
    assert table.for_ike(COOKIES, FIRST) == waiting
    assert table.making(COOKIES) is None
    table.lead(waiting, Open(cookies=COOKIES))
    assert waiting.cookies == COOKIES
    assert table.for_ike(COOKIES, FIRST) == waiting
    assert table.making(COOKIES) == waiting
    assert table.under(COOKIES) == [waiting]
    assert table.for_ike(Cookies(COOKIES.initiator, b"another!"), FIRST) is None
    table.forget(waiting.id)
    assert empty(table)


def test_under_an_ike_sa_by_message_id() -> None:
    table, ike = ExchangeTable(), ike_sa()
    child = exchange(table, cookies=ike.cookies, ike=ike, message_id=7)
    table.add(child)
    assert table.for_child(ike.cookies, 7) == child
    assert table.for_child(ike.cookies, 8) is None
    assert table.for_child(COOKIES, 7) is None
    assert table.making(ike.cookies) is None
    assert table.under(ike.cookies) == [child]
    assert len(table.half_open) == 0


def test_by_an_spi_as_long_as_the_state_has_it() -> None:
    table = ExchangeTable()
    there = exchange(table, Open((b"spi1", b"spi2")), ike=ike_sa())
    table.add(there)
    assert table.with_spi(b"spi1") == table.with_spi(b"spi2") == there
    table.lead(there, Open((b"spi2",)))
    assert table.with_spi(b"spi1") is None
    assert table.with_spi(b"spi2") is not None


def test_what_leads_to_another_exchange_now_is_not_lost_with_the_first() -> None:
    table = ExchangeTable()
    first, second = (exchange(table, Open((b"spi1",)), ike=ike_sa(), message_id=id) for id in (1, 2))
    table.add(first)
    table.add(second)
    table.forget(first.id)
    assert table.with_spi(b"spi1") == second


def test_pending_tunnels() -> None:
    table = ExchangeTable()
    there = exchange(table, Open(pending=True), ike=ike_sa())
    table.add(there)
    assert list(table.pending_tunnels) == [made()[1]]
    table.lead(there, Closed())
    assert list(table.pending_tunnels) == []
    table.lead(there, Open(pending=True))
    assert list(table.pending_tunnels) == [made()[1]]
    table.forget(there.id)
    assert list(table.pending_tunnels) == []


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, 1),
        ({"initiator": True}, 0),
        ({"state": Closed()}, 0),
        ({"ike": ike_sa()}, 0),
    ],
)
def test_half_open_are_those_that_a_peer_began_and_that_are_not_authenticated(
    changes: dict[str, Any], counts: int
) -> None:
    table = ExchangeTable()
    table.add(exchange(table, **changes))
    assert len(table.half_open) == counts


def test_an_exchange_that_is_finished_is_half_open_no_more() -> None:
    table = ExchangeTable()
    there = exchange(table)
    table.add(there)
    table.lead(there, Closed())
    assert len(table.half_open) == 0
    assert table.making(COOKIES) is not None


def test_a_half_open_one_is_confirmed_by_a_message_that_leads_on() -> None:
    table = ExchangeTable()
    first, second = exchange(table), exchange(table, cookies=Cookies(b"another!", b"responde"))
    for each in (first, second):
        table.add(each)
    table.lead(first, Open())
    assert table.half_open.first_to_go(first.remote.host, 1) == first.id
    table.lead(first, Open(), confirmed=True)
    assert table.half_open.first_to_go(first.remote.host, 1) == second.id
    assert len(table.half_open) == 2


def test_our_unfinished_attempt_with_a_peer() -> None:
    table = ExchangeTable()
    ours = exchange(table, initiator=True)
    for other in (exchange(table), exchange(table, initiator=True, ike=ike_sa()), exchange(table, Closed())):
        table.add(other)
    assert table.initiating("peer") is None
    table.add(ours)
    assert table.initiating("peer") == ours
    assert table.initiating("another") is None
    assert len(table) == 4
    assert ours in list(table)
