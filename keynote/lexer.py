# SPDX-License-Identifier: ISC
"""Tokens of a field's text. One of the two modules that know PLY.

Each field is read by itself; the first token says which field it is, and so selects the start symbol. PLY wants its
rules named t_ and takes a function's pattern from the docstring.
"""

import functools
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ply import lex

from keynote import limits
from keynote.errors import Unsupported
from keynote.literals import PATTERN as STRING_LITERAL

#: The first token of each field's text.
FIELDS = ("AUTHORIZER", "CONDITIONS", "CONSTANTS", "LICENSEES", "SIGNATURE", "VERSION")

tokens = (
    *FIELDS,
    "NAME",
    "STRING",
    "INTEGER",
    "FLOAT",
    "K_OF",
    "AND",
    "OR",
    "NOT",
    "EQ",
    "NE",
    "LE",
    "GE",
    "LT",
    "GT",
    "MATCH",
    "ARROW",
    "ASSIGN",
    "PLUS",
    "MINUS",
    "TIMES",
    "DIVIDE",
    "MODULO",
    "POWER",
    "AT",
    "AMPERSAND",
    "DOLLAR",
    "DOT",
    "COMMA",
    "SEMICOLON",
    "LPAREN",
    "RPAREN",
    "LBRACE",
    "RBRACE",
)

# RFC 2704 4.1: space, tab and newline, and nothing else (a return is refused before the text comes here).
t_ignore = " \t\n"
t_ignore_COMMENT = r"\#[^\n]*"

t_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
t_STRING = STRING_LITERAL.replace(" ", r"\ ")  # PLY compiles verbose patterns
t_AND = r"&&"
t_OR = r"\|\|"
t_NE = r"!="
t_NOT = r"!"
t_EQ = r"=="
t_MATCH = r"~="
t_LE = r"<="
t_GE = r">="
t_LT = r"<"
t_GT = r">"
t_ARROW = r"->"
t_ASSIGN = r"="
t_PLUS = r"\+"
t_MINUS = r"-"
t_TIMES = r"\*"
t_DIVIDE = r"/"
t_MODULO = r"%"
t_POWER = r"\^"
t_AT = r"@"
t_AMPERSAND = r"&"
t_DOLLAR = r"\$"
t_DOT = r"\."
t_COMMA = r","
t_SEMICOLON = r";"
t_LPAREN = r"\("
t_RPAREN = r"\)"
t_LBRACE = r"\{"
t_RBRACE = r"\}"


# Function rules come first, in this order: `2-of` before `2`, `2.5` before `2`.
def t_K_OF(t: Any) -> Any:
    r"[1-9][0-9]*-[oO][fF](?![A-Za-z0-9_])"
    return t


def t_FLOAT(t: Any) -> Any:
    r"[0-9]+\.[0-9]+"
    return t


def t_INTEGER(t: Any) -> Any:
    r"[0-9]+"
    return t


_HINTS = {
    '"': ("string literal does not end on its line", 'close it with `"`, or end the line with a backslash'),
    "'": ("illegal character `'`", 'strings are written in double quotes, `"…"`'),
    "|": ("illegal character `|`", "or is written `||`"),
    "~": ("illegal character `~`", "a regular expression is matched with `~=`"),
    "?": ("illegal character `?`", ""),
}


#: A literal up to a character that no literal may have, wherever it would end; a newline ends the line.
_ILLEGAL = re.compile(r'"(?:[^"\\\r\n\0]|\\(?:\n[ \t\n]*|[^\r\n\0]))*+\\?([\r\0])')


def t_error(t: Any) -> Any:
    char = t.value[0]
    message, hint = _HINTS.get(char, (f"illegal character {_named(char)}", ""))
    if char == '"' and (end := _ILLEGAL.match(t.value)) is not None:
        message, hint = f"illegal character {_named(end[1])} in a string literal", ""
    t.lexer.mistakes.add(t.lexpos, message, hint)
    if char != '"':
        t.lexer.skip(1)
        return None
    # Take the rest of the line for the literal, lest its words be reported one by one.
    line = t.value.partition("\n")[0]
    t.lexer.skip(len(line))
    t.type, t.value = "STRING", '""'
    return t


def _named(char: str) -> str:
    return f"`{char}`" if char.isascii() and char.isprintable() else f"`\\x{ord(char):02x}`"


class TooManyMistakes(Exception):
    """Enough is known of this field."""


@dataclass(frozen=True, slots=True)
class Mistake:
    at: int
    message: str
    hint: str = ""


@dataclass(slots=True)
class Mistakes:
    """What is wrong with one field's text, collected while it is read."""

    found: list[Mistake] = field(default_factory=list)

    def add(self, at: int, message: str, hint: str = "") -> None:
        self.found.append(Mistake(at, message, hint))
        if len(self.found) >= limits.MISTAKES:
            raise TooManyMistakes

    def __iter__(self) -> Iterator[Mistake]:
        return iter(self.found)

    def __bool__(self) -> bool:
        return bool(self.found)


class FieldLexer:
    """The tokens of one field, as PLY's parser draws them, the field's own token first."""

    def __init__(self, field: str, text: str) -> None:
        self.mistakes = Mistakes()
        self.field = field
        self._first: str | None = field
        self._lexer = _lexer().clone()
        self._lexer.mistakes = self.mistakes
        self._lexer.input(text)

    def token(self) -> Any:
        if self._first is None:
            return self._lexer.token()
        first = lex.LexToken()
        first.type, first.value, first.lineno, first.lexpos = self._first, "", 1, 0
        self._first = None
        return first


@functools.cache
def _lexer() -> Any:
    check_interpreter()
    return lex.lex(module=sys.modules[__name__], debug=False, errorlog=lex.NullLogger())


def check_interpreter() -> None:
    """Raises Unsupported under `python -OO`, which removes the docstrings that hold PLY's rules."""
    if t_INTEGER.__doc__ is None:
        raise Unsupported(
            "the KeyNote parser needs docstrings, and `python -OO` (or PYTHONOPTIMIZE=2) removes them; "
            "run Python without it"
        )
