# SPDX-License-Identifier: ISC
"""What operators ask for: a connection up, or down and to stay so."""

from ike_auth.effects import Effect
from ike_auth.engine import connections, removal
from ike_auth.engine.core import Core
from ike_auth.network import Now

BY_OPERATOR = "taken down by the operator"


def up(core: Core, name: str, now: Now) -> list[Effect]:
    """Bring up a connection, and keep it up if it is active. Raises KeyError for no such one."""
    core.configuration.connections[name]
    core.held.discard(name)
    there = any(tunnel.connection == name for tunnel in core.sas.tunnels)
    return [] if there else connections.initiate(core, name, now)


def down(core: Core, name: str, now: Now) -> list[Effect]:
    """Take down a connection, or all that there is with a peer. We do not begin it again until it is asked for; the
    peer may. Raises KeyError for neither."""
    if name in core.configuration.connections:
        return _connections_down(core, {name})
    core.configuration.peers[name]
    effects = _connections_down(core, {connection.name for connection in core.configuration.connections_of(name)})
    for exchange in core.exchanges:
        if exchange.peer.name == name:
            effects += removal.fail_or_forget(core, exchange, BY_OPERATOR)
    tunnels = [tunnel for tunnel in core.sas.tunnels if tunnel.peer == name]
    effects += removal.remove_tunnels(core, tunnels, BY_OPERATOR, tell=True)
    for ike in [ike for ike in core.sas.ike_sas.values() if ike.peer.name == name]:
        effects += removal.remove_ike(core, ike, BY_OPERATOR, tell=True)
    return effects


def _connections_down(core: Core, names: set[str]) -> list[Effect]:
    core.held |= names
    effects: list[Effect] = []
    for exchange in core.exchanges:
        if not names & set(exchange.connections):
            continue
        if exchange.ike is not None:
            effects += removal.fail_or_forget(core, exchange, BY_OPERATOR)
        else:
            exchange.connections = tuple(name for name in exchange.connections if name not in names)
    tunnels = [tunnel for tunnel in core.sas.tunnels if tunnel.connection in names]
    effects += removal.remove_tunnels(core, tunnels, BY_OPERATOR, tell=True)
    core.reasons.update(dict.fromkeys(names, BY_OPERATOR))
    return effects
