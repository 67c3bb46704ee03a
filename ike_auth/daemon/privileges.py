# SPDX-License-Identifier: ISC
"""Becoming another user, with no more left of root than a backend needs."""

import ctypes
import os
import pwd
import struct

NET_ADMIN = 12  # capability(7)
_PR_SET_KEEPCAPS = 8
_VERSION_3 = 0x20080522  # linux/capability.h
_HEADER = struct.Struct("=Ii")
_SETS = struct.Struct("=6I")  # effective, permitted, inheritable of capabilities 0 to 31; the same of 32 to 63


def drop_privileges(user: str, keep: int | None = None) -> None:
    """Become `user` for good, with the one capability `keep` if one is given.

    Raises KeyError if there is no such user, PermissionError if we may not.
    """
    entry = pwd.getpwnam(user)
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setgid(entry.pw_gid)
    if keep is not None:
        _system("prctl", _PR_SET_KEEPCAPS, 1, 0, 0, 0)
    os.setuid(entry.pw_uid)
    if keep is not None:
        only = 1 << keep
        header, sets = _HEADER.pack(_VERSION_3, 0), _SETS.pack(only, only, 0, 0, 0, 0)
        _system("capset", header, sets)


def _system(name: str, *arguments: int | bytes) -> None:
    """Raises OSError."""
    library = ctypes.CDLL(None, use_errno=True)
    if getattr(library, name)(*arguments) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
