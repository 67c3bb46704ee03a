# SPDX-License-Identifier: ISC
"""What somebody between the gateways sees: every packet of the loopback interface of this namespace."""

import socket
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv6Address
from threading import Thread
from typing import Self

from ike_auth.demo.host import WORDS

_ETH_P_ALL = 0x0003
_ICMP, _UDP = 1, 17
_UNREACHABLE = b"\3"  # RFC 792
_SIZE_V4, _SIZE_V6 = 20, 40  # of headers
_MULTICAST = 0xFF  # first octet of an IPv6 address
_MARKER = bytes(4)  # before IKE on the port that it shares with ESP


@dataclass(slots=True)
class Seen:
    ike: int = 0
    esp: int = 0
    icmp: int = 0  # from where nobody listens yet
    other: list[str] = field(default_factory=list)
    readable: int = 0  # packets in which the hosts' words stand
    sample: bytes = b""  # of ESP


class Wiretap:
    """Listens in a thread of its own, from when it is made until the block ends. Needs root in the namespace."""

    def __init__(self, nat_port: int, ike_port: int) -> None:
        self.seen = Seen()
        self._ports = nat_port, ike_port
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL))
        self._socket.bind(("lo", _ETH_P_ALL))
        self._socket.settimeout(0.2)
        self._listening = True
        self._thread = Thread(target=self._listen, daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listening = False
        self._thread.join()
        self._socket.close()

    def _listen(self) -> None:
        while self._listening:
            try:
                packet, (_, _, direction, *_) = self._socket.recvfrom(65535)
            except TimeoutError:
                continue
            if direction != socket.PACKET_OUTGOING:  # each is seen leaving and arriving
                self.note(packet)

    def note(self, packet: bytes) -> None:
        """Count one packet, whatever it is: a tap that fails would say that it has seen nothing."""
        seen, (nat_port, ike_port) = self.seen, self._ports
        seen.readable += WORDS in packet
        version = packet[0] >> 4 if packet else 0
        if version == 6 and len(packet) >= _SIZE_V6:
            if packet[24] != _MULTICAST:  # what every interface says of itself
                seen.other.append(f"IPv6 to {IPv6Address(packet[24:40])}")
            return
        if version != 4 or len(packet) < _SIZE_V4:
            seen.other.append(f"no IP: {packet[:8].hex()}")
            return
        body = packet[(packet[0] & 15) * 4 :]
        ports = {int.from_bytes(body[:2], "big"), int.from_bytes(body[2:4], "big")}
        payload = body[8:]
        if (packet[9] == _UDP and ike_port in ports) or (
            packet[9] == _UDP and nat_port in ports and payload.startswith(_MARKER)
        ):
            seen.ike += 1
        elif packet[9] == _UDP and nat_port in ports:
            seen.esp += 1
            seen.sample = payload
        elif packet[9] == _ICMP and body.startswith(_UNREACHABLE):
            seen.icmp += 1
        else:
            seen.other.append(f"protocol {packet[9]} to {IPv4Address(packet[16:20])}")
