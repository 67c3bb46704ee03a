# SPDX-License-Identifier: ISC
"""When to wake up: one deadline a key, in seconds of `Now.monotonic`."""

from collections.abc import Hashable, Iterator
from heapq import heappop, heappush
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
_SLACK = 64  # stale entries that are not worth a clean-up


class Timers(Generic[Key]):
    """A heap whose stale entries are passed over, and swept out when they outnumber the live ones."""

    def __init__(self) -> None:
        self._deadlines: dict[Key, float] = {}
        self._heap: list[tuple[float, int, Key]] = []
        self._count = 0  # keeps equal deadlines in the order in which they were set

    def set(self, key: Key, deadline: float) -> None:
        """Wake for `key` at `deadline`, and no longer at an earlier one."""
        self._deadlines[key] = deadline
        self._count += 1
        heappush(self._heap, (deadline, self._count, key))
        if not self._count % _SLACK and len(self._heap) > 2 * len(self._deadlines) + _SLACK:
            self._sweep()

    def cancel(self, key: Key) -> None:
        self._deadlines.pop(key, None)

    def clear(self) -> None:
        self._deadlines.clear()
        self._heap.clear()

    def pop(self, now: float) -> Key | None:
        """Of the keys whose deadline has come, the one whose came first; it is forgotten."""
        while self._heap and self._heap[0][0] <= now:
            deadline, _, key = heappop(self._heap)
            if self._is_live(deadline, key):
                del self._deadlines[key]
                return key
        return None

    def next(self) -> float | None:
        """The earliest deadline."""
        while self._heap and not self._is_live(self._heap[0][0], self._heap[0][2]):
            heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def __iter__(self) -> Iterator[Key]:
        """The keys that are waited for, in no particular order."""
        return iter(self._deadlines)

    def __len__(self) -> int:
        return len(self._deadlines)

    def _is_live(self, deadline: float, key: Key) -> bool:
        return self._deadlines.get(key) == deadline

    def _sweep(self) -> None:
        self._heap = [entry for entry in self._heap if self._is_live(entry[0], entry[2])]
        self._heap.sort()
