# SPDX-License-Identifier: ISC
"""The tokens of a field, each as it is written, with the comments around it."""

import re
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Final

from keynote.literals import PATTERN

_TOKEN: Final = re.compile(
    rf"(?P<blank>[ \t\n]+)|(?P<comment>\#[^\n]*)|(?P<literal>{PATTERN})"
    r"|(?P<threshold>[1-9][0-9]*-[oO][fF](?![A-Za-z0-9_]))|(?P<number>[0-9]+(?:\.[0-9]+)?)"
    r"|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<operator>&&|\|\||!=|==|~=|<=|>=|->|.)"
)


@dataclass(slots=True)
class Token:
    """`before` are comments on lines of their own, `after` is one behind it on its line."""

    kind: str
    text: str
    before: list[str] = field(default_factory=list)
    after: str = ""


@dataclass(slots=True)
class Tokens:
    """A field: its tokens, and the comments behind the last one: those that are indented, and belong to it, and those
    at the beginning of a line, which belong to what follows."""

    tokens: list[Token]
    inside: list[str]
    below: list[str]


def tokens(text: str) -> Tokens:
    """The tokens of a field's text, which the grammar has accepted."""
    found: list[Token] = []
    waiting: list[tuple[str, bool]] = []
    same_line = False  # as the token before
    for match in _TOKEN.finditer(text):
        written = match[0]
        match match.lastgroup:
            case "blank":
                same_line = same_line and "\n" not in written
            case "comment" if same_line and found:
                found[-1].after = written.rstrip()
                same_line = False
            case "comment":
                outside = match.start() > 0 and text[match.start() - 1] == "\n"
                waiting.append((written.rstrip(), outside))
            case kind:
                written = written.lower() if kind == "threshold" else written
                found.append(Token(kind or "", written, [comment for comment, _ in waiting]))
                waiting.clear()
                same_line = True
    _move_behind_operators(found)
    # Once a comment stands at the beginning of a line, those below it do not belong to the field either.
    first_below = next((number for number, (_, outside) in enumerate(waiting) if outside), len(waiting))
    comments = [comment for comment, _ in waiting]
    return Tokens(found, comments[:first_below], comments[first_below:])


_CLOSING: Final = frozenset(["&&", "||", ";", ",", "->"])


def _move_behind_operators(found: list[Token]) -> None:
    """An operator stands at the end of a line, so a comment that was in front of it comes behind it."""
    for token, operator in pairwise(found):
        if token.after and operator.text in _CLOSING and not operator.before and not operator.after:
            operator.after, token.after = token.after, ""
