# SPDX-License-Identifier: ISC
"""What has been carried and what was dropped, for the control socket: plain JSON, and no keys."""

from collections.abc import Mapping
from typing import Any

from ike_auth.daemon.control import ControlError, Json
from ike_auth.daemon.kernel import Counting, Kernel, SaStatus
from ike_auth.esp.limits import Counted
from ike_auth.sa import SaName, Tunnel
from ike_auth.suites import describe


def traffic(kernel: Kernel, now: float) -> Json:
    """`sas`, one object each, and `drops` by reason. `now` is monotonic seconds. Raises ControlError."""
    if not isinstance(kernel, Counting):
        raise ControlError("this kernel backend counts no packets", "`--kernel userspace` does")
    return {"sas": [_sa(status, now) for status in kernel.sas], "drops": dict(kernel.drops)}


def carried(kernel: Kernel) -> int:
    """Packets of all SAs that are there now."""
    return sum(status.counted.packets for status in kernel.sas) if isinstance(kernel, Counting) else 0


def by_sa(kernel: Kernel) -> dict[SaName, Counted]:
    """What each SA has carried; empty if this backend does not count."""
    return {status.sa.name: status.counted for status in kernel.sas} if isinstance(kernel, Counting) else {}


def of_tunnel(tunnel: Tunnel, carried: Mapping[SaName, Counted]) -> Json:
    """Packets and bytes in and out, None where nobody counts them. IPCOMP is counted with the ESP after it."""
    found: dict[str, int | None] = {}
    for way, sas in (("in", tunnel.inbound), ("out", tunnel.outbound)):
        counted = next((carried[sa.name] for sa in sas if sa.name in carried), None)
        found[f"packets_{way}"] = None if counted is None else counted.packets
        found[f"bytes_{way}"] = None if counted is None else counted.bytes
    return found


def _sa(status: SaStatus, now: float) -> dict[str, Any]:
    """Times are seconds that have passed since; None: never."""
    sa, counted = status.sa, status.counted

    def since(time: float | None) -> float | None:
        return None if time is None else round(now - time, 3)

    return {
        "spi": sa.spi.hex(),
        "inbound": sa.inbound,
        "protocol": describe(sa.parameters),
        "local": str(sa.local),
        "remote": str(sa.remote),
        "local_endpoint": str(status.local),
        "remote_endpoint": str(status.remote),
        "packets": counted.packets,
        "bytes": counted.bytes,
        "sequence": status.sequence,
        "first_used": since(counted.first_used),
        "last_used": since(counted.last_used),
        "mtu": status.inner_mtu,
    }
