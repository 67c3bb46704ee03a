# SPDX-License-Identifier: ISC
"""What there is: exchanges in progress, IKE SAs, tunnels, and how a message or an SPI leads to them."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NewType

from ike_auth.config.model import Peer
from ike_auth.exchanges.steps import State
from ike_auth.exchanges.version import Version
from ike_auth.network import Endpoint, IPAddress
from ike_auth.retransmission import Retransmission
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.wire.fragments import Reassembly
from ike_auth.wire.identities import Identity, Selector

ExchangeId = NewType("ExchangeId", int)
FirstMessage = tuple[Endpoint, bytes]  # who sent it, and its digest
Key = Cookies | FirstMessage | tuple[Cookies, int] | tuple[str, bytes]  # what an exchange is found by


@dataclass(frozen=True, slots=True)
class Exchange:
    """One exchange, as it stands. A step makes the next one, and the table is told."""

    id: ExchangeId
    version: Version
    state: State
    peer: Peer
    local: Endpoint
    remote: Endpoint
    initiator: bool
    deadline: float
    ike: Cookies | None = None  # the IKE SA that it runs under; None: it makes one
    message_id: int = 0
    connections: tuple[str, ...] = ()  # what waits for it
    retransmission: Retransmission = field(default_factory=Retransmission)
    received: bytes = b""  # digest of the message that is being worked on
    remarks: tuple[str, ...] = ()  # what may explain it if nothing comes of the exchange
    refused: bool = False  # the peer proved itself and was refused, and that was reported


class SaTable:
    """Indexes only: it decides nothing and knows no time."""

    def __init__(self) -> None:
        self.exchanges: dict[ExchangeId, Exchange] = {}
        self.ike_sas: dict[Cookies, IkeSa] = {}
        self._tunnels: dict[bytes, Tunnel] = {}  # by the SPI of the first inbound SA
        self._tunnel_of_spi: dict[tuple[bool, bytes], bytes] = {}
        self._found_by: dict[Key, ExchangeId] = {}
        self._lasting: dict[ExchangeId, set[Key]] = {}  # keys that an exchange keeps after it is closed
        self._passing: dict[ExchangeId, set[Key]] = {}  # keys of its state
        self._message_ids: dict[Cookies, set[int]] = {}
        self._fragments: dict[Cookies, Reassembly] = {}
        self._pending: dict[ExchangeId, Tunnel] = {}
        self._unconfirmed: dict[ExchangeId, None] = {}  # in order of age
        self._half_open: Counter[IPAddress] = Counter()
        self._last_id = 0

    # --- exchanges

    def new_id(self) -> ExchangeId:
        self._last_id += 1
        return ExchangeId(self._last_id)

    def put(self, exchange: Exchange, first_message: FirstMessage | None = None) -> None:
        """Add an exchange, or the next state of one."""
        before = self.exchanges.get(exchange.id)
        self.exchanges[exchange.id] = exchange
        self._index(exchange, first_message)
        self._count_half_open(before, exchange)
        if first_message is not None:
            self._unconfirmed[exchange.id] = None
        elif before is not None:
            self._unconfirmed.pop(exchange.id, None)
        tunnel = exchange.state.pending_tunnel
        if tunnel is not None:
            self._pending[exchange.id] = tunnel
        else:
            self._pending.pop(exchange.id, None)

    def forget(self, exchange: Exchange) -> None:
        """Drop an exchange and everything that leads to it."""
        id = exchange.id
        self._count_half_open(self.exchanges.pop(id, None), None)
        self._unconfirmed.pop(id, None)
        self._pending.pop(id, None)
        for key in self._lasting.pop(id, set()) | self._passing.pop(id, set()):
            self._found_by.pop(key, None)
            if isinstance(key, Cookies) and key not in self.ike_sas:
                self._fragments.pop(key, None)

    def exchange_for_ike(self, cookies: Cookies, first_message: FirstMessage) -> Exchange | None:
        """The Phase 1 exchange that a message belongs to."""
        for key in (cookies, first_message, ("initiator", cookies.initiator)):
            id = self._found_by.get(key)
            if id is not None:
                return self.exchanges[id]
        return None

    def exchange_for_child(self, cookies: Cookies, message_id: int) -> Exchange | None:
        id = self._found_by.get((cookies, message_id))
        return None if id is None else self.exchanges[id]

    def open_under(self, cookies: Cookies) -> list[Exchange]:
        """Unfinished exchanges under an IKE SA."""
        return [e for e in self.exchanges.values() if e.ike == cookies and e.state.open]

    def initiating(self, peer: str) -> Exchange | None:
        """Our unfinished attempt to make an IKE SA with a peer."""
        return next(
            (
                e
                for e in self.exchanges.values()
                if e.ike is None and e.initiator and e.peer.name == peer and e.state.open
            ),
            None,
        )

    # --- half-open exchanges: those that strangers made us keep

    @property
    def half_open(self) -> int:
        return self._half_open.total()

    def half_open_from(self, host: IPAddress) -> int:
        return self._half_open[host]

    def oldest_unconfirmed(self) -> Exchange | None:
        """The oldest whose sender has not shown that it receives at the address it names."""
        id = next(iter(self._unconfirmed), None)
        return None if id is None else self.exchanges[id]

    # --- message ids and fragments

    def is_used(self, cookies: Cookies, message_id: int) -> bool:
        return message_id in self._message_ids.get(cookies, ())

    def exchanges_under(self, cookies: Cookies) -> int:
        """How many there have been under this IKE SA."""
        return len(self._message_ids.get(cookies, ()))

    def use(self, cookies: Cookies, message_id: int) -> None:
        """This message id had its exchange: under this IKE SA there will not be another one."""
        self._message_ids.setdefault(cookies, set()).add(message_id)

    def fragments(self, cookies: Cookies) -> Reassembly | None:
        """What came so far; None for cookies that mean nothing to us."""
        if cookies not in self.ike_sas and cookies not in self._found_by:
            return None
        return self._fragments.get(cookies, Reassembly())

    def keep_fragments(self, cookies: Cookies, reassembly: Reassembly) -> None:
        self._fragments[cookies] = reassembly

    # --- SAs

    def add_ike(self, sa: IkeSa) -> None:
        self.ike_sas[sa.cookies] = sa

    def remove_ike(self, cookies: Cookies) -> IkeSa | None:
        self._message_ids.pop(cookies, None)
        self._fragments.pop(cookies, None)
        return self.ike_sas.pop(cookies, None)

    def ike_with(self, peer: str) -> IkeSa | None:
        """The newest IKE SA with a peer."""
        return next((sa for sa in reversed(self.ike_sas.values()) if sa.peer.name == peer), None)

    @property
    def tunnels(self) -> tuple[Tunnel, ...]:
        return tuple(self._tunnels.values())

    def add_tunnel(self, tunnel: Tunnel) -> None:
        key = tunnel.inbound[0].spi
        self._tunnels[key] = tunnel
        for sa in tunnel.sas:
            self._tunnel_of_spi[sa.inbound, sa.spi] = key

    def remove_tunnel(self, tunnel: Tunnel) -> None:
        self._tunnels.pop(tunnel.inbound[0].spi, None)
        for sa in tunnel.sas:
            self._tunnel_of_spi.pop((sa.inbound, sa.spi), None)

    def tunnel_with(self, spi: bytes, inbound: bool) -> Tunnel | None:
        key = self._tunnel_of_spi.get((inbound, spi))
        return None if key is None else self._tunnels[key]

    def is_up(self, connection: str) -> bool:
        return any(tunnel.connection == connection for tunnel in self._tunnels.values())

    def spi_in_use(self, spi: bytes) -> bool:
        return (True, spi) in self._tunnel_of_spi or ("spi", spi) in self._found_by

    def claimed_by_another(self, remote: Selector, identity: Identity) -> Tunnel | None:
        """A live or nearly live tunnel of somebody else whose remote side overlaps."""
        for tunnel in self._all_tunnels():
            if tunnel.identity != identity and tunnel.remote.overlaps(remote):
                return tunnel
        return None

    def _all_tunnels(self) -> Iterator[Tunnel]:
        yield from self._tunnels.values()
        yield from self._pending.values()

    def _index(self, exchange: Exchange, first_message: FirstMessage | None) -> None:
        lasting = self._lasting.setdefault(exchange.id, set())
        passing: set[Key] = {("spi", spi) for spi in exchange.state.spis}
        if exchange.ike is not None:
            lasting.add((exchange.ike, exchange.message_id))
        else:
            cookies = exchange.version.cookies_of(exchange.state)
            if cookies is not None:
                lasting.add(cookies)
            elif exchange.initiator and exchange.state.open:
                passing.add(("initiator", exchange.version.initiator_cookie(exchange.state)))
        if first_message is not None:
            lasting.add(first_message)
        for key in self._passing.get(exchange.id, set()) - passing:
            self._found_by.pop(key, None)
        self._passing[exchange.id] = passing
        for key in lasting | passing:
            self._found_by[key] = exchange.id

    def _count_half_open(self, before: Exchange | None, after: Exchange | None) -> None:
        for exchange, step in ((before, -1), (after, 1)):
            if exchange is not None and exchange.ike is None and not exchange.initiator and exchange.state.open:
                self._half_open[exchange.remote.host] += step
                if not self._half_open[exchange.remote.host]:
                    del self._half_open[exchange.remote.host]
