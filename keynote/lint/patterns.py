# SPDX-License-Identifier: ISC
"""What can be said of all texts that a regular expression matches: which they are, if few, and how they end."""

from functools import lru_cache
from typing import Final

from keynote.pattern_trees import ANY, BEGIN, END, Group, Piece, read

#: Texts of a pattern that are listed.
_WORDS: Final = 64


@lru_cache(maxsize=1024)
def words(pattern: str) -> frozenset[str] | None:
    """All texts that the pattern matches, if it matches whole texts only, and few; else None, and for what is no
    pattern."""
    group = read(pattern)
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
    group = read(pattern)
    return group is not None and any(
        _ends_open(branch, False) for branch in group.branches if not _is_subtree(branch)
    )


# -- all texts -------------------------------------------------------------------------------------------------------

_BEGUN: Final = "\u0100"  # beyond Latin-1, so in no text
_ENDED: Final = "\u0101"
_MARKS: Final = _BEGUN + _ENDED


def _texts(group: Group) -> set[str] | None:
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


def _piece_texts(piece: Piece) -> set[str] | None:
    match piece.what:
        case str(anchor):
            one: set[str] | None = {_BEGUN if anchor == BEGIN else _ENDED}
        case Group() as group:
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


# -- how they begin --------------------------------------------------------------------------------------------------


@lru_cache(maxsize=1024)
def beginnings(pattern: str) -> frozenset[str] | None:
    """Texts with one of which everything begins that the pattern matches; None if they are not few, or none."""
    group = read(pattern)
    found: set[str] = set()
    for branch in group.branches if group is not None else ():
        texts = _beginnings(branch)
        if texts is None or len(found) + len(texts) > _WORDS:
            return None
        found |= texts
    return frozenset(found) if found and "" not in found else None


def _beginnings(branch: list[Piece]) -> set[str] | None:
    texts = {""}
    if not branch or branch[0].what != BEGIN or not branch[0].least:
        return None
    for piece in branch[1:]:
        more = _piece_texts(piece)
        if more is None or len(texts) * len(more) > _WORDS or any(set(_MARKS) & set(text) for text in more):
            break
        texts = {before + behind for before in texts for behind in more}
    return texts


# -- how they end ----------------------------------------------------------------------------------------------------


def _ends_open(branch: list[Piece], anchored: bool) -> bool:
    for number in range(len(branch) - 1, -1, -1):
        piece = branch[number]
        match piece.what:
            case str(anchor):
                anchored = anchored or (anchor == END and piece.least > 0)
                continue
            case Group(branches=branches):
                if any(_ends_open(inner, anchored) for inner in branches):
                    return True
            case characters:
                if not anchored or (characters == ANY and piece.most is None):
                    return True
        if piece.least:
            return False
    return not anchored


def _is_subtree(branch: list[Piece]) -> bool:
    """Whether it is `^/…/` or `^/…=`, with or without `.*` behind it."""
    fixed = [piece.what for piece in branch if piece.what != END]
    if fixed and branch[len(fixed) - 1].most is None and fixed[-1] == ANY:
        fixed.pop()
    return len(fixed) > 2 and fixed[:2] == [BEGIN, _SLASH] and fixed[-1] in (_SLASH, _EQUALS)


_SLASH: Final = frozenset(b"/")
_EQUALS: Final = frozenset(b"=")
