# SPDX-License-Identifier: ISC
"""Prints the IKE datagrams of one interface, a JSON object a line, until it is ended.

    python capture.py INTERFACE       # as root, in the namespace of the interface

The hexadecimal text is the UDP payload as on the wire, the non-ESP marker of port 4500 included. ESP in UDP is left
out. Nothing is reassembled: what IP fragmented is not printed.
"""

import json
import socket
import struct
import sys
from ipaddress import IPv4Address

READY = "capturing"

ETH_P_ALL = 0x0003  # linux/if_ether.h; ETH_P_IP would show incoming frames only
ETH_P_IP = 0x0800
UDP = 17
IKE_PORT, NAT_PORT = 500, 4500
NON_ESP_MARKER = bytes(4)  # RFC 3948 2.2


def main(interface: str) -> None:
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL)) as packets:
        packets.bind((interface, ETH_P_ALL))
        print(READY, flush=True)
        while True:
            packet, (_, protocol, *_) = packets.recvfrom(65535)
            if protocol == ETH_P_IP and (datagram := ike_datagram(packet)):
                print(json.dumps(datagram), flush=True)


def ike_datagram(packet: bytes) -> dict[str, str] | None:
    """An IPv4 packet's UDP payload and its ends, if it is IKE's."""
    udp = packet[(packet[0] & 0x0F) * 4 :]
    if packet[9] != UDP or struct.unpack("!H", packet[6:8])[0] & 0x3FFF:  # fragment offset, more fragments
        return None
    source, destination, length = struct.unpack("!HHH", udp[:6])
    payload = udp[8:length]
    if not {source, destination} & {IKE_PORT, NAT_PORT}:
        return None
    if NAT_PORT in (source, destination) and not payload.startswith(NON_ESP_MARKER):
        return None
    return {
        "from": f"{IPv4Address(packet[12:16])}:{source}",
        "to": f"{IPv4Address(packet[16:20])}:{destination}",
        "hex": payload.hex(),
    }


if __name__ == "__main__":
    main(sys.argv[1])
