# SPDX-License-Identifier: ISC
"""Becoming another user."""

import os
import pwd


def drop_privileges(user: str) -> None:
    """Become `user` for good. Raises KeyError if there is none, PermissionError if we may not."""
    entry = pwd.getpwnam(user)
    os.setgroups(os.getgrouplist(user, entry.pw_gid))
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)
