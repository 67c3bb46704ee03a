# SPDX-License-Identifier: ISC
"""Inner packets made the slow way: fields by hand, checksums by a loop."""

from ipaddress import ip_address
from struct import pack
from typing import Any

from ike_auth.network import IPAddress

HERE4, THERE4 = ip_address("10.1.0.1"), ip_address("10.2.0.1")
HERE6, THERE6 = ip_address("fd00:1::1"), ip_address("fd00:2::1")
V6: dict[str, Any] = {"source": HERE6, "destination": THERE6}
ACK, PSH, FIN, SYN, RST, CWR, ECE = 0x10, 0x08, 0x01, 0x02, 0x04, 0x80, 0x40
TIMESTAMPS = bytes.fromhex("0101080a0102030405060708")


def naive_sum(data: bytes) -> int:
    """RFC 1071 4.1 as it stands there."""
    if len(data) % 2:
        data += b"\0"
    total = 0
    for position in range(0, len(data), 2):
        total += data[position] << 8 | data[position + 1]
        total = (total & 0xFFFF) + (total >> 16)
    return total


def naive_checksum(data: bytes) -> int:
    return ~naive_sum(data) & 0xFFFF


def ip(
    source: IPAddress,
    destination: IPAddress,
    protocol: int,
    payload: bytes,
    *,
    tos: int = 0,
    identification: int = 0x1234,
    flags: int = 0x4000,
    ttl: int = 64,
    options: bytes = b"",
) -> bytes:
    """`flags`: DF (0x4000), MF (0x2000), fragment offset in units of 8 bytes. IPv6 has neither, nor options."""
    if source.version == 6:
        head = pack("!IHBB", 6 << 28 | tos << 20, len(payload), protocol, ttl)
        return head + source.packed + destination.packed + payload
    size = 20 + len(options)
    head = pack("!BBHHHBBH", 0x40 | size // 4, tos, size + len(payload), identification, flags, ttl, protocol, 0)
    head += source.packed + destination.packed + options
    return head[:10] + pack("!H", naive_checksum(head)) + head[12:] + payload


def with_sum(source: IPAddress, destination: IPAddress, protocol: int, transport: bytes, at: int) -> bytes:
    pseudo = source.packed + destination.packed + pack("!HH", protocol, len(transport))
    sum = naive_checksum(pseudo + transport) or (0xFFFF if protocol == 17 else 0)
    return transport[:at] + pack("!H", sum) + transport[at + 2 :]


def tcp(
    payload: bytes = b"",
    *,
    source: IPAddress = HERE4,
    destination: IPAddress = THERE4,
    ports: tuple[int, int] = (1000, 80),
    sequence: int = 1,
    acknowledged: int = 2,
    flags: int = ACK,
    window: int = 500,
    options: bytes = TIMESTAMPS,
    tos: int = 0,
    identification: int = 0x1234,
    ttl: int = 64,
    fragment_flags: int = 0x4000,
) -> bytes:
    size = 20 + len(options)
    head = pack("!HHIIBBHHH", *ports, sequence, acknowledged, size // 4 << 4, flags, window, 0, 0) + options
    segment = with_sum(source, destination, 6, head + payload, 16)
    return ip(source, destination, 6, segment, tos=tos, identification=identification, ttl=ttl, flags=fragment_flags)


def udp(
    payload: bytes = b"",
    *,
    source: IPAddress = HERE4,
    destination: IPAddress = THERE4,
    ports: tuple[int, int] = (1000, 53),
    tos: int = 0,
    flags: int = 0x4000,
    identification: int = 0x1234,
) -> bytes:
    datagram = with_sum(source, destination, 17, pack("!HHHH", *ports, 8 + len(payload), 0) + payload, 6)
    return ip(source, destination, 17, datagram, tos=tos, flags=flags, identification=identification)


def icmp(
    payload: bytes = b"",
    *,
    kind: int = 8,
    code: int = 0,
    source: IPAddress = HERE4,
    destination: IPAddress = THERE4,
    flags: int = 0x4000,
) -> bytes:
    message = pack("!BBHI", kind, code, 0, 0) + payload
    if source.version == 6:
        return ip(source, destination, 58, with_sum(source, destination, 58, message, 2))
    return ip(source, destination, 1, message[:2] + pack("!H", naive_checksum(message)) + message[4:], flags=flags)


def sums_hold(packet: bytes) -> bool:
    """Whether the checksums of IP, and of TCP, UDP or ICMP in it, are right; for headers without extensions."""
    if packet[0] >> 4 == 4:
        header = (packet[0] & 15) * 4
        protocol, addresses = packet[9], packet[12:20]
        if naive_sum(packet[:header]) != 0xFFFF:
            return False
    else:
        header, protocol, addresses = 40, packet[6], packet[8:40]
    transport = packet[header:]
    pseudo = b"" if protocol == 1 else addresses + pack("!HH", protocol, len(transport))
    return naive_sum(pseudo + transport) == 0xFFFF
