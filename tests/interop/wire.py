# SPDX-License-Identifier: ISC
"""Somebody on the wire between the gateways: takes copies of their ESP, and sends whatever he likes in their name."""

import ctypes
import os
import select
import socket
import struct
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from threading import Thread

from tests.interop.namespaces import INTERFACE, NAMESPACES, Gateway

SECONDS = 10.0
NAT_PORT = 4500
_CLONE_NEWNET = 0x40000000
_ETH_P_ALL, _ETH_P_IP, _UDP = 0x0003, 0x0800, 17
_MARKER = bytes(4)


def socket_in(gateway: Gateway, family: int, kind: int, protocol: int = 0) -> socket.socket:
    """It stays in the gateway's namespace, wherever it is used. Raises OSError."""
    made: list[socket.socket | OSError] = []

    def make() -> None:
        """A thread may be in another namespace than its process."""
        libc = ctypes.CDLL(None, use_errno=True)
        with (NAMESPACES / gateway.namespace).open() as namespace:
            if libc.setns(namespace.fileno(), _CLONE_NEWNET):
                made.append(OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno())))
                return
        try:
            made.append(socket.socket(family, kind, protocol))
        except OSError as error:
            made.append(error)

    thread = Thread(target=make)
    thread.start()
    thread.join()
    [found] = made
    if isinstance(found, OSError):
        raise found
    return found


@dataclass(frozen=True, slots=True)
class Wire:
    """Between `sender`, whose ESP is copied, and `receiver`."""

    sender: Gateway
    receiver: Gateway
    tap: socket.socket
    forger: socket.socket

    def copies(self, number: int) -> list[bytes]:
        """The next ESP packets in UDP that the sender sends, each without the headers before it."""
        found: list[bytes] = []
        while len(found) < number:
            assert select.select([self.tap], [], [], SECONDS)[0], f"{len(found)} of {number} packets were sent"
            packet, (_, kind, *_) = self.tap.recvfrom(65535)
            if kind == _ETH_P_IP and (esp := self._esp(packet)):
                found.append(esp)
        return found

    def forget(self) -> None:
        """What was sent until now."""
        while select.select([self.tap], [], [], 0)[0]:
            self.tap.recv(65535)

    def inject(self, *payloads: bytes) -> None:
        """In UDP, as if the sender had sent them."""
        for payload in payloads:
            header = struct.pack("!HHHH", NAT_PORT, NAT_PORT, 8 + len(payload), 0)
            self.forger.sendto(header + payload, (self.receiver.address, 0))

    def _esp(self, packet: bytes) -> bytes | None:
        header = (packet[0] & 15) * 4
        source = socket.inet_ntoa(packet[12:16])
        if packet[9] != _UDP or source != self.sender.address:
            return None
        ports, payload = struct.unpack_from("!HH", packet, header), packet[header + 8 :]
        return payload if ports == (NAT_PORT, NAT_PORT) and len(payload) > 8 and payload[:4] != _MARKER else None


@contextmanager
def wire(sender: Gateway, receiver: Gateway) -> Iterator[Wire]:
    """What is copied at the sender may be several packets in one, if they went at once."""
    with ExitStack() as opened:
        tap = opened.enter_context(socket_in(sender, socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(_ETH_P_ALL)))
        tap.bind((INTERFACE, _ETH_P_ALL))
        forger = opened.enter_context(socket_in(sender, socket.AF_INET, socket.SOCK_RAW, _UDP))
        forger.bind((sender.address, 0))
        yield Wire(sender, receiver, tap, forger)


class Letters:
    """Datagrams from the network behind one gateway to that behind the other, each with its own number."""

    def __init__(self, sender: Gateway, receiver: Gateway, opened: ExitStack) -> None:
        self._to = (receiver.inner_address, 7777)
        self._post = opened.enter_context(socket_in(sender, socket.AF_INET, socket.SOCK_DGRAM))
        self._post.bind((sender.inner_address, 0))
        self._box = opened.enter_context(socket_in(receiver, socket.AF_INET, socket.SOCK_DGRAM))
        self._box.bind(self._to)
        self._box.settimeout(SECONDS)

    def send(self, letter: bytes) -> None:
        self._post.sendto(letter, self._to)

    def until(self, last: bytes) -> list[bytes]:
        """What comes, up to this one."""
        found: list[bytes] = []
        while not found or found[-1] != last:
            found.append(self._box.recv(65535))
        return found
