# SPDX-License-Identifier: ISC
"""What Linux says about a datagram beside its bytes, and is told about one: control messages of sendmsg and recvmsg.

udp(7), ip(7), ipv6(7); numbers that Python's socket module has no names for are Linux's.
"""

import socket
import struct
from contextlib import suppress
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ike_auth.network import Endpoint, IPAddress

Ancillary = list[tuple[int, int, bytes]]
SPACE = 256  # bytes; what is asked for below takes less

_IP_PKTINFO, _IP_RECVTOS = 8, 13
_UDP_SEGMENT, _UDP_GRO = 103, 104
_SO_RCVBUFFORCE, _SO_SNDBUFFORCE = 33, 32
_PKTINFO4 = struct.Struct("=I4s4s")  # interface, local address, address in the header
_PKTINFO6 = struct.Struct("=16sI")
_INT, _SHORT = struct.Struct("=i"), struct.Struct("=H")
_BUFFER = 8 << 20  # bytes: a hundredth of a second at full speed, while a handshake is computed


class About(NamedTuple):
    """Of a datagram that came; `size` where the kernel put several of one sender together, else 0."""

    local: IPAddress | None
    size: int = 0
    tos: int = 0


def prepare(opened: socket.socket, *, segments: bool) -> None:
    """Ask for everything that `read` reads. `segments`: also for several datagrams at once (UDP_GRO, Linux 5.0)."""
    if opened.family == socket.AF_INET6:
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
    else:
        opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        opened.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
    if segments:
        with suppress(OSError):
            opened.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        enlarge_buffers(opened)


def read(ancillary: Ancillary) -> About:
    local: IPAddress | None = None
    size = tos = 0
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_UDP:
            if kind == _UDP_GRO:
                size = _INT.unpack_from(data)[0]
        elif level == socket.IPPROTO_IP:
            if kind == _IP_PKTINFO:
                local = _address4(data[4:8])
            elif kind == socket.IP_TOS:
                tos = data[0]
        elif level == socket.IPPROTO_IPV6:
            if kind == socket.IPV6_PKTINFO:
                local = _address6(data[:16])
            elif kind == socket.IPV6_TCLASS:
                tos = _INT.unpack_from(data)[0]
    return About(local, size, tos)


def from_address(local: Endpoint) -> Ancillary:
    """Leave from this address, which a wildcard socket has to be told."""
    if local.host.version == 4:
        return [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO4.pack(0, local.host.packed, bytes(4)))]
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(local.host.packed, 0))]


@lru_cache(256)
def segments(size: int) -> Ancillary:
    """One datagram for each `size` bytes (UDP_SEGMENT, Linux 4.18)."""
    return [(socket.IPPROTO_UDP, _UDP_SEGMENT, _SHORT.pack(size))]


@lru_cache(256)
def traffic_class(version: int, tos: int) -> Ancillary:
    """DSCP and ECN of the outer header."""
    if version == 4:
        return [(socket.IPPROTO_IP, socket.IP_TOS, _INT.pack(tos))]
    return [(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _INT.pack(tos))]


@lru_cache(1024)
def _address4(packed: bytes) -> IPv4Address:
    return IPv4Address(packed)


@lru_cache(1024)
def _address6(packed: bytes) -> IPv6Address:
    return IPv6Address(packed)


def enlarge_buffers(opened: socket.socket) -> None:
    """For bursts of traffic."""
    for force, ordinary in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
        try:
            opened.setsockopt(socket.SOL_SOCKET, force, _BUFFER)  # past the system's limit: needs CAP_NET_ADMIN
        except OSError:
            opened.setsockopt(socket.SOL_SOCKET, ordinary, _BUFFER)
