# SPDX-License-Identifier: ISC
"""IPv4 fragmentation before encryption, RFC 791 3.2: the other end need not reassemble ESP before it decrypts."""

from ike_auth.esp.checksums import checksum
from ike_auth.esp.packets import Packet

_MORE = 0x2000
_COPIED = 0x80


def fragments(data: bytes, packet: Packet, mtu: int) -> list[bytes]:
    """IPv4 packets of at most `mtu` bytes. `data` may be a fragment itself. At least 8 bytes of payload go into
    each.
    """
    first = data[: packet.header]
    later = _later_header(first)
    payload = data[packet.header : packet.length]
    last_more = int.from_bytes(data[6:8], "big") & _MORE
    made = []
    position = 0
    while True:
        header = later if position else first
        size = max((mtu - len(header)) // 8 * 8, 8)
        piece = payload[position : position + size]
        rest = position + size < len(payload)
        made.append(_fragment(header, piece, packet.offset + position, _MORE if rest else last_more))
        if not rest:
            return made
        position += size


def _fragment(header: bytes, payload: bytes, offset: int, more: int) -> bytes:
    head = bytearray(header)
    head[2:4] = (len(header) + len(payload)).to_bytes(2, "big")
    head[6:8] = (more | offset // 8).to_bytes(2, "big")
    head[10:12] = b"\0\0"
    head[10:12] = checksum(head).to_bytes(2, "big")
    return bytes(head) + payload


def _later_header(header: bytes) -> bytes:
    """The header with those options only that are copied into every fragment."""
    kept = b""
    position = 20
    while position < len(header) and header[position] != 0:
        kind = header[position]
        length = 1 if kind == 1 else header[position + 1] if position + 1 < len(header) else 0
        if not length:
            break
        if kind & _COPIED:
            kept += header[position : position + length]
        position += length
    kept += bytes(-len(kept) % 4)
    return bytes((0x40 | (20 + len(kept)) // 4,)) + header[1:20] + kept
