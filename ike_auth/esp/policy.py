# SPDX-License-Identifier: ISC
"""The SPD: which flow an outgoing packet belongs to, and which SA it goes through (RFC 4301 4.4.1).

The most specific flow or guard decides: fewest addresses on both sides, then those that name a protocol, then those
that name ports. Of a flow and a guard that mean the same, the flow; of two flows, the newest.
"""

from __future__ import annotations

from dataclasses import replace

from ike_auth.esp.associations import OutboundSa
from ike_auth.esp.ipcomp import Compressor
from ike_auth.esp.packets import Packet
from ike_auth.esp.traffic import Traffic
from ike_auth.network import IPAddress
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector

MAX_CACHED = 4096

_Key = tuple[int, int, int, int, int | None, int | None]
Ends = tuple[Selector, Selector, IPAddress]


def ends(sa: IpsecSa) -> tuple[Ends, ...]:
    """What an SA and each of its flows have in common: the selectors, and the peer's address when they were set up.

    A flow does not take any SA that would be wide enough: two with one peer may be there for different traffic.
    """
    peer = (sa.source if sa.inbound else sa.destination).host
    return tuple((local, remote, peer) for local, remote in sa.traffic)


class Route:
    """A flow, or a guard. `outbound` and `compressors` have the newest last."""

    __slots__ = ("compressors", "flow", "guard", "outbound", "traffic")

    def __init__(self, flow: Flow, guard: bool, outbound: list[OutboundSa], compressors: list[Compressor]) -> None:
        self.flow = flow
        self.guard = guard
        self.traffic = Traffic(flow.local, flow.remote)
        self.outbound = outbound
        self.compressors = compressors


class Policies:
    def __init__(self) -> None:
        self._routes: dict[tuple[bool, Flow], Route] = {}  # by whether it is a guard, and the flow without protocols
        self._ordered: list[Route] = []
        self._cache: dict[_Key, Route | None] = {}
        self._outbound: dict[Ends, list[OutboundSa]] = {}
        self._compressors: dict[Ends, list[Compressor]] = {}

    def route(self, packet: Packet) -> Route | None:
        version, _, _, protocol, source, destination, source_port, destination_port, *_ = packet
        key = (version, source, destination, protocol, source_port, destination_port)
        try:
            return self._cache[key]
        except KeyError:
            pass
        found = next((route for route in self._ordered if route.traffic.outgoing(packet)), None)
        if len(self._cache) >= MAX_CACHED:
            self._cache.clear()
        self._cache[key] = found
        return found

    def add(self, flow: Flow, guard: bool) -> None:
        ends = (flow.local, flow.remote, flow.remote_address)
        outbound, compressors = self._outbound.setdefault(ends, []), self._compressors.setdefault(ends, [])
        key = guard, replace(flow, parameters=())
        self._routes.pop(key, None)
        self._routes[key] = Route(flow, guard, outbound, compressors)
        self._changed()

    def remove(self, flow: Flow, guard: bool) -> None:
        """One that has been replaced is no longer there."""
        key = guard, replace(flow, parameters=())
        route = self._routes.get(key)
        if route is not None and route.flow == flow:
            del self._routes[key]
            self._changed()

    def outbound(self, ends: Ends) -> list[OutboundSa]:
        """The SAs of a flow, newest last: a list to be changed by whoever adds or removes one."""
        return self._outbound.setdefault(ends, [])

    def compressors(self, ends: Ends) -> list[Compressor]:
        """The same, of IPCOMP."""
        return self._compressors.setdefault(ends, [])

    def newest(self, ends: Ends) -> OutboundSa | None:
        sas = self._outbound.get(ends)
        return sas[-1] if sas else None

    @property
    def routes(self) -> tuple[Route, ...]:
        """In the order in which they are asked."""
        return tuple(self._ordered)

    def _changed(self) -> None:
        newest_first = reversed(self._routes.values())
        self._ordered = sorted(newest_first, key=lambda route: (route.traffic.breadth, route.guard))
        self._cache.clear()
        used = {(route.flow.local, route.flow.remote, route.flow.remote_address) for route in self._ordered}
        for table in (self._outbound, self._compressors):
            for ends in [ends for ends, sas in table.items() if not sas and ends not in used]:
                del table[ends]
