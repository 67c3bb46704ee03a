# SPDX-License-Identifier: ISC
"""Exchanges in progress, and how a message leads to one."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ike_auth.config.model import Peer
from ike_auth.effects import QuestionId
from ike_auth.exchanges.steps import State
from ike_auth.exchanges.version import Version
from ike_auth.half_open import ExchangeId, HalfOpen
from ike_auth.indexes import file, take
from ike_auth.network import Endpoint
from ike_auth.retransmission import Retransmission
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.wire.header import NO_COOKIE

FirstMessage = tuple[Endpoint, bytes]  # who sent it, and its digest
# What an exchange is found by; bytes are an SPI of ours, or a cookie of ours that is the initiator's.
Key = Cookies | FirstMessage | tuple[Cookies, int] | bytes
_NOTHING_YET = Retransmission()


@dataclass(slots=True)
class Exchange:
    """One exchange, as it stands. Its states are values; what the table keeps of it changes as it goes on.

    The state, and the cookies that come with it, `ExchangeTable.lead` alone changes: it is found by them.
    """

    id: ExchangeId
    version: Version
    state: State
    peer: Peer
    local: Endpoint
    remote: Endpoint
    initiator: bool
    began: float
    cookies: Cookies
    ike: IkeSa | None = None  # the IKE SA that it runs under, as it was when it began; None: it makes one
    message_id: int = 0
    connections: tuple[str, ...] = ()  # what waits for it
    first_message: FirstMessage | None = None  # of a peer's that makes an IKE SA
    confirmed: bool = False  # the peer that began it receives at the address that it names
    question: QuestionId | None = None  # what it waits to be answered
    retransmission: Retransmission = _NOTHING_YET
    received: bytes = b""  # digest of the message that is being worked on
    remarks: tuple[str, ...] = ()  # what may explain it if nothing comes of the exchange
    refused: bool = False  # the peer proved itself and was refused, and that was reported
    doubts: tuple[bytes, ...] = ()  # what the peer is told if nothing better comes of it for a while


class ExchangeTable:
    """Indexes only: it decides nothing and knows no time."""

    def __init__(self) -> None:
        self.half_open = HalfOpen()
        self._exchanges: dict[ExchangeId, Exchange] = {}
        self._found_by: dict[Key, Exchange] = {}
        self._pending: dict[ExchangeId, Tunnel] = {}
        self._under: dict[Cookies, tuple[ExchangeId, ...]] = {}
        self._initiating: dict[str, tuple[ExchangeId, ...]] = {}  # by peer
        self._last_id = 0

    def __iter__(self) -> Iterator[Exchange]:
        return iter(tuple(self._exchanges.values()))

    def __len__(self) -> int:
        return len(self._exchanges)

    def new_id(self) -> ExchangeId:
        self._last_id += 1
        return ExchangeId(self._last_id)

    def add(self, exchange: Exchange) -> None:
        """A new one, in its first state."""
        id, state = exchange.id, exchange.state
        self._exchanges[id] = exchange
        self._link(exchange, _keys(exchange))
        self._list(exchange)
        if exchange.ike is not None:
            if state.pending_tunnel is not None:
                self._pending[id] = state.pending_tunnel
        elif not exchange.initiator and state.open:
            self.half_open.add(id, exchange.remote.host, exchange.confirmed)

    def lead(self, exchange: Exchange, state: State, *, confirmed: bool = False) -> None:
        """An exchange of the table comes to another state, and is found by what is known there; `confirmed` by a
        message that shows where the peer receives."""
        id, before, exchange.state = exchange.id, exchange.state, state
        if exchange.ike is not None:
            # Under an IKE SA, only SPIs may be new, and without one only cookies.
            gone, spis = before.own_spis, state.own_spis
            if spis != gone:
                self._unlink(exchange, [spi for spi in gone if spi not in spis])
                self._link(exchange, spis)
            tunnel = state.pending_tunnel
            if tunnel is not None:
                self._pending[id] = tunnel
            else:
                self._pending.pop(id, None)
            return
        cookies = state.ike_cookies
        if cookies is not None and cookies != exchange.cookies:
            self._rename(exchange, cookies)
        if not state.open:
            self.half_open.discard(id)
        elif confirmed and not exchange.confirmed and not exchange.initiator:
            exchange.confirmed = True
            self.half_open.add(id, exchange.remote.host, True)

    def forget(self, id: ExchangeId) -> None:
        """Drop an exchange and everything that leads to it."""
        exchange = self._exchanges.pop(id)
        self._unlink(exchange, _keys(exchange))
        self._unlist(exchange)
        self.half_open.discard(id)
        self._pending.pop(id, None)

    def get(self, id: ExchangeId) -> Exchange | None:
        return self._exchanges.get(id)

    def making(self, cookies: Cookies) -> Exchange | None:
        """The exchange for the IKE SA with these cookies, finished or not."""
        return self._found_by.get(cookies)

    def for_ike(self, cookies: Cookies, first_message: FirstMessage) -> Exchange | None:
        """The exchange for an IKE SA that a message belongs to. Its responder may have answered, or not yet: then the
        message names none, and only the first one can come again."""
        found = self._found_by.get(cookies)
        if found is not None:
            return found
        if cookies.responder == NO_COOKIE:
            return self._found_by.get(first_message)
        return self._found_by.get(Cookies(cookies.initiator, NO_COOKIE))

    def begun_with(self, cookie: bytes) -> Exchange | None:
        """The exchange that we began with this cookie."""
        return self._found_by.get(cookie)

    def for_child(self, cookies: Cookies, message_id: int) -> Exchange | None:
        """The exchange under an IKE SA that a message belongs to."""
        return self._found_by.get((cookies, message_id))

    def with_spi(self, spi: bytes) -> Exchange | None:
        """The exchange that sets up, or has set up, the inbound SA with this SPI."""
        return self._found_by.get(spi)

    def under(self, cookies: Cookies) -> list[Exchange]:
        """All that has to do with an IKE SA: what made it, and what runs under it."""
        return [self._exchanges[id] for id in self._under.get(cookies, ())]

    def initiating(self, peer: str) -> Exchange | None:
        """Our unfinished attempt to make an IKE SA with a peer."""
        ours = (self._exchanges[id] for id in self._initiating.get(peer, ()))
        return next((exchange for exchange in ours if exchange.state.open), None)

    @property
    def pending_tunnels(self) -> Iterator[Tunnel]:
        """Tunnels that are all but there."""
        return iter(self._pending.values())

    def _link(self, exchange: Exchange, keys: Iterable[Key]) -> None:
        for key in keys:
            self._found_by[key] = exchange

    def _rename(self, exchange: Exchange, cookies: Cookies) -> None:
        before = _keys(exchange)
        self._unlist(exchange)
        exchange.cookies = cookies
        after = _keys(exchange)
        self._unlink(exchange, [key for key in before if key not in after])
        self._link(exchange, after)
        self._list(exchange)

    def _list(self, exchange: Exchange) -> None:
        file(self._under, exchange.cookies, exchange.id)
        if exchange.ike is None and exchange.initiator:
            file(self._initiating, exchange.peer.name, exchange.id)

    def _unlist(self, exchange: Exchange) -> None:
        take(self._under, exchange.cookies, exchange.id)
        if exchange.ike is None and exchange.initiator:
            take(self._initiating, exchange.peer.name, exchange.id)

    def _unlink(self, exchange: Exchange, keys: Iterable[Key]) -> None:
        for key in keys:
            if self._found_by.get(key) is exchange:
                del self._found_by[key]


def _keys(exchange: Exchange) -> list[Key]:
    if exchange.ike is not None:
        return [(exchange.cookies, exchange.message_id), *exchange.state.own_spis]
    keys: list[Key] = [exchange.cookies]
    if exchange.first_message is not None:
        keys.append(exchange.first_message)
    if exchange.initiator:
        keys.append(exchange.cookies.initiator)
    return keys
