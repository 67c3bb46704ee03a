# SPDX-License-Identifier: ISC
"""Who delegates to whom, from POLICY down to the requesters, and what each assertion said: what `keynote why` prints.

If ways down to the requesters exist, only the assertions on them are shown; otherwise all those below POLICY.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keynote.conditions import outcomes
from keynote.evaluator import UNKNOWN_AUTHORIZER, Delegation
from keynote.evidence import Evidence
from keynote.licensees import Values
from keynote.principals import POLICY, shown_principal
from keynote.printing import printed
from keynote.reach import below_policy, reach
from keynote.reasons import condition_reason, licensee_reason
from keynote.syntax import AllOf, AnyOf, Threshold, leftmost

#: What is shown at most: nobody reads more.
_LINES: Final = 500
_DEPTH: Final = 40


@dataclass(frozen=True, slots=True)
class Line:
    """A line of the tree. `good` is True or False where it helps or stands in the way, and else None."""

    depth: int
    text: str
    good: bool | None = None


def survey(evidence: Evidence, goal: int) -> tuple[Line, ...]:
    """The tree for the value `goal`: lines in order, each deeper than the one it belongs to."""
    found = reach(evidence)
    shown = found.way or below_policy(evidence.delegations, lambda principal: True)
    by_authorizer: dict[str, list[Delegation]] = {}
    for delegation in shown:
        by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
    tree = _Tree(evidence, goal, found.values, by_authorizer)
    return tuple(tree.lines())


class _Tree:
    def __init__(
        self, evidence: Evidence, goal: int, values: Values, by_authorizer: dict[str, list[Delegation]]
    ) -> None:
        self._evidence = evidence
        self._goal = goal
        self._values = values
        self._by_authorizer = by_authorizer

    def lines(self) -> Iterable[Line]:
        seen: set[str] = set()
        roots = [root for root in (POLICY, UNKNOWN_AUTHORIZER) if root in self._by_authorizer or root == POLICY]
        todo: list[tuple[int, str | Delegation]] = [(0, root) for root in reversed(roots)]
        for _ in range(_LINES):
            if not todo:
                return
            depth, item = todo.pop()
            if depth > _DEPTH:
                yield Line(_DEPTH, "…")
            elif isinstance(item, str):
                yield self._principal(depth, item, item in seen)
                if item not in seen:
                    seen.add(item)
                    todo += [(depth + 1, delegation) for delegation in reversed(self._by_authorizer.get(item, ()))]
            else:
                yield from self._assertion(depth, item)
                licensees = item.licensees.principals if item.licensees else ()
                todo += [(depth + 1, licensee) for licensee in reversed(licensees)]
        yield Line(0, "…")

    def _principal(self, depth: int, principal: str, repeated: bool) -> Line:
        name = shown_principal(principal)
        if principal in self._evidence.requesters:
            return Line(depth, f"{name} requests it", True)
        if repeated and principal in self._by_authorizer:
            return Line(depth, f"{name}, as above")
        if principal in self._by_authorizer:
            return Line(depth, name)
        return Line(depth, f"{name} does not request it", False if principal not in self._values else None)

    def _assertion(self, depth: int, delegation: Delegation) -> Iterable[Line]:
        assertion, licensees = delegation.assertion, delegation.licensees
        reason = condition_reason(self._evidence, delegation, self._goal)
        place = assertion.where
        head = f"{place.file}:{place.line}"
        if assertion.licensees is None:
            head += " licenses anybody"
        elif isinstance(assertion.licensees.tree, (AllOf, AnyOf, Threshold)):
            head += f" licenses {printed(assertion.licensees.tree, 200)}"
        yield Line(depth, head, reason is None)
        yield Line(depth + 1, str(reason), False) if reason else self._holding(depth + 1, delegation)
        if licensees is not None and not licensees.value(self._values):
            yield Line(depth + 1, str(licensee_reason(self._evidence, delegation, self._values)), False)

    def _holding(self, depth: int, delegation: Delegation) -> Line:
        program, field = delegation.conditions, delegation.assertion.conditions
        if program is None or field is None:
            return Line(depth, "no conditions", True)
        for outcome in outcomes(program, self._evidence.partial_environment(), self._evidence.scale):
            if outcome.highest >= self._goal:
                node = program.clauses[outcome.number].node
                place = field.where(leftmost(node))
                certain = outcome.certain and outcome.lowest >= self._goal
                verb = "holds" if certain else "may hold"
                return Line(
                    depth, f"{place.file}:{place.line}: {verb}: {printed(node, 300)}", True if certain else None
                )
        raise AssertionError("conditions that lack nothing have a clause that may hold")
