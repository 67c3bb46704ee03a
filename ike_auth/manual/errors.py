# SPDX-License-Identifier: ISC
"""What is wrong with statements: collected while they are read, raised all at once. No message quotes a key."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from ike_auth.config.errors import did_you_mean, quoted
from ike_auth.errors import LocalError
from keynote.locations import Location

__all__ = [
    "Complaint",
    "Complaints",
    "ManualError",
    "Refused",
    "StatementsRefused",
    "Unusable",
    "did_you_mean",
    "printable",
    "quoted",
]


class ManualError(LocalError):
    """Something about manual keys that cannot be done; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(printable(message))
        self.hint = printable(hint)


class Refused(ManualError):
    """A statement that is wrong, or that cannot be had here; `where` if a part of it is meant."""

    def __init__(self, message: str, hint: str = "", where: Location | None = None) -> None:
        super().__init__(message, hint)
        self.where = where


class Unusable(ManualError):
    """A command line that is right, and means what cannot be had here, or names a file that is wrong."""


@dataclass(frozen=True, slots=True)
class Complaint:
    """`file:line:column: message (hint)`."""

    where: Location
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return printable(f"{self.where}: {self.message}" + (f" ({self.hint})" if self.hint else ""))


class StatementsRefused(LocalError):
    """A text that cannot be used. `complaints` holds every reason, in the order of the text."""

    def __init__(self, complaints: Iterable[Complaint]) -> None:
        self.complaints = tuple(complaints)
        super().__init__("\n".join(map(str, self.complaints)))


@dataclass(slots=True)
class Complaints:
    """Collects what is found, so that reading can go on and find the rest."""

    errors: list[Complaint] = field(default_factory=list)
    warnings: list[Complaint] = field(default_factory=list)

    def error(self, where: Location, message: str, hint: str = "") -> None:
        self.errors.append(Complaint(where, message, hint))

    def warn(self, where: Location, message: str, hint: str = "") -> None:
        self.warnings.append(Complaint(where, message, hint))

    def raise_errors(self) -> None:
        """Raises StatementsRefused if there was an error."""
        if self.errors:
            raise StatementsRefused(in_order(self.errors))


def in_order(complaints: Iterable[Complaint]) -> tuple[Complaint, ...]:
    return tuple(sorted(complaints, key=lambda c: (c.where.line, c.where.column)))


def printable(text: str) -> str:
    """What any terminal can show: control characters and bytes that were no UTF-8 come out escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "replace").decode() for c in text)
