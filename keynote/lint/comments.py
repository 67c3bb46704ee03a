# SPDX-License-Identifier: ISC
"""`# lint: ignore KN111`: findings that the text itself takes back. `KN1` stands for all codes that begin so.

At the end of a line the comment counts for that line; on a line of its own for the assertion that it stands in, and
below a Signature, which does not cover it, as well; in a piece that is nothing but comments for the whole file. After
the codes there may be words, which say why.
"""

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from keynote import literals
from keynote.files import blocks, is_only_comments
from keynote.locations import Source

_MARK: Final = re.compile(r"#[^\n]*\blint:[ \t]*ignore\b")
_DIRECTIVE: Final = re.compile(r"#\s*lint:[ \t]*ignore\b[ \t:]*((?:[A-Za-z]{2}[0-9]+\b[, \t]*)*)")
_FIELD: Final = re.compile(r"^([A-Za-z-]+):", re.MULTILINE)
_TOKEN: Final = re.compile(rf"#[^\n]*|{literals.PATTERN}")
_OWN_LINE: Final = re.compile(r"^[ \t]*(#[^\n]*)", re.MULTILINE)


@dataclass(slots=True, eq=False)
class Directive:
    """One comment, in the piece of text from `piece` to `piece_end`. It counts for what begins from `start` to `end`;
    `used` has those of `codes` that took something back."""

    source: Source
    piece: int
    piece_end: int
    at: int
    codes: tuple[str, ...]
    start: int
    end: int
    whole_file: bool = False
    used: set[str] = field(default_factory=set)


def directives(source: Source) -> Iterator[Directive]:
    text = source.text
    if not _MARK.search(text):
        return
    for start, end in blocks(text):
        if not _MARK.search(text, start, end):
            continue
        whole_file = is_only_comments(text, start, end)
        for at, comment in _comments(text, start, end):
            found = _DIRECTIVE.match(comment)
            if found is None:
                continue
            codes = tuple(code.upper() for code in re.split(r"[, \t]+", found[1].strip()) if code)
            line_start = text.rfind("\n", 0, at) + 1
            if whole_file:
                yield Directive(source, start, end, at, codes, 0, len(text), True)
            elif text[line_start:at].strip():
                yield Directive(source, start, end, at, codes, line_start, at)
            else:
                yield Directive(source, start, end, at, codes, start, end)


def _comments(text: str, start: int, end: int) -> Iterator[tuple[int, str]]:
    """The comments of a piece, with their places. What the Comment field says is text, but for lines that are
    comments."""
    heads = [(match.start(), match[1].lower()) for match in _FIELD.finditer(text, start, end)]
    edges = [start, *(at for at, _ in heads), end]
    for number, (begin, stop) in enumerate(pairwise(edges)):
        if number and heads[number - 1][1] == "comment":
            yield from ((match.start(1), match[1]) for match in _OWN_LINE.finditer(text, begin, stop))
            continue
        for match in _TOKEN.finditer(text, begin, stop):
            if match[0].startswith("#"):
                yield match.start(), match[0]


class Ignored:
    """The directives of all sources, to be asked for each finding."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self.directives = [directive for source in sources for directive in directives(source)]
        self._for_files: dict[int, list[Directive]] = {}
        self._pieces: dict[int, list[int]] = {}
        self._in_piece: dict[tuple[int, int], list[Directive]] = {}
        for directive in self.directives:
            source = id(directive.source)
            if directive.whole_file:
                self._for_files.setdefault(source, []).append(directive)
            if (source, directive.piece) not in self._in_piece:
                self._pieces.setdefault(source, []).append(directive.piece)
            self._in_piece.setdefault((source, directive.piece), []).append(directive)

    def takes_back(self, code: str, source: Source, at: int) -> bool:
        """Whether a finding is ignored; all directives that say so count as used."""
        pieces = self._pieces.get(id(source))
        if pieces is None:
            return False
        piece = pieces[max(bisect_right(pieces, at) - 1, 0)]
        ignored = False
        for directive in (*self._for_files.get(id(source), ()), *self._in_piece[id(source), piece]):
            if not directive.start <= at < directive.end:
                continue
            matching = [word for word in directive.codes if code.startswith(word)]
            directive.used.update(matching)
            ignored = ignored or bool(matching)
        return ignored
