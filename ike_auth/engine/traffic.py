# SPDX-License-Identifier: ISC
"""What the kernel has to say of traffic: some waits for a tunnel, some came through one."""

from ike_auth.effects import Effect
from ike_auth.engine import connections, removal
from ike_auth.engine.core import Core
from ike_auth.network import Now
from ike_auth.sa import Flow
from ike_auth.wire.identities import Selector


def acquire(core: Core, local: Selector, remote: Selector, now: Now) -> list[Effect]:
    """A packet waits: of the connections that are for it, the one with the fewest addresses is brought up."""
    fitting = [
        (_addresses(flow.local) + _addresses(flow.remote), name)
        for name, flow in core.guards.items()
        if flow.local.contains(local) and flow.remote.contains(remote)
    ]
    return connections.initiate(core, min(fitting)[1], now) if fitting else []


def flow_gone(core: Core, flow: Flow, why: str) -> list[Effect]:
    """The kernel does not take a flow: whoever sends into its tunnels has to know."""
    tunnels = [tunnel for tunnel in core.sas.tunnels if tunnel.flow == flow]
    return removal.remove_tunnels(core, tunnels, why, tell=True)


def soft_limit(core: Core, spi: bytes, now: Now, *, inbound: bool) -> list[Effect]:
    """An SA has carried so much that its tunnel is renewed."""
    tunnel = core.sas.tunnel_into(spi) if inbound else core.sas.newest_tunnel_out(spi)
    if tunnel is None or tunnel.connection is None:
        return []
    return connections.initiate(core, tunnel.connection, now)


def used(core: Core, spi: bytes) -> list[Effect]:
    """The peer sends through this tunnel now, so it needs the older ones for the same traffic no longer."""
    tunnel = core.sas.tunnel_into(spi)
    if tunnel is None:
        return []
    like = core.sas.tunnels_like(tunnel)
    return removal.remove_tunnels(core, like[: like.index(tunnel)], "replaced", tell=True)


def _addresses(selector: Selector) -> int:
    return int(selector.high) - int(selector.low) + 1
