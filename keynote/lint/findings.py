# SPDX-License-Identifier: ISC
"""What a check is, and what it finds: values, each with its place."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from keynote.locations import Location
from keynote.severity import Severity as Severity

if TYPE_CHECKING:
    from keynote.lint.subjects import Policy, Subject


@dataclass(frozen=True, slots=True)
class Finding:
    """`excerpt` is the line with a caret below the place. `character` is the column counted in characters, where
    `where.column` counts bytes."""

    code: str
    severity: Severity
    message: str
    where: Location
    hint: str = ""
    excerpt: str = ""
    character: int = 1

    def __str__(self) -> str:
        return f"{self.where}: {self.severity}: {self.message} [{self.code}]"

    def data(self) -> dict[str, Any]:
        """As it is told to programs."""
        where = {"file": self.where.file, "line": self.where.line, "column": self.where.column}
        told = {"code": self.code, "severity": str(self.severity), "message": self.message}
        return {**told, "where": where, "hint": self.hint}


@dataclass(frozen=True, slots=True, eq=False)
class Draft:
    """What a check says of the place `at` in the text of an assertion."""

    subject: "Subject"
    at: int
    message: str
    hint: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Check:
    """One row of the table. `why` it matters, an `example` that it finds, and how to `mend` it are its documentation,
    in Markdown; `run` finds. `by_clock`: what it finds today, it may not have found yesterday."""

    code: str
    severity: Severity
    title: str
    why: str
    example: str
    mend: str
    run: "Callable[[Policy], Iterator[Draft]] | None" = None
    by_clock: bool = False

    def data(self) -> dict[str, Any]:
        """Its documentation, as it is told to programs."""
        told = {"code": self.code, "severity": str(self.severity), "title": self.title}
        return {**told, "why": self.why, "example": self.example, "mend": self.mend}
