# SPDX-License-Identifier: ISC
"""Decisions: the answer to a query, and why."""

from dataclasses import dataclass

from keynote.evidence import Evidence
from keynote.files import SetAside


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """The answer. Where attributes were unknown it is an interval, and `value` is its lower end: what holds whatever
    they turn out to be.

    The reasons are computed when they are asked for, from the query that the decision keeps; keep `because` rather
    than the decision where there are many.
    """

    _lowest: int
    _highest: int
    _evidence: Evidence

    @property
    def value(self) -> str:
        """The compliance value; of an interval, the lowest."""
        return self._evidence.scale.values[self._lowest]

    @property
    def lowest(self) -> str:
        return self._evidence.scale.values[self._lowest]

    @property
    def highest(self) -> str:
        return self._evidence.scale.values[self._highest]

    @property
    def allowed(self) -> bool:
        """Whether the value is above the minimum, whatever the unknown attributes are."""
        return self._lowest > 0

    @property
    def possible(self) -> bool:
        """Whether the value is above the minimum, or could be for some values of the unknown attributes."""
        return self._highest > 0

    @property
    def set_aside(self) -> tuple[SetAside, ...]:
        """The assertions that were left out, and why."""
        return self._evidence.set_aside

    def __bool__(self) -> bool:
        raise TypeError("a decision is no truth value; ask for `allowed` or `possible`")

    def __str__(self) -> str:
        return self.value if self._lowest == self._highest else f"{self.lowest}..{self.highest}"

    def __repr__(self) -> str:
        return f"<decision {self}>"
