# SPDX-License-Identifier: ISC
"""Another configuration while we run: docs/decisions/0510-reloading.md

What is not configured any more, or otherwise, goes, and peers are told. Everything else that is up is asked about
again, by the policy and the keys that hold now.
"""

from collections.abc import Mapping
from dataclasses import replace

from ike_auth.config.model import Configuration, Connection, Peer
from ike_auth.effects import Effect
from ike_auth.engine import flows, liveness, removal, reviewing
from ike_auth.engine.core import Core
from ike_auth.exchange_table import Exchange
from ike_auth.exchanges.steps import Settings
from ike_auth.network import IPAddress, Now

OTHERWISE = "configured otherwise"


def reload(core: Core, configuration: Configuration, settings: Settings, now: Now) -> list[Effect]:
    before = core.configuration
    core.configuration, core.settings, core.reloaded = configuration, settings, now.monotonic
    peers = {peer.name for peer in before.peers.values() if not _same_peer(peer, configuration.peers)}
    gone = {
        connection.name
        for connection in before.connections.values()
        if connection.peer in peers or not _same_connection(connection, configuration.connections)
    }
    core.held &= set(configuration.connections)
    core.reasons = {name: why for name, why in core.reasons.items() if name in configuration.connections}
    effects = flows.guard(core)
    for exchange in core.exchanges:
        effects += _of_exchange(core, exchange, peers, gone)

    def is_gone(peer: str, at: IPAddress) -> bool:
        """Or it speaks from where another section is for now."""
        known, knows = before.peer_at(at), configuration.peer_at(at)
        moved = known is not None and known.name == peer and (knows is None or knows.name != peer)
        return peer in peers or moved

    tunnels = [
        tunnel
        for tunnel in core.sas.tunnels
        if tunnel.connection in gone or is_gone(tunnel.peer, tunnel.outbound[0].destination.host)
    ]
    effects += removal.remove_tunnels(core, tunnels, OTHERWISE, tell=True)
    for ike in tuple(core.sas.ike_sas.values()):
        if is_gone(ike.peer.name, ike.remote.host):
            effects += removal.remove_ike(core, ike, OTHERWISE, tell=True)
        else:
            liveness.watch(core, ike, now)
    core.check_soon(now)
    return effects + reviewing.review_all(core, now)


def _of_exchange(core: Core, exchange: Exchange, peers: set[str], gone: set[str]) -> list[Effect]:
    """What goes on may still come to what is not allowed any more: it is asked about again when it is there."""
    if exchange.peer.name in peers:
        return removal.fail_or_forget(core, exchange, OTHERWISE)
    state, pending = exchange.state, exchange.state.pending_tunnel
    wanted = {*exchange.connections, *(r.connection for r in exchange.version.tunnel_requests(state))}
    if pending is not None:
        wanted.add(pending.connection)
    if not wanted & gone:
        return []
    if exchange.ike is not None:
        return removal.fail_or_forget(core, exchange, OTHERWISE)
    exchange.connections = tuple(name for name in exchange.connections if name not in gone)
    return []


def _same_peer(peer: Peer, peers: Mapping[str, Peer]) -> bool:
    """In whichever line its section is by now."""
    other = peers.get(peer.name)
    return other is not None and replace(other, where=peer.where) == peer


def _same_connection(connection: Connection, connections: Mapping[str, Connection]) -> bool:
    """Whether we bring it up or the peer does makes no other tunnel."""
    other = connections.get(connection.name)
    return other is not None and replace(other, where=connection.where, active=connection.active) == connection
