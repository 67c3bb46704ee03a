# SPDX-License-Identifier: ISC
"""New namespaces for this process, and why the system may not allow them. `os.unshare` came with Python 3.12."""

import ctypes
import errno
import os
import signal
from pathlib import Path

from ike_auth.daemon.network import NetworkError

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
_PR_SET_PDEATHSIG = 1
_SYSCTL = Path("/proc/sys")
_SELF = Path("/proc/self")
# What forbids user namespaces, where it is said, what is said then, and how that is changed.
_SWITCHES = {
    "kernel/unprivileged_userns_clone": ("0", "1"),
    "kernel/apparmor_restrict_unprivileged_userns": ("1", "0"),
    "user/max_user_namespaces": ("0", "10000"),
    "user/max_net_namespaces": ("0", "10000"),
}


def unshare(flags: int) -> None:
    """Raises OSError. With CLONE_NEWUSER, EINVAL if this process has a second thread."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def enter_new() -> None:
    """Be root in a user namespace of our own, which owns a network namespace; outside we are who we were.

    Raises NetworkError, which names the setting that forbids it.
    """
    user, group = os.geteuid(), os.getegid()
    try:
        unshare(CLONE_NEWUSER | CLONE_NEWNET)
        # Without privileges a group can be mapped only when groups cannot be dropped any more (user_namespaces(7)).
        (_SELF / "setgroups").write_text("deny")
        (_SELF / "gid_map").write_text(f"0 {group} 1")
        (_SELF / "uid_map").write_text(f"0 {user} 1")
    except OSError as error:
        raise NetworkError(f"cannot make a user namespace: {why_not(error)}") from None


def why_not(error: OSError, sysctl: Path = _SYSCTL) -> str:
    """The setting that forbids user namespaces, and how to change it; else what the error itself says."""
    for name, (forbids, allows) in _SWITCHES.items():
        try:
            found = (sysctl / name).read_text().strip()
        except OSError:
            continue
        if found == forbids:
            key = name.replace("/", ".")
            return f"the sysctl {key} is {found} (as root: `sysctl {key}={allows}`)"
    return {
        errno.EPERM: "permission denied; a container's seccomp profile may forbid it, or a chroot",
        errno.ENOSPC: "there are too many of them (sysctl user.max_user_namespaces), or too many inside each other",
        errno.EINVAL: "the kernel has none (CONFIG_USER_NS), or this process has several threads",
    }.get(error.errno or 0, error.strerror or str(error))


def end_with_parent(parent: int) -> None:
    """Get SIGTERM when the process `parent`, which has started this one, ends in whatever way."""
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGTERM)
