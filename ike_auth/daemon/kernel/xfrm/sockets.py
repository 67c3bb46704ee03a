# SPDX-License-Identifier: ISC
"""What the daemon's own UDP sockets need, so that IKE passes by the policies and ESP in UDP ends in the kernel."""

from __future__ import annotations

import socket
from contextlib import suppress

from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.xfrm.numbers import UDP_ENCAP_ESPINUDP, Direction
from ike_auth.daemon.kernel.xfrm.policies import Policy
from ike_auth.daemon.kernel.xfrm.structures import NOWHERE, TrafficSelector

_IP_XFRM_POLICY, _IPV6_XFRM_POLICY = 17, 35
_UDP_ENCAP, _UDP_GRO = 100, 104


def exempt(opened: socket.socket) -> None:
    """Let a socket's packets pass in both directions, whatever the policies say. Raises KernelError."""
    if opened.family == socket.AF_INET6:
        level, option = socket.IPPROTO_IPV6, _IPV6_XFRM_POLICY
    else:
        level, option = socket.IPPROTO_IP, _IP_XFRM_POLICY
    selector = TrafficSelector(NOWHERE, NOWHERE, family=opened.family)
    for direction in (Direction.IN, Direction.OUT):
        try:
            opened.setsockopt(level, option, Policy(selector, direction).encode_fixed())
        except OSError as error:
            raise KernelError(f"cannot let IKE pass by the policies: {error.strerror}") from None


def decapsulate(opened: socket.socket) -> None:
    """Give ESP that comes to a NAT-T socket to the kernel; the rest still comes to us. Raises KernelError."""
    with suppress(OSError):  # packets that were put together would be taken for one
        opened.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 0)
    try:
        opened.setsockopt(socket.IPPROTO_UDP, _UDP_ENCAP, UDP_ENCAP_ESPINUDP)
    except OSError as error:
        raise KernelError(f"the kernel takes no ESP out of UDP: {error.strerror}") from None
