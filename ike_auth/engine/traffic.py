# SPDX-License-Identifier: ISC
"""What the kernel has to say of traffic: some waits for a tunnel, some came through one."""

from ike_auth.effects import Effect
from ike_auth.engine import connections, removal, renewal
from ike_auth.engine.core import Core, Renew, Retire
from ike_auth.network import Now
from ike_auth.sa import Flow
from ike_auth.wire.identities import Selector

GRACE = 5.0  # seconds that packets may be under way


def acquire(core: Core, local: Selector, remote: Selector, now: Now) -> list[Effect]:
    """A packet waits: of the connections that are for it, the one with the fewest addresses is brought up."""
    fitting = [
        (_addresses(flow.local) + _addresses(flow.remote), name)
        for name, flow in core.guards.items()
        if name not in core.held and flow.local.contains(local) and flow.remote.contains(remote)
    ]
    return connections.initiate(core, min(fitting)[1], now) if fitting else []


def flow_gone(core: Core, flow: Flow, why: str) -> list[Effect]:
    """The kernel does not take a flow: whoever sends into its tunnels has to know."""
    tunnels = [tunnel for tunnel in core.sas.tunnels if tunnel.flow == flow]
    return removal.remove_tunnels(core, tunnels, why, tell=True)


def soft_limit(core: Core, spi: bytes, now: Now, *, inbound: bool) -> list[Effect]:
    """An SA has carried so much that its tunnel is renewed: now by whoever began it, else by the other end."""
    tunnel = core.sas.tunnel_into(spi) if inbound else core.sas.newest_tunnel_out(spi)
    if tunnel is None or tunnel.connection is None or core.sas.tunnels_like(tunnel)[-1] is not tunnel:
        return []
    core.timers.set(Renew(tunnel.inbound[0].spi), now.monotonic + (0.0 if tunnel.initiator else renewal.COURTESY))
    return []


def heard(core: Core, spi: bytes, now: Now) -> None:
    """Something has come in on an SA: the peer is there."""
    tunnel = core.sas.tunnel_into(spi)
    if tunnel is not None:
        core.traffic[tunnel.peer, tunnel.identity] = now.monotonic


def used(core: Core, spi: bytes, now: Now) -> list[Effect]:
    """The peer sends through this tunnel, so it needs the older ones for the same traffic no longer; what is under
    way in those may still arrive. Message 3 of quick mode may arrive later than the first packet."""
    heard(core, spi, now)
    tunnel = core.sas.tunnel_into(spi)
    is_first = tunnel is not None and core.sas.tunnels_like(tunnel)[0] is tunnel
    if not is_first and (tunnel is not None or core.exchanges.with_spi(spi) is not None):
        core.timers.set(Retire(spi), now.monotonic + GRACE)
    return []


def retire(core: Core, spi: bytes, now: Now) -> list[Effect]:
    """The time is over for tunnels that are older than this one."""
    tunnel = core.sas.tunnel_into(spi)
    if tunnel is None:
        if core.exchanges.with_spi(spi) is not None:
            core.timers.set(Retire(spi), now.monotonic + GRACE)
        return []
    like = core.sas.tunnels_like(tunnel)
    return removal.remove_tunnels(core, like[: like.index(tunnel)], "replaced", tell=True)


def _addresses(selector: Selector) -> int:
    return int(selector.high) - int(selector.low) + 1
