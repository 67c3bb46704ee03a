# SPDX-License-Identifier: ISC
"""What of the kernel's entries is ours, and which traffic they are for (docs/decisions/0711)."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from ike_auth.daemon.kernel.xfrm.structures import Mark

# Reqids of SAs, and indices of policies. The kernel counts indices up from 8, other IKE daemons reqids from 1.
OURS = range(450_000_000, 460_000_000)
RESERVED = OURS[0]  # reqid of what has an SPI and nothing else as yet
_DIRECTIONS = 8  # an index is 8 n + direction


@dataclass(frozen=True, slots=True)
class Settings:
    """What all our SAs and policies have in common; None: not there."""

    mark: Mark | None = None  # of the packets that they are for
    output_mark: Mark | None = None  # that packets get when they leave encrypted
    if_id: int | None = None  # of the xfrm interface that they belong to


class Requests:
    """Numbers that the SAs of a flow and its templates have in common (reqid), as long as one of them is there."""

    def __init__(self) -> None:
        self._users: dict[Hashable, set[Hashable]] = {}
        self._numbers: dict[Hashable, int] = {}
        self._taken: set[int] = {RESERVED}
        self._next = RESERVED

    def avoid(self, numbers: Iterable[int]) -> None:
        """They are in use by what an earlier life left."""
        self._taken.update(number for number in numbers if number in OURS)

    def take(self, key: Hashable, user: Hashable) -> int:
        """The number for `key`, which `user` needs until it leaves."""
        self._users.setdefault(key, set()).add(user)
        if key not in self._numbers:
            self._numbers[key] = self._free()
        return self._numbers[key]

    def share(self, key: Hashable, like: Hashable) -> None:
        """Give `key` the number of another one."""
        self._numbers[key] = self._numbers[like]

    def leave(self, key: Hashable, user: Hashable) -> None:
        users = self._users.get(key, set())
        users.discard(user)
        if users or key not in self._numbers:
            return
        self._users.pop(key, None)
        number = self._numbers.pop(key)
        if number not in self._numbers.values():
            self._taken.discard(number)

    def _free(self) -> int:
        """Not one that has just been given back: routes that the kernel remembers may still have it."""
        while self._next in self._taken:
            self._advance()
        number = self._next
        self._taken.add(number)
        self._advance()
        return number

    def _advance(self) -> None:
        self._next = self._next + 1 if self._next + 1 in OURS else RESERVED


class Indices:
    """Indices for our policies. Each is given once, as long as there are some."""

    def __init__(self) -> None:
        self._taken: set[int] = set()
        self._next = OURS[0]

    def keep(self, index: int) -> None:
        self._taken.add(index)

    def take(self, direction: int) -> int:
        while self._next + direction in self._taken:
            self._advance()
        index = self._next + direction
        self._taken.add(index)
        self._advance()
        return index

    def give_back(self, index: int) -> None:
        self._taken.discard(index)

    def _advance(self) -> None:
        self._next = self._next + _DIRECTIONS if self._next + 2 * _DIRECTIONS in OURS else OURS[0]
