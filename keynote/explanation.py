# SPDX-License-Identifier: ISC
"""Decisions: the answer to a query, and why."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TypeVar

from keynote.evidence import Evidence
from keynote.files import SetAside
from keynote.proof import Step, one_line, steps
from keynote.reasons import Reason, reasons
from keynote.redaction import hiding
from keynote.survey import Line, denied, proved

T = TypeVar("T")


def _told(property_: Callable[["Decision"], T]) -> Callable[["Decision"], T]:
    """What tells people of a query: no key of anybody who has to do with it comes this way."""

    @wraps(property_)
    def told(decision: "Decision") -> T:
        keys = decision.evidence.keys()
        if not keys:
            return property_(decision)
        with hiding(keys):
            return property_(decision)

    return told


@dataclass(frozen=True, eq=False)
class Decision:
    """The answer. Where attributes were unknown it is an interval, and `value` is its lower end: what holds whatever
    they turn out to be.

    The reasons are computed when they are asked for, from the query that the decision keeps; keep `because` rather
    than the decision where there are many.
    """

    # One field only, because each takes a frozen object 0.1 µs more to make.
    __slots__ = ("_evidence",)
    _evidence: Evidence

    @property
    def _lowest(self) -> int:
        return self._evidence.lowest

    @property
    def _highest(self) -> int:
        return self._evidence.highest

    @property
    def value(self) -> str:
        """The compliance value; of an interval, the lowest."""
        evidence = self._evidence
        return evidence.scale.values[evidence.lowest]

    @property
    def lowest(self) -> str:
        evidence = self._evidence
        return evidence.scale.values[evidence.lowest]

    @property
    def highest(self) -> str:
        evidence = self._evidence
        return evidence.scale.values[evidence.highest]

    @property
    def allowed(self) -> bool:
        """Whether the value is above the minimum, whatever the unknown attributes are."""
        return self._lowest > 0

    @property
    def possible(self) -> bool:
        """Whether the value is above the minimum, or could be for some values of the unknown attributes."""
        return self._highest > 0

    @property
    def evidence(self) -> Evidence:
        """What the query left behind, for tools that ask more of it."""
        return self._evidence

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """The assertions that were left out, and why."""
        return self._evidence.set_aside

    @property
    @_told
    def path(self) -> tuple[Step, ...]:
        """The delegations that decided, POLICY's own first; of an interval's lower end if that is above the minimum,
        of the upper end otherwise. Empty for a denial."""
        if self._lowest > 0:
            return steps(self._evidence, self._evidence.raises, self._lowest)
        return steps(self._evidence, self._evidence.possible_raises, self._highest) if self._highest > 0 else ()

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why the value is not higher, nearest miss first, at most `keynote.reasons.MAXIMUM`: empty if it is the
        highest there is."""
        return self._reasons()[0]

    @property
    def more_reasons(self) -> int:
        """How many assertions more could have given a higher value, and lacked something."""
        return self._reasons()[1]

    @_told
    def _reasons(self) -> tuple[tuple[Reason, ...], int]:
        if self._highest >= self._evidence.scale.top:
            return (), 0
        return reasons(self._evidence, self._highest + 1)

    @property
    @_told
    def survey(self) -> tuple[Line, ...]:
        """A tree, line by line: of what is allowed, or may be, the deciding path; of a denial, who delegates to whom
        on the ways that there could have been, and what each assertion said."""
        if self._lowest > 0:
            return proved(self._evidence, self._evidence.raises, self._lowest)
        if self._highest > 0:
            return proved(self._evidence, self._evidence.possible_raises, self._highest)
        return denied(self._evidence) if self._evidence.scale.top else ()

    @property
    @_told
    def because(self) -> str:
        """The reason in one line: the deciding path, or for a denial what was nearest to allowing it."""
        evidence = self._evidence
        if evidence.lowest > 0:
            return one_line(evidence, evidence.lowest, certain=True)
        if evidence.highest > 0:
            line = one_line(evidence, evidence.highest, certain=False)
            return f"{line}, if unknown attributes allow it"
        found = self.reasons
        return str(found[0]) if found else "nothing allows it"

    def __bool__(self) -> bool:
        raise TypeError("a decision is no truth value; ask for `allowed` or `possible`")

    def __str__(self) -> str:
        return self.value if self._lowest == self._highest else f"{self.lowest}..{self.highest}"

    def __repr__(self) -> str:
        return f"<decision {self}>"
