# SPDX-License-Identifier: ISC
"""From the TUN device to the network: RFC 4301 5.1, RFC 4303 3.3."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ike_auth.esp import icmp, mss, mtu
from ike_auth.esp.bursts import Burst, Bursts
from ike_auth.esp.checksums import Buffer
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.events import Acquire, Events
from ike_auth.esp.fragmentation import fragments
from ike_auth.esp.ipcomp import IPCOMP, Compressor
from ike_auth.esp.packets import ICMP, ICMPV6, IPIP, IPV6, Packet, parse
from ike_auth.esp.padding import trailers
from ike_auth.esp.policy import Policies
from ike_auth.esp.segmentation import Pieces, segment_size, segments
from ike_auth.esp.virtio import VirtioHeader
from ike_auth.wire.identities import Selector

_ICMP_PER_SECOND = 100  # RFC 4443 2.4 f
_NEXT_HEADER = {4: IPIP, 6: IPV6}


class Outgoing(NamedTuple):
    """What to send, in order; and frames for the TUN device, with virtio headers: ICMP for hosts behind us."""

    bursts: list[Burst]
    frames: list[bytes]


class Outbound:
    def __init__(self, policies: Policies, drops: Counter[Reason], events: Events, header_size: int) -> None:
        self.clamp = True
        self._policies = policies
        self._drops = drops
        self._events = events
        self._header_size = header_size
        self._no_header = VirtioHeader().encode(header_size)
        self._second = 0  # in which so many ICMP messages were made
        self._icmp = 0

    def batch(self, frames: Iterable[Buffer], now: float) -> Outgoing:
        bursts = Bursts()
        back: list[bytes] = []
        for frame in frames:
            try:
                self._frame(frame, now, bursts, back)
            except Dropped as dropped:
                self._drops[dropped.reason] += 1
        return Outgoing(bursts.take(), back)

    def _frame(self, frame: Buffer, now: float, bursts: Bursts, back: list[bytes]) -> None:
        header = VirtioHeader.decode(frame, self._header_size)
        data = memoryview(frame)[self._header_size :]
        packet = parse(data)
        route = self._policies.route(packet)
        if route is None:
            raise Dropped(Reason.NO_FLOW)
        if route.guard or not route.outbound:
            self._events.add_seldom(_acquire(packet), route, now)
            raise Dropped(Reason.GUARDED if route.guard else Reason.NO_SA)
        sa = route.outbound[-1]
        limit = mtu.limit(sa.inner_mtu, packet.version)
        pieces = segments(header, data, packet)
        if segment_size(header, data, packet) > limit:
            first = b"".join(pieces[0])
            if packet.dont_fragment:
                self._too_large(first, sa.inner_mtu, now, back)
                raise Dropped(Reason.TOO_LARGE)
            pieces = [(part,) for piece in pieces for part in _fragmented(b"".join(piece), limit)]
        elif self.clamp and len(pieces) == 1 and mss.is_syn(data, packet):
            pieces = [(mss.clamped(b"".join(pieces[0]), packet, sa.inner_mtu),)]
        compressor = route.compressors[-1] if route.compressors else None
        texts, size = _texts(pieces, _NEXT_HEADER[packet.version], sa.transform.alignment, compressor)
        bursts.add(sa, packet.tos, sa.seal(texts, size, now))

    def _too_large(self, data: bytes, inner_mtu: int, now: float, back: list[bytes]) -> None:
        second = int(now)
        if second != self._second:
            self._second, self._icmp = second, 0
        if self._icmp >= _ICMP_PER_SECOND:
            return
        message = icmp.too_large(data, parse(data), inner_mtu)
        if message is not None:
            self._icmp += 1
            back.append(self._no_header + message)


def _fragmented(data: bytes, mtu: int) -> list[bytes]:
    return fragments(data, parse(data), mtu) if len(data) > mtu else [data]


def _texts(
    pieces: list[Pieces], next_header: int, alignment: int, compressor: Compressor | None
) -> tuple[list[bytes], int]:
    """What to encrypt for each packet, and how many bytes the packets have together."""
    packets = list(map(b"".join, pieces))
    size = sum(map(len, packets))
    tails = trailers(next_header, alignment)
    if compressor is None:
        return [packet + tails[len(packet) % alignment] for packet in packets], size
    compressed_tails = trailers(IPCOMP, alignment)
    texts = []
    for packet in packets:
        compressed = compressor.compress(next_header, packet)
        if compressed is None:
            texts.append(packet + tails[len(packet) % alignment])
        else:
            texts.append(compressed + compressed_tails[len(compressed) % alignment])
    return texts, size


def _acquire(packet: Packet) -> Acquire:
    address = IPv4Address if packet.version == 4 else IPv6Address
    source, destination = address(packet.source), address(packet.destination)
    ports = (packet.source_port, packet.destination_port) if packet.protocol not in (ICMP, ICMPV6) else (None, None)
    return Acquire(
        Selector(source, source, packet.protocol, ports[0] or 0),
        Selector(destination, destination, packet.protocol, ports[1] or 0),
    )
