# SPDX-License-Identifier: ISC
"""The place in a setkey text where reading is, and what may be taken from there.

Words from where keys may stand on are never part of a message: a key whose quotes are missing looks like words.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import NoReturn, TypeVar

from ike_auth.manual.errors import Complaints, Refused, did_you_mean, quoted
from ike_auth.manual.tokens import Kind, Token
from keynote.locations import Location

T = TypeVar("T")

COMMANDS = frozenset(
    {"add", "update", "getspi", "get", "delete", "deleteall", "flush", "dump", "exit", "quit", "bye"}
    | {"spdadd", "spdupdate", "spddelete", "spdflush", "spddump"}
)


class SyntaxFault(Exception):
    """The rest of this statement cannot be read. What was said about it has been said."""


class Cursor:
    def __init__(self, tokens: Iterable[Token], complaints: Complaints) -> None:
        self._tokens = list(tokens)
        self._next = 0
        self.complaints = complaints

    @property
    def token(self) -> Token:
        return self._tokens[self._next]

    @property
    def where(self) -> Location:
        return self.token.where

    @property
    def at_end(self) -> bool:
        return self.token.kind is Kind.END

    def advance(self) -> Token:
        token = self.token
        if token.kind is not Kind.END:
            self._next += 1
        return token

    def at(self, kind: Kind, text: str | None = None) -> bool:
        return self.token.kind is kind and (text is None or self.token.text == text)

    def at_word(self) -> bool:
        """Whether a word stands here, and not one that begins another statement."""
        return self.token.kind is Kind.WORD and not self._begins_statement()

    def skip_statement(self) -> None:
        """To behind the next `;`, or to a command at the start of a line."""
        while not self.at_end and not self._begins_statement():
            if self.advance().kind is Kind.SEMICOLON:
                return

    def _begins_statement(self) -> bool:
        return self.token.kind is Kind.WORD and self.token.first and self.token.text in COMMANDS

    # --- taking

    def word(self, what: str) -> str:
        """The word that stands here; `what` says what it is. Raises SyntaxFault if there is none."""
        if not self.at_word():
            self.fail(f"{what} is missing")
        return self.advance().text

    def string(self, what: str) -> str:
        if not self.at(Kind.STRING):
            self.fail(f"{what} is missing", 'in double quotes: "…"')
        return self.advance().text

    def number(self, what: str, low: int, high: int) -> int:
        """Decimal. What is not is complained about, and is `low`."""
        where, text = self.where, self.word(what)
        if not (text.isascii() and text.isdigit() and len(text) <= 20 and low <= int(text) <= high):
            self.complaints.error(where, f"{what} is not a number from {low} to {high}")
            return low
        return int(text)

    def choice(self, what: str, values: Mapping[str, T], *, shown: bool = True) -> T:
        """The value that a keyword stands for. `shown`: whether it may be quoted when it is none."""
        token = self.token
        text = self.word(what)
        if text not in values:
            known = did_you_mean(text, values) or f"one of {', '.join(values)}"
            self.fail(f"{quoted(text)} is not {what}" if shown else f"this is not {what}", known, token.where)
        return values[text]

    def checked(self, read: Callable[[str], T], text: str, where: Location) -> T:
        """What `read` makes of a text; raises SyntaxFault where it raises Refused."""
        try:
            return read(text)
        except Refused as refused:
            self.fail(str(refused), refused.hint, where)

    def end_of_statement(self) -> None:
        """Takes the `;`."""
        if self.at(Kind.SEMICOLON):
            self.advance()
        elif self._begins_statement():
            self.complaints.error(self.where, f"`;` is missing before {quoted(self.token.text)}")
        elif self.at_end:
            self.complaints.error(self.where, "`;` is missing at the end")
        else:
            self.fail("`;` is missing here", "a key or a name with blanks needs double quotes")

    def fail(self, message: str, hint: str = "", where: Location | None = None) -> NoReturn:
        """Complain, and raise SyntaxFault."""
        if self.at(Kind.BAD):
            message, hint, where = "this string has no end", 'a string ends on its line, with `"`', self.where
        self.complaints.error(where or self.where, message, hint)
        raise SyntaxFault
