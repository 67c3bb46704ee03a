# SPDX-License-Identifier: ISC
"""What IPsec reads off an inner packet: RFC 791 and RFC 8200 headers, up to the ports."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from ike_auth.esp.checksums import Buffer
from ike_auth.esp.drops import Dropped, Reason

ICMP, IPIP, TCP, UDP, IPV6, FRAGMENT, ICMPV6, NO_NEXT_HEADER = 1, 4, 6, 17, 41, 44, 58, 59
_HOP_BY_HOP, _ROUTING, _DESTINATION_OPTIONS = 0, 43, 60
_OPTIONS = frozenset((_HOP_BY_HOP, _ROUTING, _DESTINATION_OPTIONS))
_MAX_EXTENSIONS = 8
# TCP, UDP, DCCP, SCTP, UDP-Lite: two ports first. ICMP: type and code stand where others have ports (RFC 4301
# 4.4.1.1).
_WITH_PORTS = frozenset((TCP, UDP, 33, 132, 136))
_WITH_TYPE = frozenset((ICMP, ICMPV6))

_V4 = Struct("!BBH2xHxB2xII")
_V6 = Struct("!IHB")
_PORTS = Struct("!HH")
_DONT_FRAGMENT, _MORE_FRAGMENTS, _OFFSET = 0x4000, 0x2000, 0x1FFF


class Packet(NamedTuple):
    """Sizes and offsets in bytes, addresses as numbers.

    Ports are None where there are none to be read: in later fragments, and in protocols without ports. For ICMP
    they are type and code.
    """

    version: int
    length: int  # of the whole packet, as its header says
    header: int  # up to the transport header: with options and extension headers
    protocol: int  # of the transport header
    source: int
    destination: int
    source_port: int | None
    destination_port: int | None
    tos: int  # DSCP and ECN
    dont_fragment: bool  # always, for IPv6
    fragment: bool  # the first one, or a later one
    offset: int  # of this fragment


def parse(data: Buffer) -> Packet:
    """Raises Dropped(MALFORMED). Bytes behind the packet's end are allowed (RFC 4303 2.7: padding that hides
    lengths).
    """
    version = data[0] >> 4 if data else 0
    if version == 4:
        return _parse_v4(data)
    if version == 6:
        return _parse_v6(data)
    raise Dropped(Reason.MALFORMED)


def _parse_v4(data: Buffer) -> Packet:
    if len(data) < 20:
        raise Dropped(Reason.MALFORMED)
    first, tos, length, flags, protocol, source, destination = _V4.unpack_from(data)
    header = (first & 0x0F) * 4
    if not 20 <= header <= length <= len(data):
        raise Dropped(Reason.MALFORMED)
    offset = (flags & _OFFSET) * 8
    fragment = bool(offset or flags & _MORE_FRAGMENTS)
    if offset + length - header > 0xFFFF:
        raise Dropped(Reason.MALFORMED)
    ports = (None, None) if offset else _ports(data, header, length, protocol)
    dont_fragment = bool(flags & _DONT_FRAGMENT)
    return Packet(4, length, header, protocol, source, destination, *ports, tos, dont_fragment, fragment, offset)


def _parse_v6(data: Buffer) -> Packet:
    if len(data) < 40:
        raise Dropped(Reason.MALFORMED)
    first, length, protocol = _V6.unpack_from(data)
    length += 40
    if length > len(data):
        raise Dropped(Reason.MALFORMED)
    header, offset, fragment = 40, 0, False
    for _ in range(_MAX_EXTENSIONS):
        # What follows a later fragment's header is the middle of something (RFC 8200 4.5).
        if offset or not (protocol in _OPTIONS or protocol == FRAGMENT):
            break
        if header + 8 > length:
            raise Dropped(Reason.MALFORMED)
        start, kind = header, protocol
        protocol = data[start]
        if kind == FRAGMENT:
            header += 8
            fragment, offset = True, int.from_bytes(data[start + 2 : start + 4], "big") & 0xFFF8
        else:
            header += 8 + data[start + 1] * 8
            if header > length:
                raise Dropped(Reason.MALFORMED)
    else:
        raise Dropped(Reason.MALFORMED)
    source, destination = int.from_bytes(data[8:24], "big"), int.from_bytes(data[24:40], "big")
    ports = (None, None) if offset else _ports(data, header, length, protocol)
    tos = first >> 20 & 0xFF
    return Packet(6, length, header, protocol, source, destination, *ports, tos, True, fragment, offset)


def _ports(data: Buffer, header: int, length: int, protocol: int) -> tuple[int | None, int | None]:
    if protocol in _WITH_PORTS and header + 4 <= length:
        return _PORTS.unpack_from(data, header)
    if protocol in _WITH_TYPE and header + 2 <= length:
        return data[header], data[header + 1]
    return None, None
