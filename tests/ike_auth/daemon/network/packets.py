# SPDX-License-Identifier: ISC
"""IP packets for tests to write into a TUN."""

import socket
import struct


def udp_packet(source: str, destination: str, ports: tuple[int, int], data: bytes) -> bytes:
    """Without a UDP checksum, which IPv4 allows."""
    length = 20 + 8 + len(data)
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    head = struct.pack("!BBHHHBBH", 0x45, 0, length, 0, 0, 64, 17, 0) + addresses
    total = 0xFFFF - int.from_bytes(head, "big") % 0xFFFF
    head = head[:10] + total.to_bytes(2, "big") + head[12:]
    return head + struct.pack("!HHHH", *ports, 8 + len(data), 0) + data
