# SPDX-License-Identifier: ISC
"""What of root a daemon keeps that has become another user: routes are changed whenever a tunnel comes or goes."""

import ctypes
import os
import struct
from collections.abc import Callable

from ike_auth.daemon.network import NetworkError

# linux/capability.h and linux/prctl.h
_NET_ADMIN = 1 << 12
_VERSION = 0x20080522
_PR_SET_KEEPCAPS = 8
_HEADER, _SETS = struct.Struct("=Ii"), struct.Struct("=6I")


def keep_net_admin(become: Callable[[], None]) -> None:
    """Call `become`, which changes the user, and have CAP_NET_ADMIN and nothing else afterwards.

    Programs that are run later do not get it. Raises NetworkError, and what `become` raises.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0):
        raise NetworkError(f"cannot keep CAP_NET_ADMIN: {os.strerror(ctypes.get_errno())}")
    become()
    # Effective, permitted, inheritable, of the first 32 capabilities and of the others.
    if libc.capset(_HEADER.pack(_VERSION, 0), _SETS.pack(_NET_ADMIN, _NET_ADMIN, 0, 0, 0, 0)):
        raise NetworkError(f"cannot keep CAP_NET_ADMIN: {os.strerror(ctypes.get_errno())}")
