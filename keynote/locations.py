# SPDX-License-Identifier: ISC
"""Where a piece of policy text stands: the text with its name, and file, line and column in it."""

import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import Final

from keynote.literals import decode
from keynote.redaction import Keys, one_line

# As a literal has it; of one that is not closed, what its line has.
_PASSPHRASE: Final = re.compile(r'passphrase[a-z0-9-]*+:((?:[^"\\\n]|\\[^\n])*+)', re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Location:
    """Line and column count from 1; the column counts bytes, as the text is Latin-1."""

    file: str
    line: int
    column: int

    @property
    def shown_file(self) -> str:
        """The name as a terminal can show it; `file` is as the file system has it."""
        return one_line(self.file)

    @property
    def brief(self) -> str:
        """`file:line`, for a line of text."""
        return f"{self.shown_file}:{self.line}"

    def __str__(self) -> str:
        return f"{self.shown_file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Source:
    """A policy file's text, or the text of one credential.

    Syntax trees hold offsets, which are turned into lines here and only when somebody asks: a tree is then
    independent of its place, so assertions with the same field text share one.
    """

    name: str
    text: str
    _line_starts: list[int] = field(default_factory=list)
    _keys: list[Keys] = field(default_factory=list)

    def location(self, offset: int) -> Location:
        starts = self._starts()
        line = bisect_right(starts, offset)
        return Location(self.name, line, offset - starts[line - 1] + 1)

    def line(self, number: int) -> tuple[int, str]:
        """The offset at which a line starts, and its text without the line end."""
        start = self._starts()[number - 1]
        end = self.text.find("\n", start)
        return start, self.text[start : len(self.text) if end < 0 else end]

    def keys(self) -> Keys:
        """The passphrases that are written out in the text, to be hidden wherever else they stand in it."""
        if not self._keys:
            self._keys[:] = [Keys(decode(f'"{found[1]}"') for found in _PASSPHRASE.finditer(self.text))]
        return self._keys[0]

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
