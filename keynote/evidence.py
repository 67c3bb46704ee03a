# SPDX-License-Identifier: ISC
"""What a query leaves behind, so that its reasons can be found when somebody asks for them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from keynote.environment import Environment, PartialEnvironment, Scale
from keynote.evaluator import Delegations, Raise
from keynote.files import SetAside


# Not frozen, because one is made for every query, and a frozen one takes twice as long to make.
@dataclass(slots=True, eq=False, repr=False)
class Evidence:
    """`raises` prove the lowest value of the answer, `possible_raises` the highest; `requesters` are canonical.

    `analyses` keeps what was found out by goal, because it is told in several forms.
    """

    requesters: tuple[str, ...]
    delegations: Delegations
    environment: Environment
    scale: Scale
    raises: Sequence[Raise]
    possible_raises: Sequence[Raise]
    set_aside: tuple[SetAside, ...]
    analyses: dict[int, Any] | None = None

    def partial_environment(self) -> PartialEnvironment:
        """The environment as interval functions want it, to read and to write groups into."""
        facts = self.environment
        return PartialEnvironment(facts, facts.unknown if isinstance(facts, PartialEnvironment) else ())
