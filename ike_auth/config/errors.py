# SPDX-License-Identifier: ISC
"""Mistakes in a configuration: collected while it is read, raised all at once."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches

from ike_auth.config.model import Location
from ike_auth.errors import LocalError
from keynote.complaints import Complaint, Place

LONGEST_SHOWN = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake or warning. `where` is None where a whole file is meant and the message names it."""

    where: Location | None
    message: str
    hint: str = ""

    def __str__(self) -> str:
        return str(self.complaint)

    @property
    def complaint(self) -> Complaint:
        where = None if self.where is None else Place(self.where.file, self.where.line)
        return Complaint(self.message, where, self.hint)


class ConfigError(LocalError):
    """A configuration that cannot be used. `problems` holds every reason, in the order of the file, and
    `warnings` what else was noticed."""

    def __init__(self, problems: Iterable[Problem], warnings: Iterable[Problem] = ()) -> None:
        self.problems = tuple(problems)
        self.warnings = tuple(warnings)
        super().__init__("\n".join(map(str, self.problems)))


@dataclass(slots=True)
class Problems:
    """Collects what a reader finds, so that it can go on and find the rest."""

    # Each once, in order: a section that several others use is read for each of them.
    errors: dict[Problem, None] = field(default_factory=dict)
    warnings: dict[Problem, None] = field(default_factory=dict)

    def error(self, where: Location | None, message: str, hint: str = "") -> None:
        self.errors[Problem(where, message, hint)] = None

    def warn(self, where: Location | None, message: str, hint: str = "") -> None:
        self.warnings[Problem(where, message, hint)] = None

    def raise_errors(self) -> None:
        """Raises ConfigError if there was a mistake."""
        if self.errors:
            raise ConfigError(in_order(self.errors), in_order(self.warnings))


def in_order(problems: Iterable[Problem]) -> tuple[Problem, ...]:
    """By file and line; what concerns a whole file comes first."""
    return tuple(sorted(problems, key=lambda p: (p.where.file, p.where.line) if p.where else ("", 0)))


def quoted(text: str) -> str:
    """`text` in backticks, and not endless."""
    return f"`{text[:LONGEST_SHOWN]}…`" if len(text) > LONGEST_SHOWN else f"`{text}`"


def bracketed(name: str) -> str:
    """The name of a section, as it is written."""
    return quoted(f"[{name}]")


def did_you_mean(word: str, candidates: Iterable[str]) -> str:
    """The hint for a misspelt `word`, or "" when nothing resembles it."""
    known = {candidate.lower(): candidate for candidate in candidates}
    close = get_close_matches(word[:LONGEST_SHOWN].lower(), known, n=1, cutoff=0.7)
    return f"did you mean {quoted(known[close[0]])}?" if close else ""
