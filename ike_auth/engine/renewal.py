# SPDX-License-Identifier: ISC
"""When a tunnel is renewed: before its end, by whoever began it or, if that one has not, by the other.

docs/decisions/0508-renewing-tunnels.md
"""

from ike_auth.engine.core import Core, Renew
from ike_auth.network import Now
from ike_auth.sa import Tunnel

# The part of its life after which a tunnel is renewed, and the jitter on top: the two ends do not meet.
OURS = (0.80, 0.10)
THEIRS = (0.90, 0.05)
SHORTEST_RETRY = 2.0  # seconds
COURTESY = 5.0  # seconds that the end that did not begin leaves to the other when a tunnel has carried enough


def watch(core: Core, tunnel: Tunnel) -> None:
    """Renew it in time, if it is of a connection of ours: else the peer has to."""
    if tunnel.connection is None:
        return
    part, jitter = OURS if tunnel.initiator else THEIRS
    part += jitter * int.from_bytes(core.random(2), "big") / 0x10000
    core.timers.set(Renew(tunnel.inbound[0].spi), tunnel.established + part * _life(tunnel))


def again(core: Core, tunnel: Tunnel, now: Now) -> None:
    """Look again before its end: what is begun now may come to nothing. Ever sooner, as the end comes closer."""
    left = tunnel.expires - now.monotonic
    interval = max(left / 4, SHORTEST_RETRY)
    if interval < left:
        core.timers.set(Renew(tunnel.inbound[0].spi), now.monotonic + interval)


def is_renewed(core: Core, tunnel: Tunnel) -> bool:
    """Whether there is a newer one for its traffic, which is the one to be renewed. Of two that have crossed on their
    way, each end may hold the other one to be the newer; then both are renewed once more, and have successors."""
    return core.sas.tunnels_like(tunnel)[-1] is not tunnel


def _life(tunnel: Tunnel) -> float:
    return tunnel.expires - tunnel.established
