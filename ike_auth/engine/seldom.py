# SPDX-License-Identifier: ISC
"""Answers to what anybody can provoke: not too often."""

from collections.abc import Hashable

MOST = 1000  # things that are remembered; beyond that nothing new gets an answer for a while
LONGEST = 300.0  # seconds that one is


class Seldom:
    """When something was done last, for a bounded number of things."""

    def __init__(self) -> None:
        self._done: dict[Hashable, float] = {}

    def may(self, what: Hashable, now: float, interval: float) -> bool:
        """Whether it was not done within the last `interval` seconds, at most `LONGEST`; if so it is done now."""
        last = self._done.get(what)
        if last is not None and now - last < min(interval, LONGEST):
            return False
        if last is None and len(self._done) >= MOST:
            self._done = {key: time for key, time in self._done.items() if now - time < LONGEST}
            if len(self._done) >= MOST:
                return False
        self._done[what] = now
        return True

    def __len__(self) -> int:
        return len(self._done)
