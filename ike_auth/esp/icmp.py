# SPDX-License-Identifier: ISC
"""ICMP messages that tell a host behind us to send smaller packets: RFC 1191 4, RFC 4443 3.2.

They come from the packet's own destination. An address of ours would be more honest, but the kernel takes no packet
off a device whose source is its own; from the destination it expects packets there.
"""

from ike_auth.esp.checksums import Buffer, checksum, pseudo_header
from ike_auth.esp.packets import ICMP, ICMPV6, Packet

_V4_QUOTE = 576 - 20 - 8  # bytes of the packet that are sent back (RFC 1812 4.3.2.3)
_V6_QUOTE = 1280 - 40 - 8
_UNREACHABLE, _FRAGMENTATION_NEEDED = 3, 4
_TOO_BIG = 2
_V4_ERRORS = frozenset((3, 4, 5, 11, 12))
_TTL = 64


def too_large(data: Buffer, packet: Packet, mtu: int) -> bytes | None:
    """An IP packet for the sender of `data`. `mtu`: bytes that would fit.

    None where no error may be sent: about an ICMP error, a later fragment, or from or to what is no single host
    (RFC 1122 3.2.2, RFC 4443 2.4 e).
    """
    if packet.offset or _is_error(packet):
        return None
    if packet.version == 4:
        if not _unicast_v4(packet.source) or not _unicast_v4(packet.destination):
            return None
        body = bytearray((_UNREACHABLE, _FRAGMENTATION_NEEDED, 0, 0, 0, 0)) + max(mtu, 68).to_bytes(2, "big")
        body += data[: min(_V4_QUOTE, packet.length)]
        body[2:4] = checksum(body).to_bytes(2, "big")
        head = bytearray((0x45, 0xC0)) + (20 + len(body)).to_bytes(2, "big") + bytes((0, 0, 0, 0, _TTL, ICMP, 0, 0))
        head += bytes(data[16:20]) + bytes(data[12:16])
        head[10:12] = checksum(head).to_bytes(2, "big")
        return bytes(head + body)
    if not _unicast_v6(packet.source) or not _unicast_v6(packet.destination):
        return None
    body = bytearray((_TOO_BIG, 0, 0, 0)) + max(mtu, 1280).to_bytes(4, "big")
    body += data[: min(_V6_QUOTE, packet.length)]
    addresses = bytes(data[24:40]) + bytes(data[8:24])
    body[2:4] = checksum(body, pseudo_header(addresses, ICMPV6, len(body))).to_bytes(2, "big")
    return bytes((0x60, 0, 0, 0)) + len(body).to_bytes(2, "big") + bytes((ICMPV6, _TTL)) + addresses + bytes(body)


def _is_error(packet: Packet) -> bool:
    """The type stands where others have their port. An ICMP packet too short to have one gets no answer either."""
    kind = packet.source_port
    if packet.protocol == ICMP:
        return kind is None or kind in _V4_ERRORS
    return packet.protocol == ICMPV6 and (kind is None or kind < 128)


def _unicast_v4(address: int) -> bool:
    return 0x01000000 <= address < 0xE0000000 and address >> 24 != 127


def _unicast_v6(address: int) -> bool:
    return address > 1 and address >> 120 != 0xFF
