# SPDX-License-Identifier: ISC
"""Whether an inner packet is the traffic that two selectors mean (RFC 4301 4.4.1 and 5.2 step 4).

A fragment other than the first has no ports, so it never fits a selector that names one: docs/decisions/0602.
"""

from __future__ import annotations

from ike_auth.esp.packets import Packet
from ike_auth.wire.identities import Selector


class Traffic:
    """The selectors of a flow or an SA, made ready for many packets."""

    __slots__ = ("_local", "_remote", "local", "remote", "version")

    def __init__(self, local: Selector, remote: Selector) -> None:
        self.local, self.remote = local, remote
        self.version = local.low.version if local.low.version == remote.low.version else 0  # 0: fits nothing
        self._local = _Side(local)
        self._remote = _Side(remote)

    def outgoing(self, packet: Packet) -> bool:
        """Whether this is from the local side to the remote one."""
        return (
            packet.version == self.version
            and self._local.fits(packet.source, packet.protocol, packet.source_port)
            and self._remote.fits(packet.destination, packet.protocol, packet.destination_port)
        )

    def incoming(self, packet: Packet) -> bool:
        """Whether this is from the remote side to the local one."""
        return (
            packet.version == self.version
            and self._remote.fits(packet.source, packet.protocol, packet.source_port)
            and self._local.fits(packet.destination, packet.protocol, packet.destination_port)
        )

    @property
    def breadth(self) -> tuple[int, int, int]:
        """The more specific, the smaller: addresses first, then protocol, then ports."""
        sides = (self._local, self._remote)
        return (
            sum((side.high - side.low + 1).bit_length() for side in sides),
            sum(side.protocol == 0 for side in sides),
            sum(side.port == 0 for side in sides),
        )


class _Side:
    __slots__ = ("high", "low", "port", "protocol")

    def __init__(self, selector: Selector) -> None:
        self.low, self.high = int(selector.low), int(selector.high)
        self.protocol, self.port = selector.protocol, selector.port

    def fits(self, address: int, protocol: int, port: int | None) -> bool:
        return (
            self.low <= address <= self.high
            and (self.protocol == 0 or self.protocol == protocol)
            and (self.port == 0 or self.port == port)
        )
