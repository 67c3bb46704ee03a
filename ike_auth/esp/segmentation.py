# SPDX-License-Identifier: ISC
"""What the kernel left to the device: cutting a superpacket into segments, and filling in checksums.

The headers are read once; of each segment only what differs is made: lengths, IPv4 identification, TCP sequence
number and flags, checksums. The time goes into the checksum of the payload, which nobody has summed up yet.
"""

from __future__ import annotations

from functools import cache
from struct import Struct

from ike_auth.esp.checksums import Buffer, pseudo_header, word_sum
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.packets import TCP, UDP, Packet
from ike_auth.esp.virtio import NEEDS_CHECKSUM, Gso, VirtioHeader

Pieces = tuple[Buffer, ...]  # of one packet, in order

FIN_PSH, CWR = 0x09, 0x80
_UDP_HEADER = 8
_UDP = Struct("!4sHH")
_WANTED: dict[int, tuple[int, int]] = {Gso.TCPV4: (4, TCP), Gso.TCPV6: (6, TCP)}


def segments(header: VirtioHeader, data: memoryview, packet: Packet) -> list[Pieces]:
    """The packets that the frame stands for, with all lengths and checksums. `data` is the frame behind its header.

    All have the same length except the last, which may be shorter. Raises Dropped(BAD_FRAME).
    """
    data = data[: packet.length]
    if header.gso == Gso.NONE:
        return [_completed(header, data, packet) if header.flags & NEEDS_CHECKSUM else (data,)]
    if packet.fragment or not header.segment_size:
        raise Dropped(Reason.BAD_FRAME)
    if header.gso == Gso.UDP and packet.protocol == UDP:
        transport_size = _UDP_HEADER
    elif _WANTED.get(header.gso) == (packet.version, packet.protocol):
        transport_size = _tcp_header_size(data, packet)
    else:
        raise Dropped(Reason.BAD_FRAME)
    start, size = packet.header + transport_size, header.segment_size
    if start > len(data):
        raise Dropped(Reason.BAD_FRAME)
    payloads = [data[offset : offset + size] for offset in range(start, max(len(data), start + 1), size)]
    transport = data[packet.header : start]
    addresses = data[12:20] if packet.version == 4 else data[8:40]
    transports = (
        _udp(transport, addresses, payloads) if header.gso == Gso.UDP else _tcp(transport, addresses, payloads)
    )
    lengths = [start + size] * (len(payloads) - 1) + [start + len(payloads[-1])]
    network = data[: packet.header]
    networks = _v4(network, lengths) if packet.version == 4 else _v6(network, lengths)
    return list(zip(networks, transports, payloads, strict=True))


def segment_size(header: VirtioHeader, data: memoryview, packet: Packet) -> int:
    """Bytes of the largest packet that `segments` gives."""
    if header.gso == Gso.NONE:
        return packet.length
    transport = _UDP_HEADER if header.gso == Gso.UDP else _tcp_header_size(data, packet)
    return min(packet.header + transport + header.segment_size, packet.length)


def _tcp_header_size(data: memoryview, packet: Packet) -> int:
    if packet.header + 20 > packet.length:
        raise Dropped(Reason.BAD_FRAME)
    size = (data[packet.header + 12] >> 4) * 4
    if size < 20:
        raise Dropped(Reason.BAD_FRAME)
    return size


def _completed(header: VirtioHeader, data: memoryview, packet: Packet) -> Pieces:
    """The sum of the pseudo header is in the field already (virtio 1.2, 5.1.6.2)."""
    start = header.checksum_start
    field = start + header.checksum_offset
    if field + 2 > len(data) or packet.offset:
        raise Dropped(Reason.BAD_FRAME)
    sum = -word_sum(data[start:]) % 65535
    if not sum and packet.protocol == UDP:
        sum = 0xFFFF
    return data[:field], sum.to_bytes(2, "big"), data[field + 2 :]


def _v4(network: memoryview, lengths: list[int]) -> list[bytes]:
    """Identification counts up, as when the kernel segments; where DF is clear it must be unique (RFC 6864)."""
    head, middle, rest = bytes(network[:2]), bytes(network[6:10]), bytes(network[12:])
    first = int.from_bytes(network[4:6], "big")
    base = word_sum(head) + word_sum(middle) + word_sum(rest)
    pack = _v4_struct(len(rest)).pack
    identified = [(length, number & 0xFFFF) for number, length in enumerate(lengths, first)]
    return [
        pack(head, length, number, middle, -(base + length + number) % 65535, rest) for length, number in identified
    ]


def _v6(network: memoryview, lengths: list[int]) -> list[bytes]:
    head, rest = bytes(network[:4]), bytes(network[6:])
    full, last = (head + (length - 40).to_bytes(2, "big") + rest for length in (lengths[0], lengths[-1]))
    return [full] * (len(lengths) - 1) + [last]


def _tcp(transport: memoryview, addresses: memoryview, payloads: list[memoryview]) -> list[bytes]:
    """FIN and PSH belong to the last segment, CWR to the first (RFC 3168 6.1.2)."""
    size = len(transport)
    pack, unpack = (struct := _tcp_struct(size)).pack, struct.unpack
    ports, sequence, acknowledged, flags, window, _, rest = unpack(transport)
    base = word_sum(ports) + word_sum(acknowledged + b"\0") + word_sum(window) + word_sum(rest)
    base += pseudo_header(addresses, TCP, size)
    marks = [flags & ~(FIN_PSH | CWR)] * len(payloads)
    marks[0] |= flags & CWR
    marks[-1] |= flags & FIN_PSH
    headers = []
    for mark, payload in zip(marks, payloads, strict=True):
        sum = -(base + sequence + mark + len(payload) + word_sum(payload)) % 65535
        headers.append(pack(ports, sequence, acknowledged, mark, window, sum, rest))
        sequence = sequence + len(payload) & 0xFFFFFFFF
    return headers


def _udp(transport: memoryview, addresses: memoryview, payloads: list[memoryview]) -> list[bytes]:
    """A sum of zero means none, so it is sent as its other form (RFC 768)."""
    ports = bytes(transport[:4])
    base = word_sum(ports) + pseudo_header(addresses, UDP, 0)
    headers = []
    for payload in payloads:
        length = _UDP_HEADER + len(payload)
        sum = -(base + 2 * length + word_sum(payload)) % 65535 or 0xFFFF
        headers.append(_UDP.pack(ports, length, sum))
    return headers


@cache
def _v4_struct(rest: int) -> Struct:
    return Struct(f"!2sHH4sH{rest}s")


@cache
def _tcp_struct(size: int) -> Struct:
    """Ports, sequence number, acknowledgement with data offset, flags, window, checksum, the rest."""
    return Struct(f"!4sI5sB2sH{size - 18}s")
