# SPDX-License-Identifier: ISC
"""What there is, as plain values: text, numbers and truths, for people and for JSON. Times are seconds from now."""

from dataclasses import dataclass

from ike_auth.config.model import Connection
from ike_auth.engine.connections import under_way
from ike_auth.engine.core import Core
from ike_auth.network import Now
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.suites import describe


@dataclass(frozen=True, slots=True)
class IkeSaStatus:
    peer: str
    identity: str
    local: str
    remote: str
    initiator: str
    responder: str
    begun_by_us: bool
    suite: str
    nat: bool
    dpd: bool
    age: float
    ends_in: float
    heard: float  # since the peer last proved that it has it
    because: str


@dataclass(frozen=True, slots=True)
class TunnelStatus:
    connection: str | None
    peer: str
    identity: str
    local: str
    remote: str
    at: str
    protocols: str
    spis_in: tuple[str, ...]
    spis_out: tuple[str, ...]
    begun_by_us: bool
    age: float
    ends_in: float
    because: str


@dataclass(frozen=True, slots=True)
class ConnectionStatus:
    name: str
    peer: str
    local: str  # empty: our address
    remote: str  # empty: the peer's
    active: bool
    state: str  # up, under way, down; held: down, and to stay so
    why: str  # why it last failed or went down


@dataclass(frozen=True, slots=True)
class PeerStatus:
    name: str
    address: str  # empty: it has none
    ike_sas: int
    tunnels: int


@dataclass(frozen=True, slots=True)
class Status:
    peers: tuple[PeerStatus, ...]
    connections: tuple[ConnectionStatus, ...]
    ike_sas: tuple[IkeSaStatus, ...]
    tunnels: tuple[TunnelStatus, ...]
    exchanges: int  # under way
    half_open: int
    counters: dict[str, int]


def status(core: Core, now: Now) -> Status:
    ike_sas, tunnels = tuple(core.sas.ike_sas.values()), core.sas.tunnels
    up, on_its_way = {tunnel.connection for tunnel in tunnels}, under_way(core)

    def state(connection: Connection) -> str:
        name = connection.name
        return "up" if name in up else "under way" if name in on_its_way else "held" if name in core.held else "down"

    return Status(
        tuple(
            PeerStatus(
                peer.name,
                str(peer.address or ""),
                sum(ike.peer.name == peer.name for ike in ike_sas),
                sum(tunnel.peer == peer.name for tunnel in tunnels),
            )
            for peer in core.configuration.peers.values()
        ),
        tuple(
            ConnectionStatus(
                connection.name,
                connection.peer,
                str(connection.local or ""),
                str(connection.remote or ""),
                connection.active,
                state(connection),
                "" if connection.name in up else core.reasons.get(connection.name, ""),
            )
            for connection in core.configuration.connections.values()
        ),
        tuple(_of_ike(ike, now.monotonic) for ike in ike_sas),
        tuple(_of_tunnel(tunnel, now.monotonic) for tunnel in tunnels),
        sum(exchange.state.open for exchange in core.exchanges),
        len(core.exchanges.half_open),
        dict(core.counters),
    )


def _of_ike(ike: IkeSa, now: float) -> IkeSaStatus:
    return IkeSaStatus(
        ike.peer.name,
        str(ike.identity),
        str(ike.local),
        str(ike.remote),
        ike.cookies.initiator.hex(),
        ike.cookies.responder.hex(),
        ike.initiator,
        str(ike.suite),
        ike.nat.detected,
        ike.dpd,
        now - ike.established,
        ike.expires - now,
        now - ike.heard,
        ike.because,
    )


def _of_tunnel(tunnel: Tunnel, now: float) -> TunnelStatus:
    return TunnelStatus(
        tunnel.connection,
        tunnel.peer,
        str(tunnel.identity),
        str(tunnel.local),
        str(tunnel.remote),
        str(tunnel.outbound[0].destination),
        " + ".join(describe(sa.parameters) for sa in tunnel.outbound),
        tuple(sa.spi.hex() for sa in tunnel.inbound),
        tuple(sa.spi.hex() for sa in tunnel.outbound),
        tunnel.initiator,
        now - tunnel.established,
        tunnel.expires - now,
        tunnel.because,
    )
