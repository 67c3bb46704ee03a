# SPDX-License-Identifier: ISC
"""TCP's maximum segment size, lowered in SYNs to what fits the tunnel: path MTU discovery is too often filtered."""

from ike_auth.esp.checksums import Buffer, updated
from ike_auth.esp.packets import TCP, Packet

_SYN = 0x02
_END, _NOP, _MSS = 0, 1, 2
_TCP_HEADER = 20
_IP_HEADER = {4: 20, 6: 40}
_MIN_MSS = 88  # below it Linux doesn't go either


def is_syn(data: Buffer, packet: Packet) -> bool:
    start = packet.header
    return (
        packet.protocol == TCP
        and not packet.offset
        and start + _TCP_HEADER <= packet.length
        and bool(data[start + 13] & _SYN)
    )


def clamped(data: bytes, packet: Packet, inner_mtu: int) -> bytes:
    """The same TCP SYN; with an MSS above what `inner_mtu` (bytes) allows, that is what it says from then on."""
    start = packet.header
    limit = max(inner_mtu - _IP_HEADER[packet.version] - _TCP_HEADER, _MIN_MSS)
    end = min(start + (data[start + 12] >> 4) * 4, packet.length)
    position = start + _TCP_HEADER
    while position + 1 < end and data[position] != _END:
        if data[position] == _NOP:
            position += 1
            continue
        length = data[position + 1]
        if data[position] == _MSS and length == 4 and position + 4 <= end:
            return _lowered(data, start, position + 2, limit)
        position += max(length, 2)
    return data


def _lowered(data: bytes, start: int, position: int, limit: int) -> bytes:
    before = int.from_bytes(data[position : position + 2], "big")
    if before <= limit:
        return data
    changed = bytearray(data)
    changed[position : position + 2] = limit.to_bytes(2, "big")
    # Across two words of the sum, the bytes count the other way round.
    weight = 256 if (position - start) & 1 else 1
    sum = updated(int.from_bytes(data[start + 16 : start + 18], "big"), before * weight, limit * weight)
    changed[start + 16 : start + 18] = sum.to_bytes(2, "big")
    return bytes(changed)
