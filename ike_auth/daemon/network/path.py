# SPDX-License-Identifier: ISC
"""The way to a peer: past the TUN, its MTU, and whether outer packets may be cut on it."""

import socket
from enum import IntEnum

from ike_auth.daemon.network import NetworkError, numbers
from ike_auth.daemon.network.links import SMALLEST_MTU
from ike_auth.network import IPAddress

# linux/in.h and linux/in6.h; Python's socket module has no names for them.
_IP_MTU_DISCOVER, _IP_MTU = 10, 14
_IPV6_MTU_DISCOVER, _IPV6_MTU = 23, 24
_DISCARD = 9  # a port, for packets that are never sent
_LARGEST_MTU = 65535
_TCP_HEADERS = {4: 20 + 20, 6: 40 + 20}


class Cutting(IntEnum):
    """What happens to outer packets that are longer than the path's MTU (linux/in.h IP_PMTUDISC_*)."""

    ALLOWED = 0  # cut here and, over IPv4, by any router: DF is clear
    AVOIDED = 1  # DF is set on what is short enough; the rest is cut here
    REFUSED = 2  # DF is set; sending what is too long raises OSError EMSGSIZE


def set_cutting(opened: socket.socket, cutting: Cutting) -> None:
    """For all that a UDP or raw socket sends from now on."""
    if opened.family == socket.AF_INET:
        opened.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, cutting)
    else:
        opened.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, cutting)


def bypass(opened: socket.socket) -> None:
    """Keep what a socket sends out of the TUN, wherever tunnels lead. Raises NetworkError without CAP_NET_ADMIN."""
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, numbers.MARK)
    except PermissionError:
        raise NetworkError("marking packets needs root or CAP_NET_ADMIN (or --rootless)") from None


def path_mtu(remote: IPAddress, *, marked: bool) -> int:
    """In bytes, IP header included: of the whole way as far as it is known by now, or of the first link.

    `marked`: as packets go that `bypass` was called for. Raises NetworkError if there is no way, or we may not mark.
    """
    family = socket.AF_INET if remote.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as probe:
            if marked:
                bypass(probe)
            probe.connect((str(remote), _DISCARD))  # sends nothing
            if remote.version == 4:
                return probe.getsockopt(socket.IPPROTO_IP, _IP_MTU)
            return probe.getsockopt(socket.IPPROTO_IPV6, _IPV6_MTU)
    except OSError as error:
        raise NetworkError(f"cannot reach {remote}: {(error.strerror or str(error)).lower()}") from None


def tunnel_mtu(path_mtu: int, overhead: int) -> int:
    """For the TUN, so that outer packets need not be cut: `overhead` is what ESP and outer headers add, in bytes.

    Never below what IPv6 needs: then outer packets are cut.
    """
    return min(max(path_mtu - overhead, SMALLEST_MTU), _LARGEST_MTU)


def largest_segment(mtu: int, version: int) -> int:
    """The TCP MSS that fits into packets of `mtu` bytes, without options (RFC 9293 3.7.1)."""
    return mtu - _TCP_HEADERS[version]
