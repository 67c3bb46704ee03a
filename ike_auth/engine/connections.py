# SPDX-License-Identifier: ISC
"""Bringing up what is configured to be up, and keeping it so."""

from ike_auth.config.model import Connection
from ike_auth.effects import Effect
from ike_auth.engine.commit import begin_child, begin_ike
from ike_auth.engine.core import Check, Core
from ike_auth.network import Now


def check(core: Core, now: Now) -> list[Effect]:
    """Bring up every active connection that is neither up nor on its way; and look again after a while."""
    core.timers.set(Check(), now.monotonic + core.configuration.general.check_interval)
    up = {tunnel.connection for tunnel in core.sas.tunnels} | _under_way(core)
    effects: list[Effect] = []
    for connection in core.configuration.connections.values():
        if connection.active and connection.name not in up:
            effects += _begin(core, connection, now)
    return effects


def missing(core: Core) -> list[str]:
    """What should be up and is not, on its way or not."""
    up = {tunnel.connection for tunnel in core.sas.tunnels}
    return [
        name for name, connection in core.configuration.connections.items() if connection.active and name not in up
    ]


def initiate(core: Core, name: str, now: Now) -> list[Effect]:
    """Bring up a connection, once more if it is up. Nothing happens while that is under way."""
    return [] if name in _under_way(core) else _begin(core, core.configuration.connections[name], now)


def _begin(core: Core, connection: Connection, now: Now) -> list[Effect]:
    """A tunnel, with an IKE SA first if there is none. A peer without an address has to begin itself."""
    peer = core.configuration.peers[connection.peer]
    if peer.address is None:
        return []
    ike = core.sas.ike_with(peer.name, now.monotonic)
    if ike is not None:
        return begin_child(core, ike, connection.name, now)
    under_way = core.exchanges.initiating(peer.name)
    if under_way is not None:
        core.exchanges.put(under_way._replace(connections=(*under_way.connections, connection.name)))
        return []
    return begin_ike(core, peer, peer.address, (connection.name,), now)


def _under_way(core: Core) -> set[str]:
    return {name for exchange in core.exchanges if exchange.state.open for name in exchange.connections}
