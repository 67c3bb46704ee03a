# SPDX-License-Identifier: ISC
"""Sets of strings, or of integers, as tests against constants make them: exact unions of intervals.

A set is a sorted list of cuts between values, at which membership changes. `x != "b"` is all up to just before "b",
and all from just after it on.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, TypeAlias

Value: TypeAlias = str | int
#: (0, value, side): just before the value or just after it; (1, …) and (-1, …) are the ends of everything.
_Cut: TypeAlias = tuple[int, Value, int]


@dataclass(frozen=True, slots=True)
class Set:
    """Members are the values behind an odd number of cuts. Between any two strings there counts to be a third."""

    cuts: tuple[_Cut, ...]

    def __contains__(self, value: Value) -> bool:
        return bisect_right(self.cuts, (0, value, 0)) % 2 == 1

    def __bool__(self) -> bool:
        return bool(self.cuts)

    def __and__(self, other: "Set") -> "Set":
        # Mostly one of them is a single value.
        if self._is_single:
            return self if self.cuts[0][1] in other else NOTHING
        if other._is_single:
            return other if other.cuts[0][1] in self else NOTHING
        return _merged(self.cuts, other.cuts, 2)

    def __or__(self, other: "Set") -> "Set":
        return _merged(self.cuts, other.cuts, 1)

    def __le__(self, other: "Set") -> bool:
        return (self & other).cuts == self.cuts

    @property
    def _is_single(self) -> bool:
        return len(self.cuts) == 2 and self.cuts[0][0] == self.cuts[1][0] and self.cuts[0][1] == self.cuts[1][1]

    @property
    def values(self) -> tuple[Value, ...] | None:
        """The members, if they are single values."""
        found = []
        for start, end in zip(self.cuts[::2], self.cuts[1::2], strict=True):
            if start[0] or end[0] or _after(start[1]) != end:
                return None
            found.append(start[1])
        return tuple(found)


def _merged(one: tuple[_Cut, ...], other: tuple[_Cut, ...], wanted: int) -> Set:
    """What is in `wanted` of the two, 1 or 2."""
    cuts: list[_Cut] = []
    depth, at, also, inside = [0, 0], 0, 0, False
    while at < len(one) or also < len(other):
        cut = min(one[at : at + 1] + other[also : also + 1])
        if at < len(one) and one[at] == cut:
            at, depth[0] = at + 1, 1 - depth[0]
        if also < len(other) and other[also] == cut:
            also, depth[1] = also + 1, 1 - depth[1]
        if (sum(depth) >= wanted) is not inside:
            inside = not inside
            cuts.append(cut)
    return Set(tuple(cuts))


NOTHING: Final = Set(())


_STRINGS: Final = Set(((0, "", -1), (1, "", 0)))
_INTEGERS: Final = Set(((-1, 0, 0), (1, 0, 0)))


def everything(sort: type[Value]) -> Set:
    return _STRINGS if sort is str else _INTEGERS


def only(values: Iterable[Value]) -> Set:
    """Exactly these."""
    cuts: list[_Cut] = []
    for value in sorted(set(values)):
        start = (0, value, -1)
        if cuts and cuts[-1] == start:  # an integer after the one before it
            cuts.pop()
        else:
            cuts.append(start)
        cuts.append(_after(value))
    return Set(tuple(cuts))


def _after(value: Value) -> _Cut:
    # There is nothing between an integer and the next one.
    return (0, value + 1, -1) if isinstance(value, int) else (0, value, 1)


@lru_cache(maxsize=4096)
def compared(operator: str, value: Value) -> Set:
    """The x for which `x operator value`, one of `== != < > <= >=`."""
    whole = everything(type(value))
    start, end = whole.cuts
    before, after = (0, value, -1), _after(value)
    match operator:
        case "==":
            cuts = [before, after]
        case "!=":
            cuts = [start, before, after, end]
        case "<":
            cuts = [start, before]
        case "<=":
            cuts = [start, after]
        case ">":
            cuts = [after, end]
        case _:
            cuts = [before, end]
    # The empty string is the first of all: nothing is before it.
    return Set(tuple(cuts) if cuts[0] != cuts[1] else tuple(cuts[2:]))
