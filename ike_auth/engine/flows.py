# SPDX-License-Identifier: ISC
"""Which traffic goes through tunnels, and which has to wait for one.

The tunnels for one traffic share a flow: the first brings it, a newer one may replace it, the last takes it away. Of
what is configured, the traffic that has no tunnel yet is guarded, so that none of it leaves in the clear.
"""

from ike_auth.effects import AddFlow, Effect, Guard, RemoveFlow, Unguard
from ike_auth.engine.core import Core
from ike_auth.errors import LocalError
from ike_auth.sa import Flow, Tunnel
from ike_auth.wire.identities import Selector


def added(tunnel: Tunnel, like: list[Tunnel]) -> list[Effect]:
    """`tunnel` is in the table, as the newest of those `like` it."""
    return [] if len(like) > 1 and like[-2].flow == tunnel.flow else [AddFlow(tunnel.flow)]


def removed(core: Core, tunnel: Tunnel) -> list[Effect]:
    """`tunnel` is in the table no longer."""
    left = core.sas.tunnels_like(tunnel)
    if not left:
        return [RemoveFlow(tunnel.flow)]
    return [] if left[-1].flow == tunnel.flow else [AddFlow(left[-1].flow)]


def guard(core: Core) -> list[Effect]:
    """Guards for what is configured and has none yet; those that are configured no longer go."""
    before, core.guards = dict.fromkeys(core.guards.values()), _configured(core)
    wanted = dict.fromkeys(core.guards.values())
    over = [flow for flow in before if flow not in wanted]
    traffic = {(flow.local, flow.remote) for flow in wanted if over}
    replaced = [flow for flow in over if (flow.local, flow.remote) in traffic]
    return [
        *(Unguard(flow) for flow in replaced),  # a kernel knows a guard by its traffic
        *(Guard(flow) for flow in wanted if not before or flow not in before),
        *(Unguard(flow) for flow in over if flow not in replaced),
    ]


def unguard(core: Core) -> list[Effect]:
    guards, core.guards = dict.fromkeys(core.guards.values()), {}
    return [Unguard(flow) for flow in guards]


def _configured(core: Core) -> dict[str, Flow]:
    """The traffic of each connection whose ends are known. A peer that may be anywhere has some once it is there."""
    found: dict[str, Flow] = {}
    for connection in core.configuration.connections.values():
        peer = core.configuration.peers[connection.peer]
        if peer.address is None:
            continue
        try:
            ours = peer.local_address or core.source_address(peer.address)
        except LocalError:
            continue
        local, remote = connection.local or Selector.of(ours), connection.remote or Selector.of(peer.address)
        found[connection.name] = Flow(local, remote, ours, peer.address)
    return found
