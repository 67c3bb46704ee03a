# SPDX-License-Identifier: ISC
"""Where a piece of policy text stands: the text with its name, and file, line and column in it."""

from bisect import bisect_right
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Location:
    """Line and column count from 1; the column counts bytes, as the text is Latin-1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Source:
    """A policy file's text, or the text of one credential.

    Syntax trees hold offsets, which are turned into lines here and only when somebody asks: a tree is then
    independent of its place, so assertions with the same field text share one.
    """

    name: str
    text: str
    _line_starts: list[int] = field(default_factory=list)

    def location(self, offset: int) -> Location:
        starts = self._starts()
        line = bisect_right(starts, offset)
        return Location(self.name, line, offset - starts[line - 1] + 1)

    def line(self, number: int) -> tuple[int, str]:
        """The offset at which a line starts, and its text without the line end."""
        start = self._starts()[number - 1]
        end = self.text.find("\n", start)
        return start, self.text[start : len(self.text) if end < 0 else end]

    def _starts(self) -> list[int]:
        if not self._line_starts:
            starts = [0]
            found = self.text.find("\n")
            while found >= 0:
                starts.append(found + 1)
                found = self.text.find("\n", found + 1)
            # One assignment, so that two threads that come here together do no harm.
            self._line_starts[:] = starts
        return self._line_starts

    def __repr__(self) -> str:
        # The text may hold a passphrase.
        return f"<source {self.name}>"
