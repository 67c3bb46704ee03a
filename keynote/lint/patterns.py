# SPDX-License-Identifier: ISC
"""What can be said of all texts that a regular expression matches: which they are, if they are few, and how they end.

A pattern is read as `keynote.regular_expressions` writes it for RE2, where everything has one spelling.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from keynote.errors import EvaluationError
from keynote.regular_expressions import translated

#: Texts of a pattern that are listed.
_WORDS: Final = 64

_BEGIN: Final = r"(?:\A)"
_END: Final = r"(?:\z)"
_TOKEN: Final = re.compile(
    r"(?P<anchor>\(\?:\\[Az]\))|(?P<bracket>[()|])|(?P<repeat>[*+?]|\{[0-9]+,[0-9]*\})"
    r"|(?P<atom>\.|\[[^\]]*\]|\\x[0-9a-f]{2}|[A-Za-z0-9])"
)
_RANGE: Final = re.compile(r"\\x([0-9a-f]{2})-\\x([0-9a-f]{2})")


@dataclass(slots=True)
class _Group:
    """Its branches, each a list of pieces."""

    branches: "list[list[_Piece]]"


@dataclass(slots=True)
class _Piece:
    """An anchor, as RE2 has it; a set of characters; or a group. It occurs `least` to `most` times, None for without
    an end."""

    what: "str | frozenset[int] | _Group"
    least: int = 1
    most: int | None = 1


@lru_cache(maxsize=1024)
def words(pattern: str) -> frozenset[str] | None:
    """All texts that the pattern matches, if it matches whole texts only, and few; else None, and for what is no
    pattern."""
    group = _read(pattern)
    found = None if group is None else _texts(group)
    if found is None:
        return None
    whole: set[str] = set()
    for text in found:
        core = text.strip(_MARKS)
        at = text.index(core) if core else len(text)
        before, behind = text[:at], text[at + len(core) :]
        if not core:
            behind = before
        # `^` behind a character and `$` before one never hold.
        elif set(_MARKS) & set(core) or _ENDED in before or _BEGUN in behind:
            continue
        if _BEGUN not in before or _ENDED not in behind:
            return None
        whole.add(core)
    return frozenset(whole)


@lru_cache(maxsize=1024)
def is_open(pattern: str) -> bool:
    """Whether something matches whatever comes behind it: a branch does not end with `$`, or with `.*` before that.

    The beginning of a distinguished name is as good as an end: what it does not say is below what it says.
    """
    group = _read(pattern)
    return group is not None and any(
        _ends_open(branch, False) for branch in group.branches if not _is_subtree(branch)
    )


# -- reading ---------------------------------------------------------------------------------------------------------


def _read(pattern: str) -> _Group | None:
    try:
        text = translated(pattern)
    except EvaluationError:
        return None
    groups = [_Group([[]])]
    for match in _TOKEN.finditer(text):
        branch = groups[-1].branches[-1]
        match match[0]:
            case "(":
                groups.append(_Group([[]]))
            case ")":
                closed = groups.pop()
                groups[-1].branches[-1].append(_Piece(closed))
            case "|":
                groups[-1].branches.append([])
            case word if match["repeat"]:
                branch[-1].least, branch[-1].most = _times(word)
            case word:
                branch.append(_Piece(word if match["anchor"] else _characters(word)))
    return groups[0]


def _times(word: str) -> tuple[int, int | None]:
    if word in _TIMES:
        return _TIMES[word]
    least, _, most = word[1:-1].partition(",")
    return int(least), int(most) if most else None


_TIMES: Final[dict[str, tuple[int, int | None]]] = {"*": (0, None), "+": (1, None), "?": (0, 1)}
_ANY: Final = frozenset(range(256))


def _characters(atom: str) -> frozenset[int]:
    if atom == ".":
        return _ANY
    if atom.startswith("[^"):
        return frozenset()
    if atom.startswith("["):
        ranges = (range(int(low, 16), int(high, 16) + 1) for low, high in _RANGE.findall(atom))
        return frozenset(code for each in ranges for code in each)
    return frozenset([int(atom[2:], 16) if atom.startswith("\\") else ord(atom)])


# -- all texts -------------------------------------------------------------------------------------------------------

_BEGUN: Final = "\u0100"  # beyond Latin-1, so in no text
_ENDED: Final = "\u0101"
_MARKS: Final = _BEGUN + _ENDED


def _texts(group: _Group) -> set[str] | None:
    found: set[str] = set()
    for branch in group.branches:
        texts = {""}
        for piece in branch:
            more = _piece_texts(piece)
            if more is None or len(texts) * len(more) > _WORDS:
                return None
            texts = {before + behind for before in texts for behind in more}
        found |= texts
    return found if len(found) <= _WORDS else None


def _piece_texts(piece: _Piece) -> set[str] | None:
    match piece.what:
        case str(anchor):
            one: set[str] | None = {_BEGUN if anchor == _BEGIN else _ENDED}
        case _Group() as group:
            one = _texts(group)
        case characters:
            one = set(map(chr, characters)) if len(characters) <= _WORDS else None
    if one is None or piece.most is None or len(one) ** piece.most > _WORDS or piece.most > _WORDS:
        return None
    found = {""} if piece.least == 0 else set[str]()
    texts = {""}
    for times in range(1, piece.most + 1):
        texts = {before + behind for before in texts for behind in one}
        if times >= piece.least:
            found |= texts
    return found


# -- how they end ----------------------------------------------------------------------------------------------------


def _ends_open(branch: list[_Piece], anchored: bool) -> bool:
    for number in range(len(branch) - 1, -1, -1):
        piece = branch[number]
        match piece.what:
            case str(anchor):
                anchored = anchored or (anchor == _END and piece.least > 0)
                continue
            case _Group(branches=branches):
                if any(_ends_open(inner, anchored) for inner in branches):
                    return True
            case characters:
                if not anchored or (characters == _ANY and piece.most is None):
                    return True
        if piece.least:
            return False
    return not anchored


def _is_subtree(branch: list[_Piece]) -> bool:
    """Whether it is `^/…/` or `^/…=`, with or without `.*` behind it."""
    fixed = [piece.what for piece in branch if piece.what != _END]
    if fixed and branch[len(fixed) - 1].most is None and fixed[-1] == _ANY:
        fixed.pop()
    return len(fixed) > 2 and fixed[:2] == [_BEGIN, _SLASH] and fixed[-1] in (_SLASH, _EQUALS)


_SLASH: Final = frozenset(b"/")
_EQUALS: Final = frozenset(b"=")
