# SPDX-License-Identifier: ISC
"""Frames as a TUN device gives and takes them, made and taken apart by hand."""

from struct import pack, unpack

from tests.ike_auth.esp.inner import naive_sum

SIZE = 10  # of the virtio header
NOTHING = bytes(SIZE)
TCPV4, TCPV6, UDP = 1, 4, 5


def virtio(
    *, flags: int = 0, gso: int = 0, header_size: int = 0, segment_size: int = 0, start: int = 0, offset: int = 0
) -> bytes:
    return pack("=BBHHHH", flags, gso, header_size, segment_size, start, offset)


def headers(packet: bytes) -> tuple[int, int]:
    """Of IP, and of IP and transport together."""
    network = (packet[0] & 15) * 4 if packet[0] >> 4 == 4 else 40
    protocol = packet[9] if packet[0] >> 4 == 4 else packet[6]
    return network, network + ((packet[network + 12] >> 4) * 4 if protocol == 6 else 8)


def partial(packet: bytes) -> bytes:
    """The packet with the sum of its pseudo header instead of its transport checksum, as the kernel leaves it."""
    network, _ = headers(packet)
    v4 = packet[0] >> 4 == 4
    protocol, addresses = (packet[9], packet[12:20]) if v4 else (packet[6], packet[8:40])
    at = network + (16 if protocol == 6 else 6)
    sum = naive_sum(addresses + pack("!HH", protocol, len(packet) - network))
    return packet[:at] + pack("!H", sum) + packet[at + 2 :]


def super_frame(packet: bytes, segment_size: int) -> bytes:
    """`packet` as a superpacket, to be cut into segments with that many bytes of payload."""
    network, all = headers(packet)
    protocol = packet[9] if packet[0] >> 4 == 4 else packet[6]
    gso = UDP if protocol == 17 else TCPV4 if packet[0] >> 4 == 4 else TCPV6
    header = virtio(
        flags=1,
        gso=gso,
        header_size=all,
        segment_size=segment_size,
        start=network,
        offset=16 if protocol == 6 else 6,
    )
    return header + partial(packet)


def fields(frame: bytes) -> tuple[int, ...]:
    """Flags, gso type, header size, segment size, checksum start and offset."""
    return unpack("=BBHHHH", frame[:SIZE])
