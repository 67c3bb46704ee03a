# SPDX-License-Identifier: ISC
"""Raw sockets for ESP as IP protocol 50, where no NAT asks for UDP (RFC 4303 2). They need CAP_NET_RAW.

A kernel without ESP of its own hands us every such packet, for the addresses that we listen on.
"""

import errno
import socket
from collections.abc import Iterator
from ipaddress import IPv4Address, IPv6Address

from ike_auth.daemon import ancillary
from ike_auth.daemon.udp import LOST
from ike_auth.network import Endpoint, EspDatagrams, IPAddress

ESP = 50
_BATCH = 64
_LARGEST = 65535
_IHL, _TOS = 0, 1  # offsets in an IPv4 header, which raw sockets deliver


class EspSockets:
    """One for each address that we listen on, or one for each version of IP."""

    def __init__(self, addresses: tuple[IPAddress, ...]) -> None:
        """Raises OSError if we may not."""
        self._opened: dict[IPAddress, socket.socket] = {}
        try:
            for address in addresses or (IPv4Address(0), IPv6Address(0)):
                self._opened[address] = _open(address)
        except OSError:
            self.close()
            raise

    def __iter__(self) -> Iterator[socket.socket]:
        return iter(self._opened.values())

    def close(self) -> None:
        for opened in self._opened.values():
            opened.close()

    def receive(self, opened: socket.socket) -> list[EspDatagrams]:
        """What waits on one of them; size and content may be anything."""
        found = []
        version = 4 if opened.family == socket.AF_INET else 6
        for _ in range(_BATCH):
            try:
                data, control, _, source = opened.recvmsg(_LARGEST, ancillary.SPACE)
            except OSError:
                break
            about = ancillary.read(control)
            if about.local is None:
                continue
            tos = about.tos
            if version == 4:
                if len(data) < 20:
                    continue
                tos, data = data[_TOS], data[(data[_IHL] & 15) * 4 :]
            remote = Endpoint(_address(source[0]), 0)
            found.append(EspDatagrams(data, len(data), Endpoint(about.local, 0), remote, tos))
        return found

    def send(self, burst: EspDatagrams) -> bool:
        """Each packet by itself: only UDP has a call for many. Whether all have gone: what finds no way, or no room,
        is lost. Raises OSError else.
        """
        wildcard = IPv4Address(0) if burst.local.host.version == 4 else IPv6Address(0)
        opened = self._opened.get(burst.local.host) or self._opened.get(wildcard)
        if opened is None:
            raise OSError(errno.EADDRNOTAVAIL, f"no socket for {burst.local.host}")
        about = ancillary.from_address(burst.local)
        if burst.tos:
            about = about + ancillary.traffic_class(burst.remote.host.version, burst.tos)
        target = (str(burst.remote.host), 0)
        gone = True
        for at in range(0, len(burst.data), burst.size):
            try:
                opened.sendmsg([burst.data[at : at + burst.size]], about, 0, target)
            except OSError as error:
                if error.errno not in LOST:
                    raise
                gone = False
        return gone


def _open(address: IPAddress) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    opened = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, ESP)
    try:
        ancillary.prepare(opened, segments=False)
        ancillary.enlarge_buffers(opened)
        opened.bind((str(address), 0))
    except OSError:
        opened.close()
        raise
    return opened


def _address(text: str) -> IPAddress:
    text = text.partition("%")[0]
    return IPv6Address(text) if ":" in text else IPv4Address(text)
