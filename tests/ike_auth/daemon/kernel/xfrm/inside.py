# SPDX-License-Identifier: ISC
"""Network namespaces for tests: a thread enters one, and the sockets that it opens there stay there."""

import ctypes
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

from tests.interop.namespaces import NAMESPACES

_CLONE_NEWNET = 0x40000000


@contextmanager
def inside(namespace: str) -> Iterator[None]:
    """This thread, and the processes that it starts, are in `namespace`. (`os.setns` came with Python 3.12.)"""
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    there = os.open(NAMESPACES / namespace, os.O_RDONLY)
    try:
        _enter(there)
        yield
    finally:
        _enter(before)
        os.close(before)
        os.close(there)


def _enter(descriptor: int) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def run(*words: str) -> str:
    """What a command prints. Raises CalledProcessError."""
    return subprocess.run(words, check=True, capture_output=True, text=True, timeout=30).stdout


def ip(words: str) -> str:
    return run("ip", *words.split())


def shown(words: str, *options: str) -> list[str]:
    """`ip xfrm …` with one entry a line, its blanks made one, sorted."""
    entries: list[str] = []
    for line in run("ip", *options, "xfrm", *words.split()).splitlines():
        if line[:1].isspace():
            entries[-1] += " " + " ".join(line.split())
        elif line.strip():
            entries.append(" ".join(line.split()))
    return sorted(entries)


def statistics() -> dict[str, int]:
    """How many packets XFRM dropped here, by reason."""
    with open("/proc/thread-self/net/xfrm_stat") as found:
        return {name: int(value) for name, value in (line.split() for line in found)}
