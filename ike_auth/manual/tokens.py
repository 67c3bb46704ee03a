# SPDX-License-Identifier: ISC
"""setkey's text in pieces: words, strings, `;`. `#` begins a comment, anywhere but in a string.

A string ends on its line. One without its end makes the whole line one bad piece, since what looks like words there
may be a key.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from keynote.locations import Location

_PIECE = re.compile(
    r"""(?P<blank>[ \t\r\f\v]+) | (?P<comment>\#.*) | (?P<semicolon>;) | "(?P<string>[^"]*)" | (?P<open>")
      | (?P<word>[^ \t\r\f\v;#"]+)""",
    re.VERBOSE,
)


class Kind(Enum):
    WORD = "word"
    STRING = "string"
    SEMICOLON = ";"
    BAD = "bad"
    END = "end"


@dataclass(frozen=True, slots=True)
class Token:
    kind: Kind
    text: str
    where: Location
    first: bool  # of its line

    def __repr__(self) -> str:
        return f"Token({self.kind.value} at {self.where})"  # the text may be a key


def tokens(text: str, file: str) -> Iterator[Token]:
    """All pieces of the text, and END."""
    number = 0
    for number, line in enumerate(text.split("\n"), start=1):
        found = list(_line(line, file, number))
        if any(token.kind is Kind.BAD for token in found):
            found = [token for token in found if token.kind is Kind.BAD]
        yield from found
    yield Token(Kind.END, "", Location(file, number, len(line) + 1), True)


def _line(line: str, file: str, number: int) -> Iterator[Token]:
    first = True
    for match in _PIECE.finditer(line):
        kind = match.lastgroup
        where = Location(file, number, match.start() + 1)
        if kind == "open":
            yield Token(Kind.BAD, "", where, first)
            return
        if kind in ("word", "string", "semicolon"):
            named = {"word": Kind.WORD, "string": Kind.STRING, "semicolon": Kind.SEMICOLON}[kind]
            yield Token(named, match[kind], where, first)
            first = False
