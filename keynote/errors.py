# SPDX-License-Identifier: ISC
"""What goes wrong, and where.

KeynoteError
  PolicyError      assertions that cannot be used: every problem, each with its place
  QueryError       a query that cannot be asked: no authorizer, an attribute name that is none
  SignatureError   a credential that nobody may believe
  Unsupported      this Python cannot run the parser
EvaluationError    a run-time error of one test (RFC 2704 5.3.4); never leaves the package
"""

from collections.abc import Iterable
from dataclasses import dataclass

from keynote.locations import Location


class KeynoteError(Exception):
    """Everything that this package raises on purpose."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in an assertion's text, in words that hold no passphrase.

    `excerpt` is the line with a caret below the place, or empty.
    """

    where: Location
    message: str
    hint: str = ""
    excerpt: str = ""

    def __str__(self) -> str:
        lines = [f"{self.where}: {self.message}"]
        if self.excerpt:
            lines.append(self.excerpt)
        if self.hint:
            lines.append(f"hint: {self.hint}")
        return "\n".join(lines)


class PolicyError(KeynoteError):
    """Text that is no usable assertion. `problems` holds every mistake, in the order of the text."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))


class QueryError(KeynoteError):
    """The query itself is wrong, whatever the assertions say."""


class SignatureError(KeynoteError):
    """The signature of a credential does not make it believable, or cannot be made. `problem` has the place, where
    there is one."""

    def __init__(self, message: str, problem: Problem | None = None) -> None:
        self.problem = problem
        super().__init__(message)


class Unsupported(KeynoteError):
    """This interpreter cannot run the parser."""


class EvaluationError(Exception):
    """A run-time error, such as a division by zero: the test in which it occurs is false."""
