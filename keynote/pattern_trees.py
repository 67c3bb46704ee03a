# SPDX-License-Identifier: ISC
"""Regular expressions as trees, for those who ask which texts they match.

A pattern is read as `keynote.regular_expressions` writes it for RE2, where everything has one spelling.
"""

import re
from dataclasses import dataclass
from typing import Final

from keynote.errors import EvaluationError
from keynote.regular_expressions import translated

#: The anchors, as RE2 has them.
BEGIN: Final = r"(?:\A)"
END: Final = r"(?:\z)"
#: What `.` matches: every byte.
ANY: Final = frozenset(range(256))

_TOKEN: Final = re.compile(
    r"(?P<anchor>\(\?:\\[Az]\))|(?P<bracket>[()|])|(?P<repeat>[*+?]|\{[0-9]+,[0-9]*\})"
    r"|(?P<atom>\.|\[[^\]]*\]|\\x[0-9a-f]{2}|[A-Za-z0-9])"
)
_RANGE: Final = re.compile(r"\\x([0-9a-f]{2})-\\x([0-9a-f]{2})")


@dataclass(slots=True)
class Group:
    """Its branches, each a list of pieces. `number` is that of `_1` and so on; 0 is the whole pattern."""

    branches: "list[list[Piece]]"
    number: int = 0


@dataclass(slots=True)
class Piece:
    """An anchor; a set of bytes; or a group. It occurs `least` to `most` times, None for without an end."""

    what: "str | frozenset[int] | Group"
    least: int = 1
    most: int | None = 1


def read(pattern: str) -> Group | None:
    """None for what is no pattern."""
    try:
        text = translated(pattern)
    except EvaluationError:
        return None
    groups, opened = [Group([[]])], 0
    for match in _TOKEN.finditer(text):
        branch = groups[-1].branches[-1]
        match match[0]:
            case "(":
                opened += 1
                groups.append(Group([[]], opened))
            case ")":
                closed = groups.pop()
                groups[-1].branches[-1].append(Piece(closed))
            case "|":
                groups[-1].branches.append([])
            case word if match["repeat"]:
                branch[-1].least, branch[-1].most = _times(word)
            case word:
                branch.append(Piece(word if match["anchor"] else _characters(word)))
    return groups[0]


def _times(word: str) -> tuple[int, int | None]:
    if word in _TIMES:
        return _TIMES[word]
    least, _, most = word[1:-1].partition(",")
    return int(least), int(most) if most else None


_TIMES: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def _characters(atom: str) -> frozenset[int]:
    if atom == ".":
        return ANY
    if atom.startswith("[^"):
        return frozenset()
    if atom.startswith("["):
        ranges = (range(int(low, 16), int(high, 16) + 1) for low, high in _RANGE.findall(atom))
        return frozenset(code for each in ranges for code in each)
    return frozenset([int(atom[2:], 16) if atom.startswith("\\") else ord(atom)])
