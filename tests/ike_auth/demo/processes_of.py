# SPDX-License-Identifier: ISC
"""Which processes there are, found by what their command lines hold."""

import time
from collections.abc import Callable
from pathlib import Path


def processes_with(text: str) -> list[str]:
    """The command lines that hold `text`, of processes that have not ended."""
    found = []
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit():
            try:
                line = (directory / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue  # it has ended meanwhile
            if text in line:
                found.append(line)
    return found


def soon(condition: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it comes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
