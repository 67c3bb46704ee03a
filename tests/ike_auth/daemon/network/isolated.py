# SPDX-License-Identifier: ISC
"""Tests that change a network run in a process and in namespaces that last as long as they do."""

import ctypes
import gc
import os
import stat
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from functools import wraps
from pathlib import Path

import pytest

from ike_auth.daemon.network.unshare import CLONE_NEWNET, CLONE_NEWUSER, unshare

CLONE_NEWNS = 0x00020000
__all__ = [
    "CLONE_NEWNET",
    "CLONE_NEWNS",
    "CLONE_NEWUSER",
    "become_nobody",
    "device_for_everybody",
    "hidden_device",
    "homes_for_everybody",
    "in_namespaces",
    "unprivileged",
]

Test = Callable[..., None]
NOBODY = 65534
_PR_SET_DUMPABLE = 4
_ROOT = Path(__file__).parents[4]


class CannotRun(Exception):
    """This machine does not allow what a test needs; the text says why."""


def in_namespaces(flags: int = CLONE_NEWNET) -> Callable[[Test], Test]:
    """Run a test in a process of its own, in new namespaces. It fails too if it leaves descriptors open."""

    def decorate(test: Test) -> Test:
        @wraps(test)
        def isolated(*arguments: object, **named: object) -> None:
            if os.geteuid() != 0:
                pytest.skip("network namespaces need root")
            _needs_device()
            _in_process(lambda: unshare(flags), lambda: test(*arguments, **named))

        marked: Test = pytest.mark.kernel(isolated)
        return marked

    return decorate


def unprivileged(test: Test) -> Test:
    """Run a test in a process of its own that has no privileges, as `nobody` if we are root."""

    @wraps(test)
    def isolated(*arguments: object, **named: object) -> None:
        _needs_device()
        _in_process(_without_privileges, _try_namespace)
        _in_process(_without_privileges, lambda: test(*arguments, **named))

    marked: Test = pytest.mark.kernel(isolated)
    return marked


def device_for_everybody(mode: int = 0o666) -> None:
    """Another node of the TUN driver in place of /dev/net/tun, whatever that one's mode is. In a mount namespace."""
    hidden_device()
    os.mknod("/dev/net/tun", stat.S_IFCHR, os.makedev(10, 200))
    os.chmod("/dev/net/tun", mode)


def hidden_device() -> None:
    """An empty /dev/net. In a mount namespace."""
    _mount("--make-rprivate", "/")
    _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", "/dev/net")


def homes_for_everybody() -> None:
    """Python and this repository may lie in directories that are closed to others, such as homes.

    In the place of these come ones that have nothing but Python and the repository in them.

    In a mount namespace.
    """
    needed: dict[Path, list[Path]] = {}
    for path in Path(sys.base_prefix).resolve(), _ROOT:
        closed = [it for it in (*reversed(path.parents), path) if not it.stat().st_mode & stat.S_IXOTH]
        if path in closed:
            raise CannotRun(f"`nobody` cannot read {path}, which is closed to others")
        if closed:
            needed.setdefault(closed[0], []).append(path)
    for home, paths in needed.items():
        cover = Path(tempfile.mkdtemp())
        _mount("-t", "tmpfs", "-o", "mode=0755", "tmpfs", str(cover))
        for path in paths:
            inside = cover / path.relative_to(home)
            inside.mkdir(parents=True)
            _mount("--bind", str(path), str(inside))
        _mount("--move", str(cover), str(home))
        cover.rmdir()


def become_nobody() -> None:
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)
    # A process that has changed its user may not write to its own /proc/self; one that was started by that user may.
    ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 1)


def _needs_device() -> None:
    if not Path("/dev/net/tun").exists():
        pytest.skip("/dev/net/tun is missing")


def _without_privileges() -> None:
    if os.geteuid() == 0:
        unshare(CLONE_NEWNS | CLONE_NEWNET)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        device_for_everybody()
        homes_for_everybody()
        become_nobody()


def _try_namespace() -> None:
    """With unshare(1), so that a fault of ours is not taken for one of the machine."""
    done = subprocess.run(["unshare", "-rn", "test", "-w", "/dev/net/tun"], capture_output=True, text=True)
    if done.returncode:
        raise CannotRun(f"no user namespaces: {done.stderr.strip() or '/dev/net/tun is not for everybody'}")


def _mount(*arguments: str) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _in_process(prepare: Callable[[], None], test: Callable[[], None]) -> None:
    """Fails as the test fails, and skips where it cannot be run."""
    ours, theirs = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(ours)
        _report(prepare, test, theirs)
    os.close(theirs)
    with os.fdopen(ours, errors="replace") as report:
        outcome, _, said = report.read().partition(":")
    os.waitpid(child, 0)
    if outcome == "skipped":
        pytest.skip(said)
    if outcome != "passed":
        pytest.fail(said or "the test's process has died", pytrace=False)


def _report(prepare: Callable[[], None], test: Callable[[], None], descriptor: int) -> None:
    """In the child: never returns."""
    said = "passed:"
    ignored: list[str] = []
    sys.unraisablehook = lambda found: ignored.append(f"{found.exc_value!r} in {found.object!r}")
    try:
        prepare()
        before = _descriptors()
        test()
        gc.collect()
        assert not ignored, ignored
        assert _descriptors() <= before, "left open"
    except CannotRun as error:
        said = f"skipped:{error}"
    except BaseException:
        said = "failed:" + traceback.format_exc()
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
