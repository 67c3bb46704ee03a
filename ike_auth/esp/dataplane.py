# SPDX-License-Identifier: ISC
"""ESP and IPComp in userspace: frames of a TUN device on one side, payloads of datagrams on the other, `now` from
the caller.

Nothing here raises for any bytes off the network or the device: what goes no further is counted in `drops` by its
reason.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from ike_auth.errors import LocalError
from ike_auth.esp import mtu
from ike_auth.esp.associations import Association, InboundSa, OutboundSa
from ike_auth.esp.checksums import Buffer
from ike_auth.esp.drops import Reason
from ike_auth.esp.events import DataPlaneEvent, Events
from ike_auth.esp.inbound import Inbound, Incoming, Read
from ike_auth.esp.ipcomp import Compressor
from ike_auth.esp.limits import Counted
from ike_auth.esp.outbound import Outbound, Outgoing
from ike_auth.esp.policy import Policies, ends
from ike_auth.esp.transforms import Random
from ike_auth.network import Endpoint, IPAddress
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.numbers import ProtocolId

_KNOWN_PROTOCOLS = frozenset((ProtocolId.ESP, ProtocolId.IPCOMP))


@dataclass(frozen=True, slots=True)
class SaStatus:
    """One SA as it is now. `sequence`: the last one sent, or the highest that was accepted."""

    sa: IpsecSa
    local: Endpoint
    remote: Endpoint
    sequence: int
    counted: Counted
    inner_mtu: int


class DataPlane:
    """Tables of SAs, flows and guards, and the two ways through them."""

    def __init__(self, random: Random, *, header_size: int = 10, clamp_mss: bool = True) -> None:
        """`random` gives that many unpredictable bytes. `header_size`: bytes of the virtio header, 10 or 12."""
        self.drops: Counter[Reason] = Counter()
        self._random = random
        self._events = Events()
        self._policies = Policies()
        self._outbound: dict[tuple[bytes, IPAddress], OutboundSa] = {}
        self._mtu: dict[IPAddress, int] = {}  # of the path to a peer, where it is known
        self._sending = Outbound(self._policies, self.drops, self._events, header_size)
        self._receiving = Inbound(self._policies, self.drops, self._events, header_size)
        self._sending.clamp = self._receiving.clamp = clamp_mss

    # --- traffic

    def outbound(self, frame: Buffer, now: float) -> Outgoing:
        """What one read of the TUN device gave: virtio header and packet."""
        return self._sending.batch((frame,), now)

    def outbound_batch(self, frames: Iterable[Buffer], now: float) -> Outgoing:
        """The same for many; bursts go across frames. A frame's buffer may be used again when this returns."""
        return self._sending.batch(frames, now)

    def inbound(
        self, payload: Buffer, segment_size: int, local: Endpoint, remote: Endpoint, tos: int, now: float
    ) -> Incoming:
        """What one read of a socket gave; see `Read`."""
        return self._receiving.batch((Read(memoryview(payload), segment_size, local, remote, tos),), now)

    def inbound_batch(self, reads: Iterable[Read], now: float) -> Incoming:
        """The same for many; superpackets go across reads."""
        return self._receiving.batch(reads, now)

    def events(self) -> list[DataPlaneEvent]:
        """What has happened since this was last called, oldest first."""
        return self._events.drain()

    # --- tables

    def add_sa(self, sa: IpsecSa, *, soft: float = 0.9) -> None:
        """`soft`: the fraction of its kilobytes, or sequence numbers, after which an SA is to be replaced.

        An SA that is there already (by direction, SPI, and peer if outbound) is replaced, and begins anew. Raises
        LocalError for AH, transport mode, and keys that don't fit; UnsupportedAlgorithm.
        """
        if sa.protocol == ProtocolId.IPCOMP:
            self._compressors(sa).append(Compressor(sa))
            return
        if sa.inbound:
            inbound = InboundSa(sa, soft, self._random, self._events)
            self._tell_mtu(inbound)
            self._receiving.sas[sa.spi] = inbound
            return
        outbound = OutboundSa(sa, soft, self._random, self._events)
        self._tell_mtu(outbound)
        self.remove_sa(sa)
        self._outbound[sa.spi, sa.destination.host] = outbound
        for each in ends(sa):
            self._policies.outbound(each).append(outbound)

    def remove_sa(self, sa: IpsecSa) -> None:
        """Removing what is not there is no error."""
        if sa.protocol == ProtocolId.IPCOMP:
            compressors = self._compressors(sa)
            # A peer may use one CPI for several tunnels (RFC 3173 3.3).
            known = next((n for n, compressor in enumerate(compressors) if compressor.sa.spi == sa.spi), None)
            if known is not None:
                del compressors[known]
            if sa.inbound and not compressors:
                del self._receiving.compressors[ends(sa)[0]]
        elif sa.inbound:
            self._receiving.sas.pop(sa.spi, None)
        else:
            outbound = self._outbound.pop((sa.spi, sa.destination.host), None)
            if outbound is not None:
                for each in ends(outbound.sa):
                    self._policies.outbound(each).remove(outbound)

    def move(self, sa: IpsecSa, local: Endpoint, remote: Endpoint) -> None:
        """The ends of this SA's tunnel are elsewhere from now on. No packet does this by itself: see `PeerMoved`."""
        inbound, outbound = self._receiving.sas.get(sa.spi), self._outbound.get((sa.spi, sa.destination.host))
        found = inbound if sa.inbound else outbound
        if found is not None:
            found.local, found.remote = local, remote
            self._tell_mtu(found)

    def set_mtu(self, remote: IPAddress, outer: int) -> None:
        """Bytes of the largest packet that reaches this peer, outer header included (path MTU)."""
        outer = max(outer, mtu.MIN_MTU)
        if self._mtu.get(remote) == outer:
            return
        self._mtu[remote] = outer
        associations: list[Association] = [*self._receiving.sas.values(), *self._outbound.values()]
        for sa in associations:
            if sa.remote.host == remote:
                self._tell_mtu(sa)

    def add_flow(self, flow: Flow) -> None:
        """Outgoing packets that it means go through its newest outbound SA. A flow without parameters is a guard.

        Raises LocalError for protocols that this data plane doesn't have.
        """
        if any(parameters.protocol not in _KNOWN_PROTOCOLS for parameters in flow.parameters):
            raise LocalError(f"flow {flow.local} ↔ {flow.remote}: userspace has ESP and IPCOMP only")
        self._policies.add(flow, guard=not flow.parameters)

    def remove_flow(self, flow: Flow) -> None:
        self._policies.remove(flow, guard=not flow.parameters)

    def add_guard(self, flow: Flow) -> None:
        """Outgoing packets that it means, and no more specific flow does, are dropped and told of as `Acquire`."""
        self._policies.add(flow, guard=True)

    def remove_guard(self, flow: Flow) -> None:
        self._policies.remove(flow, guard=True)

    # --- listing

    def sas(self) -> list[SaStatus]:
        inbound = [_status(sa, sa.window.top) for sa in self._receiving.sas.values()]
        return inbound + [_status(sa, sa.sequence) for sa in self._outbound.values()]

    def flows(self) -> list[tuple[Flow, bool]]:
        """Flows and guards (True) in the order in which they are asked."""
        return [(route.flow, route.guard) for route in self._policies.routes]

    def _compressors(self, sa: IpsecSa) -> list[Compressor]:
        if sa.inbound:
            return self._receiving.compressors.setdefault(ends(sa)[0], [])
        return self._policies.compressors(ends(sa)[0])

    def _tell_mtu(self, sa: Association) -> None:
        sa.set_mtu(self._mtu.get(sa.remote.host, mtu.DEFAULT_MTU))


def _status(sa: InboundSa | OutboundSa, sequence: int) -> SaStatus:
    return SaStatus(sa.sa, sa.local, sa.remote, sequence, sa.limits.counted, sa.inner_mtu)
