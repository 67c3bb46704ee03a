# SPDX-License-Identifier: ISC
"""Waiting for what other processes do: a condition and a time limit, never a mere pause."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

INTERVAL = 0.02  # seconds between two looks


def until(look: Callable[[], T | None], seconds: float, what: Callable[[], str]) -> T:
    """The first true answer of `look`; after `seconds`, TimeoutError with `what()` as its text."""
    deadline = time.monotonic() + seconds
    while not (answer := look()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {seconds} s: {what()}")
        time.sleep(INTERVAL)
    return answer
