# SPDX-License-Identifier: ISC
"""Errors and warnings as all our command lines tell them: a line for people with a hint below it, or data.

keynote: error: policy.kn:14:9: unknown operator `=`
keynote: hint: string comparison is `==`
"""

from dataclasses import dataclass
from json import JSONDecodeError
from typing import Any

from keynote.errors import KeynoteError, Problem
from keynote.redaction import one_line, redacted_sentence


@dataclass(frozen=True, slots=True)
class Place:
    """A file, or a line or a column in it; both count from 1. `str()` gives `file:line:column`."""

    file: str
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        parts = (one_line(self.shown_file), self.line, self.column)
        return ":".join(str(part) for part in parts if part is not None)

    @property
    def shown_file(self) -> str:
        """A principal may have been given in a file's place, and that a passphrase."""
        return redacted_sentence(self.file)


@dataclass(frozen=True, slots=True)
class Complaint:
    """One error or warning. `excerpt` is the text at that place, of one or more lines, or empty."""

    message: str
    where: Place | None = None
    hint: str = ""
    excerpt: str = ""

    @classmethod
    def about(cls, problem: Problem) -> "Complaint":
        """A mistake in an assertion."""
        where = problem.where
        return cls(problem.message, Place(where.file, where.line, where.column), problem.hint, problem.excerpt)

    def __str__(self) -> str:
        """One line, for logs."""
        return self._head() + (f" ({one_line(self.hint)})" if self.hint else "")

    def text(self, program: str, kind: str) -> str:
        """As `program` tells it to people. `kind` is `error` or `warning`."""
        lines = [f"{program}: {kind}: {self._head()}"]
        if self.excerpt:
            lines.append(self.excerpt)
        if self.hint:
            lines.append(f"{program}: hint: {one_line(self.hint)}")
        return "\n".join(lines)

    def data(self) -> dict[str, Any]:
        """As it is told to programs: `where` is null or has `file`, `line` and `column`, these two perhaps null."""
        where = self.where and {"file": self.where.shown_file, "line": self.where.line, "column": self.where.column}
        return {"message": self.message, "where": where, "hint": self.hint}

    def _head(self) -> str:
        return one_line(f"{self.where}: {self.message}" if self.where else self.message)


class BadInput(KeynoteError):
    """A file or an argument that cannot be used."""

    def __init__(self, message: str, where: Place | None = None, hint: str = "") -> None:
        self.complaint = Complaint(message, where, hint)
        super().__init__(str(self.complaint))


def not_json(error: ValueError | RecursionError) -> str:
    """Why a line is no JSON, in our own words."""
    if isinstance(error, RecursionError):
        return "not JSON: nested too deeply"
    return (
        f"not JSON: wrong from column {error.colno} on"
        if isinstance(error, JSONDecodeError)
        else "not JSON: no UTF-8"
    )
