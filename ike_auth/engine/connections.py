# SPDX-License-Identifier: ISC
"""Bringing up what is configured to be up, and keeping it so."""

from ike_auth.config.model import Connection, Peer
from ike_auth.effects import Effect
from ike_auth.engine import renewal, reviewing
from ike_auth.engine.commit import begin_child, begin_ike
from ike_auth.engine.core import Check, Core
from ike_auth.network import Now
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.wire.identities import Selector

_NO_ADDRESS = "its peer has no address, so it has to begin"


def check(core: Core, now: Now) -> list[Effect]:
    """Bring up every active connection that is neither up nor on its way; and look again after a while."""
    core.timers.set(Check(), now.monotonic + core.configuration.general.check_interval)
    effects: list[Effect] = []
    for connection in _missing(core):
        effects += _begin(core, connection, now)
    return effects + _ways_to_ask(core, now) + reviewing.review_ended(core, now)


def missing(core: Core) -> list[str]:
    """What should be up and is not, on its way or not."""
    up = {tunnel.connection for tunnel in core.sas.tunnels}
    return [
        name for name, connection in core.configuration.connections.items() if connection.active and name not in up
    ]


def initiate(core: Core, name: str, now: Now) -> list[Effect]:
    """Bring up a connection, once more if it is up. Nothing happens while that is under way."""
    return [] if name in under_way(core) else _begin(core, core.configuration.connections[name], now)


def begin_with(core: Core, peer: Peer, now: Now) -> list[Effect]:
    """Make an IKE SA with a peer, and under it the active connections with it that are down."""
    assert peer.address is not None
    missing = tuple(connection.name for connection in _missing(core) if connection.peer == peer.name)
    return begin_ike(core, peer, peer.address, missing, now)


def renew(core: Core, tunnel: Tunnel, now: Now) -> list[Effect]:
    """Make another tunnel like this one, whose end comes near, unless that has been done."""
    connection = _of(core, tunnel)
    if connection is None or connection.name in core.held:
        return []
    renewal.again(core, tunnel, now)
    if renewal.is_renewed(core, tunnel):
        return []
    if any(_renews(exchange.connections, exchange.ike, tunnel) for exchange in core.exchanges if exchange.state.open):
        return []
    ike = core.sas.ike_with(tunnel.peer, now.monotonic, tunnel.identity)
    if ike is None and core.configuration.peers[connection.peer].address is None:
        # One that is about to end is better than none, where we cannot make another.
        ike = core.sas.ike_with(tunnel.peer, now.monotonic, tunnel.identity, fading=True)
    return _begin(core, connection, now) if ike is None else begin_child(core, ike, connection.name, now)


def under_way(core: Core) -> set[str]:
    return {name for exchange in core.exchanges if exchange.state.open for name in exchange.connections}


def _missing(core: Core) -> list[Connection]:
    """The active connections that are neither up, nor on their way, nor meant to be down."""
    there = {tunnel.connection for tunnel in core.sas.tunnels} | under_way(core) | core.held
    return [c for c in core.configuration.connections.values() if c.active and c.name not in there]


def _begin(core: Core, connection: Connection, now: Now) -> list[Effect]:
    """A tunnel, with an IKE SA first if there is none. A peer without an address has to begin itself."""
    peer = core.configuration.peers[connection.peer]
    if peer.address is None:
        core.reasons.setdefault(connection.name, _NO_ADDRESS)
        return []
    ike = core.sas.ike_with(peer.name, now.monotonic)
    if ike is not None:
        return begin_child(core, ike, connection.name, now)
    making = core.exchanges.initiating(peer.name)
    if making is not None:
        making.connections = (*making.connections, connection.name)
        return []
    return begin_ike(core, peer, peer.address, (connection.name,), now)


def _of(core: Core, tunnel: Tunnel) -> Connection | None:
    """The connection from which a tunnel of exactly this traffic would come."""
    connection = core.configuration.connections.get(tunnel.connection or "")
    if connection is None or connection.peer != tunnel.peer:
        return None
    ends = tunnel.outbound[0]
    ours = connection.local or Selector.of(ends.source.host)
    theirs = connection.remote or Selector.of(ends.destination.host)
    return connection if (ours, theirs) == (tunnel.local, tunnel.remote) else None


def _renews(connections: tuple[str, ...], ike: IkeSa | None, tunnel: Tunnel) -> bool:
    return tunnel.connection in connections and (ike is None or ike.identity == tunnel.identity)


def _ways_to_ask(core: Core, now: Now) -> list[Effect]:
    """Dead peer detection needs an IKE SA. For each peer with tunnels that we began, and none that lasts: another."""
    if not core.configuration.general.dpd_interval:
        return []
    effects: list[Effect] = []
    for name in dict.fromkeys(tunnel.peer for tunnel in core.sas.tunnels if tunnel.initiator):
        peer = core.configuration.peers[name]
        lasting = core.sas.ike_with(name, now.monotonic)
        if peer.address is not None and lasting is None and core.exchanges.initiating(name) is None:
            effects += begin_ike(core, peer, peer.address, (), now)
    return effects
