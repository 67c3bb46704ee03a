# SPDX-License-Identifier: ISC
"""Whether a pattern, or a range, lets in the names alone that its author had in mind.

A pattern means somebody if each of its alternatives has, at an anchored end, text enough to say whose the name is: a
domain (`@example\\.org$`, `\\.example\\.org$`), the beginning of a distinguished name (`^/C=DE/O=Example/`) or the
last part of one (`/CN=gateway$`), the network of an address (`^010\\.`), the word in a name of one label
(`^gw[0-9]+$`); or if it is the whole name. What is only a shape (`^[a-z]+\\.[a-z]+$`, `^.{1,20}$`), a country or a
domain in which anybody has a name (`\\.org$`, `^/C=DE/`), what can be a piece of something else (`example\\.org$` of
`evilexample.org`, `^/O=Example`), or what can stand anywhere (`@example\\.org` without `$`) means nobody: whoever
chooses his own name can choose one that fits.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from functools import lru_cache
from itertools import takewhile
from typing import Final

from keynote.pattern_trees import BEGIN, END, Group, Piece, read


class Kind(Enum):
    """Kinds of identities, by where in their text it says whose they are."""

    HOST = "host"  # FQDN and User FQDN: at the end
    NAME = "name"  # distinguished names: at the beginning, or in the last part
    ADDRESS = "address"  # at the beginning
    OPAQUE = "opaque"  # key IDs and others, nobody knows where


Kinds = frozenset[Kind]
ALL: Final[Kinds] = frozenset(Kind)
NONE: Final[Kinds] = frozenset()


def kinds_meant(pattern: str, groups: Mapping[int, str] | None = None) -> Kinds:
    """The kinds of identity of which the pattern matches only names that are meant. `groups`: the texts that groups
    of the match are to have, by number. None of them of what is no pattern, or has too many alternatives."""
    return _kinds_meant(pattern, tuple(sorted((groups or {}).items())))


@lru_cache(maxsize=1024)
def _kinds_meant(pattern: str, groups: tuple[tuple[int, str], ...]) -> Kinds:
    tree = read(pattern)
    if tree is None:
        return NONE
    found = ALL
    for branch in tree.branches:
        found &= _of_branch(branch, dict(groups))
    return found


def kinds_between(low: str | None, high: str | None) -> Kinds:
    """The kinds of identity of which the names between two texts, in the order of strings, are those that are meant:
    all of them have the beginning that the two share. None is without a bound."""
    if low is None or high is None:
        return NONE
    same = takewhile(lambda pair: pair[0] == pair[1], zip(low, high, strict=False))
    return _by_beginning("".join(letter for letter, _ in same))


def _of_branch(branch: Sequence[Piece], groups: Mapping[int, str]) -> Kinds:
    ends = _edges(branch, _Walk(END, BEGIN, groups))
    beginnings = _edges(branch, _Walk(BEGIN, END, groups))
    if ends is None or beginnings is None:
        return NONE
    by_end = _common(ALL if edge.whole else _by_ending(edge.text) for edge in ends)
    ended = _begins_and_ends(branch)
    fixed = ended and not _varies_by(branch, b"/")
    by_beginning = _common(ALL if edge.whole else _by_beginning(edge.text, fixed=fixed) for edge in beginnings)
    # What has one label is no name in anybody's domain.
    if (
        ended
        and not _has(branch, _DIVIDING)
        and any(all(_is_word(edge.text) for edge in edges if not edge.whole) for edges in (ends, beginnings))
    ):
        return ALL
    return by_end | by_beginning


def _common(found: Iterable[Kinds]) -> Kinds:
    common = ALL
    for kinds in found:
        common &= kinds
    return common


# -- what fixed text says --------------------------------------------------------------------------------------------

#: Below the domain of a country, those in which anybody has a name.
_PUBLIC: Final = frozenset(
    ("ac", "co", "com", "edu", "gob", "gouv", "gov", "gv", "ltd", "mil", "ne", "net", "or", "org", "plc", "sch")
)
_COUNTRY: Final = 2
#: Where the labels of a name and the parts of a distinguished one are divided.
_SEPARATORS: Final = frozenset("./@=:")
_PART: Final = re.compile(r"/([A-Za-z][A-Za-z0-9.-]*)=([^/]*)(?=/)")
_BEGUN_PART: Final = re.compile(r"/([A-Za-z][A-Za-z0-9.-]*)=([^/]*)")
_LAST_PART: Final = re.compile(r"/([A-Za-z][A-Za-z0-9.-]*)=([^/=]+)\Z")
_VALUE: Final = 2
_NETWORK: Final = re.compile(r"[0-9]{3}\.|[0-9a-f]{4}:")
_WORD: Final = re.compile(r"[^\W\d_]{2}|\w{4}")


def _by_ending(text: str) -> Kinds:
    last = _LAST_PART.search(text)
    return ALL if _is_domain(text) or (last is not None and _says_who([last])) else _by_word(text)


def _by_beginning(text: str, *, fixed: bool = False) -> Kinds:
    """`fixed`: behind the text there is no other part of a distinguished name but those that the pattern has."""
    if text.startswith("/") and _says_who((_BEGUN_PART if fixed else _PART).finditer(text)):
        return ALL
    return frozenset([Kind.ADDRESS]) if _NETWORK.match(text) else _by_word(text)


def _by_word(text: str) -> Kinds:
    return frozenset([Kind.OPAQUE]) if _is_word(text) and not _SEPARATORS & set(text) else NONE


def _is_word(text: str) -> bool:
    return _WORD.search(text) is not None


def _says_who(parts: Iterable[re.Match[str]]) -> bool:
    """Whether there is more than a country, or the first of `/DC=org/DC=example`, or what has hardly begun."""
    told = [part[1].upper() for part in parts if len(part[2]) >= _VALUE and part[1].upper() != "C"]
    return bool(told) and told != ["DC"]


def _is_domain(text: str) -> bool:
    """Whether whoever has a name that ends so was given it in a domain that is somebody's: `.example.org`, or what
    is behind an `@`; not `.org`, nor `.co.uk`, nor `example.org`, with which other labels end too."""
    if "@" in text:
        return bool(text.rpartition("@")[2])
    _, *labels = text.lower().split(".")
    if not labels or not all(labels) or labels[-1].isdigit():
        return False
    *given, top = labels
    if given and len(top) == _COUNTRY and given[-1] in _PUBLIC:
        given.pop()
    return bool(given)


# -- fixed text ------------------------------------------------------------------------------------------------------

#: Alternatives of a pattern that are looked at.
_MOST: Final = 1024
#: Characters of fixed text that are looked at: beyond, there are no names.
_LONGEST: Final = 256


@dataclass(frozen=True, slots=True)
class _Edge:
    """What all texts of one alternative of a pattern have at one end. `ended`: further inside, they differ;
    `anchored`: it is the end of the name too; `whole`: and of its other end, so it is all of the name."""

    text: str = ""
    anchored: bool = False
    ended: bool = False
    whole: bool = False


@dataclass(frozen=True, slots=True)
class _Walk:
    """From which end: its anchor, and the other one. `groups` have a text of their own."""

    anchor: str
    other: str
    groups: Mapping[int, str]

    def inwards(self, branch: Sequence[Piece]) -> Iterator[Piece]:
        return iter(branch) if self.anchor == BEGIN else reversed(branch)

    def extended(self, edge: _Edge, text: str) -> _Edge:
        if edge.ended:
            return edge
        if not edge.anchored:
            return replace(edge, ended=True)
        text = edge.text + text if self.anchor == BEGIN else text + edge.text
        return replace(edge, text=text, ended=len(text) > _LONGEST)


def _edges(branch: Sequence[Piece], walk: _Walk) -> list[_Edge] | None:
    """Of every alternative; None if there are too many."""
    found = _followed(branch, [_Edge()], walk)
    # Text that nothing anchors is somewhere in a name.
    return None if found is None else [edge if edge.anchored else _Edge() for edge in found]


def _followed(branch: Sequence[Piece], edges: list[_Edge], walk: _Walk) -> list[_Edge] | None:
    for piece in walk.inwards(branch):
        if all(edge.ended for edge in edges):
            break
        taken = _taken(piece, edges, walk)
        if taken is None:
            return None
        edges = list(dict.fromkeys([*taken, *edges] if piece.least == 0 else taken))
        if len(edges) > _MOST:
            return None
    return edges


def _taken(piece: Piece, edges: list[_Edge], walk: _Walk) -> list[_Edge] | None:
    """The edges once the piece is there, at least once."""
    if isinstance(piece.what, str):
        return [_anchored(edge, piece.what, walk) for edge in edges]
    if isinstance(piece.what, Group):
        found: list[_Edge] = []
        if piece.what.number in walk.groups and piece.most == 1:
            found = [walk.extended(edge, walk.groups[piece.what.number]) for edge in edges]
        else:
            for branch in piece.what.branches:
                more = _followed(branch, edges, walk)
                if more is None:
                    return None
                found += more
        # Once more, or not: what stands further inside differs.
        return found if piece.most == 1 else [replace(edge, ended=True) for edge in found]
    letters = {chr(code).lower() for code in piece.what}
    if not letters:
        return []  # it matches nothing
    if letters == {".", "@"}:
        letters = {"."}  # one or the other divides
    letter = letters.pop()
    if letters:
        return [replace(edge, ended=True) for edge in edges]
    times = min(max(piece.least, 1), _LONGEST)
    found = [walk.extended(edge, letter * times) for edge in edges]
    return found if piece.least == piece.most else [replace(edge, ended=True) for edge in found]


def _anchored(edge: _Edge, anchor: str, walk: _Walk) -> _Edge:
    if edge.ended:
        return edge
    if anchor == walk.anchor:
        return replace(edge, anchored=True)
    return replace(edge, ended=True, whole=edge.anchored)


def _has(branch: Sequence[Piece], characters: Collection[int]) -> bool:
    return any(not members.isdisjoint(characters) for members in _members(branch))


def _varies_by(branch: Sequence[Piece], characters: Collection[int]) -> bool:
    """Whether one of these may stand where others may."""
    return any(len(members) > 1 and not members.isdisjoint(characters) for members in _members(branch))


def _members(branch: Sequence[Piece]) -> Iterator[frozenset[int]]:
    todo: list[Sequence[Piece]] = [branch]
    while todo:
        for piece in todo.pop():
            if isinstance(piece.what, Group):
                todo += piece.what.branches
            elif isinstance(piece.what, frozenset):
                yield piece.what


_DIVIDING: Final = frozenset(map(ord, _SEPARATORS))


def _begins_and_ends(branch: Sequence[Piece]) -> bool:
    none: dict[int, str] = {}
    edges = [_followed(branch, [_Edge()], walk) for walk in (_Walk(BEGIN, END, none), _Walk(END, BEGIN, none))]
    return all(found is not None and all(edge.anchored for edge in found) for found in edges)
