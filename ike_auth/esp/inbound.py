# SPDX-License-Identifier: ISC
"""From the network to the TUN device: RFC 4301 5.2, RFC 4303 3.4."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from struct import Struct
from typing import NamedTuple

from ike_auth.esp import mss, tos
from ike_auth.esp.associations import InboundSa
from ike_auth.esp.coalescing import Coalescer
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.events import Events, PeerMoved, UnknownSpi
from ike_auth.esp.ipcomp import IPCOMP, Compressor, decompress
from ike_auth.esp.packets import IPIP, IPV6, NO_NEXT_HEADER, parse
from ike_auth.esp.policy import Ends, Policies, ends
from ike_auth.esp.transforms import HEADER_SIZE
from ike_auth.network import Datagram, Endpoint

_KEEPALIVE = b"\xff"  # RFC 3948 2.3
_NON_ESP_MARKER = bytes(4)  # RFC 3948 2.2
_HEADER = Struct("!4sI")  # SPI, low half of the sequence number
_VERSIONS = {IPIP: 4, IPV6: 6}


class Read(NamedTuple):
    """What one system call received: datagrams of `segment_size` bytes, one behind the other (UDP_GRO), the last
    shorter.

    Payloads of UDP, or of IP protocol 50, which has no ports: 0. `tos` is that of the outer header.
    """

    payload: memoryview
    segment_size: int
    local: Endpoint
    remote: Endpoint
    tos: int = 0


class Incoming(NamedTuple):
    """Frames for the TUN device, each with its virtio header; and IKE messages that came between them, marker taken
    off.
    """

    frames: list[bytes]
    ike: list[Datagram]


class Inbound:
    def __init__(self, policies: Policies, drops: Counter[Reason], events: Events, header_size: int) -> None:
        self.sas: dict[bytes, InboundSa] = {}
        self.compressors: dict[Ends, list[Compressor]] = {}
        self.clamp = True
        self._policies = policies
        self._drops = drops
        self._events = events
        self._coalescer = Coalescer(header_size)
        self._reads = 0

    def batch(self, reads: Iterable[Read], now: float) -> Incoming:
        ike: list[Datagram] = []
        for read in reads:
            self._reads += 1
            payload, size = read.payload, read.segment_size
            whole = len(payload)
            if not 0 < size < whole:
                self._packet(payload, read, ike, now)
                continue
            for offset in range(0, whole, size):
                self._packet(payload[offset : offset + size], read, ike, now)
        return Incoming(self._coalescer.take(), ike)

    def _packet(self, packet: memoryview, read: Read, ike: list[Datagram], now: float) -> None:
        try:
            if len(packet) < HEADER_SIZE:
                if packet == _KEEPALIVE:
                    return
                raise Dropped(Reason.TRUNCATED)
            spi, sequence = _HEADER.unpack_from(packet)
            sa = self.sas.get(spi)
            if sa is None:
                self._without_sa(spi, packet, read, ike, now)
                return
            text, size = sa.open(packet, sequence, now)
            if sa.heard != self._reads:
                sa.heard = self._reads
                self._note_ends(sa, sequence, read)
            same_kind = _VERSIONS.get(text[-1]) == text[0] >> 4
            if read.tos & 1 or not same_kind or not self._coalescer.extend(sa, text, size):
                self._deliver(sa, text, size, read.tos)
        except Dropped as dropped:
            self._drops[dropped.reason] += 1

    def _deliver(self, sa: InboundSa, text: bytes, size: int, outer_tos: int) -> None:
        """A packet that is not simply the next one of its connection."""
        next_header = text[-1]
        if next_header == NO_NEXT_HEADER:  # RFC 4303 2.6
            raise Dropped(Reason.DUMMY)
        compressed = next_header == IPCOMP
        if compressed:
            cpi, next_header, text = decompress(text[:size])
            if not any(cpi == compressor.cpi for compressor in self.compressors.get(ends(sa.sa)[0], ())):
                raise Dropped(Reason.UNKNOWN_CPI)
            size = len(text)
        version = _VERSIONS.get(next_header)
        if version is None:
            raise Dropped(Reason.NEXT_HEADER)
        packet = parse(memoryview(text)[:size])
        if packet.version != version:
            raise Dropped(Reason.MALFORMED)
        if not sa.takes(packet):
            raise Dropped(Reason.SELECTORS)
        size = packet.length  # what is behind it hides its length (RFC 4303 2.7)
        ecn = tos.combined(packet.tos & 3, outer_tos & 3)
        if ecn is None:
            raise Dropped(Reason.CONGESTION)
        if ecn != packet.tos & 3:
            text = tos.with_ecn(text, ecn)
        if self.clamp and mss.is_syn(text, packet):
            text = mss.clamped(text, packet, self._inner_mtu(sa))
        if not ((compressed or outer_tos & 1) and self._coalescer.extend(sa, text, size)):
            self._coalescer.add(sa, text, size, packet)

    def _inner_mtu(self, sa: InboundSa) -> int:
        """Of the way back; as this SA would have it while there is none."""
        outbound = self._policies.newest(ends(sa.sa)[0])
        return outbound.inner_mtu if outbound is not None else sa.inner_mtu

    def _note_ends(self, sa: InboundSa, sequence: int, read: Read) -> None:
        """Only the newest packet says where the peer is, and only where a copy of it would not have been accepted."""
        if not sa.window.size or sequence != sa.window.top & 0xFFFFFFFF:
            return
        here, there = (read.local, read.remote), (sa.local, sa.remote)
        moved = here != there if sa.udp else (here[0].host, here[1].host) != (there[0].host, there[1].host)
        if not moved:
            sa.moved = None
        elif here != sa.moved:
            sa.moved = here
            self._events.add(PeerMoved(sa.sa.spi, *here))

    def _without_sa(self, spi: bytes, packet: memoryview, read: Read, ike: list[Datagram], now: float) -> None:
        if spi == _NON_ESP_MARKER and read.local.port:
            ike.append(Datagram(bytes(packet[4:]), read.local, read.remote))
            return
        self._events.add_seldom(UnknownSpi(read.local, read.remote, spi), (read.remote, spi), now)
        raise Dropped(Reason.UNKNOWN_SPI)
