# SPDX-License-Identifier: ISC
"""Bounds of CPU time, in seconds of the quiet machine where they were set: a slower one, and one that has other work,
needs more of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

_QUIET = 0.085  # seconds that the sample takes where the bounds were set


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """What stands below ends within so many of them."""
    slowness = _slowness()
    started = time.process_time()
    yield
    spent = time.process_time() - started
    slowness = max(slowness, _slowness())
    assert spent < seconds * slowness, f"{spent:.1f} s, with all {slowness:.1f} times as slow as there"


def _slowness() -> float:
    """How long a sample of Python's usual work takes: calls, tables, small objects. At least 1: what is faster
    has the same bounds."""
    started = time.process_time()
    table: dict[str, tuple[int, str]] = {}
    for number in range(150_000):
        text = str(number)
        table[text] = (len(text), text)
    assert sum(length for length, _ in table.values()) == 788_890
    return max(1.0, (time.process_time() - started) / _QUIET)
