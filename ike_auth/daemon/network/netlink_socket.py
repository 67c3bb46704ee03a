# SPDX-License-Identifier: ISC
"""A socket for rtnetlink. Apart from `netlink`, so that who only opens one need not load pyroute2."""

import socket

_AF_NETLINK, _NETLINK_ROUTE = 16, 0


def open_socket() -> socket.socket:
    """It speaks to the network namespace that we are in now. Raises OSError."""
    opened = socket.socket(_AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_ROUTE)
    try:
        opened.bind((0, 0))
    except OSError:
        opened.close()
        raise
    return opened
