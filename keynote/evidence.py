# SPDX-License-Identifier: ISC
"""What a query leaves behind, so that its reasons can be found when somebody asks for them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from keynote.environment import Environment, PartialEnvironment, Scale
from keynote.evaluator import Delegation, Raise
from keynote.files import SetAside


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """`raises` prove the lowest value of the answer, `possible_raises` the highest; `requesters` are canonical."""

    requesters: tuple[str, ...]
    licensed: Callable[[str], Sequence[Delegation]]
    open_delegations: Sequence[Delegation]
    environment: Environment
    scale: Scale
    raises: Sequence[Raise]
    possible_raises: Sequence[Raise]
    set_aside: tuple[SetAside, ...]

    def partial_environment(self) -> PartialEnvironment:
        facts = self.environment
        return facts if isinstance(facts, PartialEnvironment) else PartialEnvironment(facts, ())
