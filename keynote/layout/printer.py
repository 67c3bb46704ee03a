# SPDX-License-Identifier: ISC
"""Lays out a stream of words in lines, after Oppen ("Prettyprinting", 1980): a group is on one line if it fits there.

The stream is flat and nothing recurses, because text may be nested by the thousand.
"""

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

WIDTH: Final = 100
INDENT: Final = 4


class Mark(Enum):
    """What stands between words. SPACE and NOTHING become line ends where their group does not fit on a line; a
    BREAK always is one. Groups begin and end; lines between IN and OUT are indented."""

    SPACE = auto()
    NOTHING = auto()
    BREAK = auto()
    BEGIN = auto()
    END = auto()
    IN = auto()
    OUT = auto()


@dataclass(frozen=True, slots=True)
class Comment:
    """To the end of its line; `own_line`: with nothing in front of it."""

    text: str
    own_line: bool


Item = str | Mark | Comment


def laid_out(stream: list[Item], column: int = 0) -> str:
    """The text, of which the first line begins at a column."""
    return _Printer(stream, column).text()


class _Printer:
    def __init__(self, stream: list[Item], column: int) -> None:
        self._stream = stream
        self._widths = _group_widths(stream)
        self._tails = _tails(stream)
        self._pieces: list[str] = []
        self._column = column
        self._indent = 0
        # A line has ended, and the next word begins one that is indented so far.
        self._next: int | None = None

    def text(self) -> str:
        broken: list[bool] = []
        for number, item in enumerate(self._stream):
            match item:
                case " ":
                    self._space()
                case str():
                    self._write(item)
                case Comment():
                    self._comment(item)
                case Mark.BEGIN:
                    inside_one_line = bool(broken) and not broken[-1]
                    broken.append(not inside_one_line and not self._fits(number))
                case Mark.END:
                    broken.pop()
                case Mark.IN:
                    self._indent += INDENT
                case Mark.OUT:
                    self._indent -= INDENT
                case Mark.BREAK:
                    self._next = self._indent
                case _ if broken and broken[-1]:
                    self._next = self._indent
                case Mark.SPACE:
                    self._space()
        return "".join(self._pieces)

    def _fits(self, number: int) -> bool:
        width = self._widths[number]
        column = self._column if self._next is None else self._next
        return width is not None and column + width + self._tails[number] <= WIDTH

    def _space(self) -> None:
        if self._next is None:
            self._pieces.append(" ")
            self._column += 1

    def _write(self, text: str) -> None:
        if self._next is not None:
            self._new_line(self._next)
        self._pieces.append(text)
        self._column = len(text) - text.rindex("\n") - 1 if "\n" in text else self._column + len(text)

    def _comment(self, comment: Comment) -> None:
        if comment.own_line or self._next is not None:
            self._new_line(self._indent if self._next is None else self._next)
        else:
            self._pieces.append("  ")
        self._pieces.append(comment.text)
        self._next = self._indent

    def _new_line(self, indent: int) -> None:
        while self._pieces and self._pieces[-1] == " ":
            self._pieces.pop()
        self._pieces.append("\n" + " " * indent)
        self._column = indent
        self._next = None


def _group_widths(stream: list[Item]) -> dict[int, int | None]:
    """How wide each group is on one line, by the place where it begins; None if it cannot be on one."""
    widths: dict[int, int | None] = {}
    open_groups: list[tuple[int, int]] = []
    width = 0
    last_forced = -1
    waiting: int | None = None  # a comment: it breaks the groups in which something comes behind it
    for number, item in enumerate(stream):
        match item:
            case Mark.BEGIN:
                open_groups.append((number, width))
            case Mark.END:
                start, before = open_groups.pop()
                widths[start] = None if last_forced >= start else width - before
            case Comment(own_line=False):
                last_forced = last_forced if waiting is None else waiting
                waiting = number
            case Mark.BREAK | Comment():
                last_forced, waiting = number, None
            case str():
                last_forced, waiting = last_forced if waiting is None else waiting, None
                width += _width(item)
            case _:
                width += _width(item)
    return widths


def _tails(stream: list[Item]) -> dict[int, int]:
    """What stands behind each group on the line on which it ends."""
    tails: dict[int, int] = {}
    starts: list[int] = []
    ends: dict[int, int] = {}
    for number, item in enumerate(stream):
        if item is Mark.BEGIN:
            starts.append(number)
        elif item is Mark.END:
            ends[number] = starts.pop()
    behind = 0
    for number in range(len(stream) - 1, -1, -1):
        item = stream[number]
        if number in ends:
            tails[ends[number]] = behind
        elif item in (Mark.SPACE, Mark.NOTHING, Mark.BREAK) or isinstance(item, Comment):
            behind = 0
        elif isinstance(item, str):
            behind += _width(item)
    return tails


def _width(item: Item) -> int:
    if isinstance(item, str):
        return len(item.partition("\n")[0])
    return 1 if item is Mark.SPACE else 0
