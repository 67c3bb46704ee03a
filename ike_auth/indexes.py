# SPDX-License-Identifier: ISC
"""Indexes of the tables: what is found by a key that several share, and by addresses that overlap."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from ike_auth.wire.identities import Selector

K = TypeVar("K", bound=Hashable)
V = TypeVar("V", bound=Hashable)


def file(index: dict[K, tuple[V, ...]], key: K, value: V) -> None:
    """As the newest under its key. Mostly there is one, and a tuple of one takes a quarter of what a dict takes."""
    alone = (value,)
    others = index.setdefault(key, alone)
    if others is not alone:
        index[key] = (*others, value)


def take(index: dict[K, tuple[V, ...]], key: K, value: V) -> None:
    """Out of an index, which has no empty entries. Raises KeyError if the key is not there."""
    left = tuple(other for other in index[key] if other != value)
    if left:
        index[key] = left
    else:
        del index[key]


class SelectorIndex(Generic[V]):
    """Each value stands under one selector.

    Ranges of about one width stand together, by their lowest address: those that can reach a given range are then
    neighbours, and there are as many widths as an address has bits. A gateway has thousands of tunnels, and asks for
    each new one whether it takes traffic from another.
    """

    def __init__(self) -> None:
        self._lows: dict[tuple[int, int], list[int]] = {}  # by version and width, each address once
        # By version, width and lowest address.
        self._values: dict[tuple[int, int, int], tuple[tuple[V, Selector], ...]] = {}

    def add(self, selector: Selector, value: V) -> None:
        version, width, low = place = _place(selector)
        if place not in self._values:
            insort(self._lows.setdefault((version, width), []), low)
        file(self._values, place, (value, selector))

    def remove(self, selector: Selector, value: V) -> None:
        """Raises KeyError if it is not there."""
        version, width, low = place = _place(selector)
        take(self._values, place, (value, selector))
        if place not in self._values:
            lows = self._lows[version, width]
            del lows[bisect_left(lows, low)]

    def __len__(self) -> int:
        return sum(map(len, self._values.values()))

    def overlapping(self, selector: Selector) -> Iterator[V]:
        """The values whose selectors mean some of the same traffic, in no particular order."""
        low, high = int(selector.low), int(selector.high)
        for (version, width), lows in self._lows.items():
            if version != selector.low.version:
                continue
            first, last = bisect_right(lows, low - (1 << width)), bisect_right(lows, high)
            for start in lows[first:last]:
                for value, theirs in self._values[version, width, start]:
                    if theirs.overlaps(selector):
                        yield value


def _place(selector: Selector) -> tuple[int, int, int]:
    """Of a range, 1 << width is more than from its first to its last address."""
    low = int(selector.low)
    return selector.low.version, (int(selector.high) - low).bit_length(), low
