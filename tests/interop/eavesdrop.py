# SPDX-License-Identifier: ISC
"""Prints every IP packet of one interface, in and out, until it is ended: source, destination, protocol, ports.

python eavesdrop.py INTERFACE       # as root, in the namespace of the interface
"""

import socket
import sys
from ipaddress import IPv4Address, IPv6Address

ETH_P_ALL, ETH_P_IP, ETH_P_IPV6 = 0x0003, 0x0800, 0x86DD
UDP, TCP = 17, 6


def describe(kind: int, packet: bytes) -> str | None:
    if kind == ETH_P_IP:
        size, protocol = (packet[0] & 15) * 4, packet[9]
        source, destination = str(IPv4Address(packet[12:16])), str(IPv4Address(packet[16:20]))
    elif kind == ETH_P_IPV6:
        size, protocol = 40, packet[6]
        source, destination = str(IPv6Address(packet[8:24])), str(IPv6Address(packet[24:40]))
    else:
        return None
    ports = "-"
    if protocol in (TCP, UDP):
        ports = ",".join(str(int.from_bytes(packet[at : at + 2], "big")) for at in (size, size + 2))
    return f"{source} {destination} {protocol} {ports}"


def main(interface: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as listening:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        listening.bind((interface, ETH_P_ALL))
        print("ready", flush=True)
        while True:
            packet, (_, kind, *_) = listening.recvfrom(65536)
            line = describe(kind, packet)
            if line:
                print(line, flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
