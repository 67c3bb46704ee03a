# SPDX-License-Identifier: ISC
"""Tests that change a network run in a network namespace that lasts as long as they do."""

import gc
import os
import stat
import subprocess
import sys
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pytest

from ike_auth.daemon.network.unshare import CLONE_NEWNET, CLONE_NEWUSER, unshare

CLONE_NEWNS = 0x00020000
__all__ = ["CLONE_NEWNET", "CLONE_NEWNS", "CLONE_NEWUSER", "device_for_everybody", "hidden_device", "in_namespaces"]


def in_namespaces(flags: int = CLONE_NEWNET) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Run a test in a process of its own, in new namespaces. It fails too if it leaves descriptors open."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @wraps(test)
        def isolated(*arguments: object, **named: object) -> None:
            if os.geteuid() != 0:
                pytest.skip("network namespaces need root")
            if not Path("/dev/net/tun").exists():
                pytest.skip("/dev/net/tun is missing")
            ours, theirs = os.pipe()
            child = os.fork()
            if child == 0:
                os.close(ours)
                _report(lambda: test(*arguments, **named), flags, theirs)
            os.close(theirs)
            with os.fdopen(ours, errors="replace") as report:
                said = report.read()
            os.waitpid(child, 0)
            if said != "passed":
                pytest.fail(said or "the test's process has died", pytrace=False)

        marked: Callable[..., None] = pytest.mark.kernel(isolated)
        return marked

    return decorate


def device_for_everybody(mode: int = 0o666) -> None:
    """Another node of the TUN driver in place of /dev/net/tun, whatever that one's mode is. In a mount namespace."""
    hidden_device()
    os.mknod("/dev/net/tun", stat.S_IFCHR, os.makedev(10, 200))
    os.chmod("/dev/net/tun", mode)


def hidden_device() -> None:
    """An empty /dev/net. In a mount namespace."""
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/dev/net"], check=True)


def _report(test: Callable[[], None], flags: int, descriptor: int) -> None:
    """In the child: never returns."""
    said = "passed"
    ignored: list[str] = []
    sys.unraisablehook = lambda found: ignored.append(f"{found.exc_value!r} in {found.object!r}")
    try:
        unshare(flags)
        before = _descriptors()
        test()
        gc.collect()
        assert not ignored, ignored
        assert _descriptors() <= before, "left open"
    except BaseException:
        said = traceback.format_exc()
    finally:
        os.write(descriptor, said.encode())
        os._exit(0)


def _descriptors() -> set[str]:
    found = set()
    for entry in os.listdir("/proc/self/fd"):
        try:
            found.add(f"{entry} {os.readlink(f'/proc/self/fd/{entry}')}")
        except FileNotFoundError:  # that of the listing
            continue
    return found
