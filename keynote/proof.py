# SPDX-License-Identifier: ISC
"""Why a value was reached: the delegations from POLICY to the requesters, and the clause that held in each.

The evaluator's list of raises is in an order in which each rests on earlier ones only. A principal's first raise to
a value or above therefore proves the value without going round in circles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keynote.assertions import Assertion
from keynote.conditions import outcomes
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation, Raise
from keynote.evidence import Evidence
from keynote.licensees import cheapest_way
from keynote.loading import licensee_names
from keynote.locations import Location
from keynote.principals import POLICY, shown_principal
from keynote.printing import printed
from keynote.syntax import Node, StringExpression, leftmost


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One delegation on the deciding path: `authorizer` has `value` by it, because all of `licensees` have.

    Principals are written for people, passphrases hidden; `next` has for each licensee the index of its own step in
    the path, or None for a requester. Without licensees the assertion licenses everybody.

    `held` is the clause of its Conditions that held, None if there is no such field, and `where` the place of that
    clause, or of the authorizer. `certain` is False if the clause depends on unknown attributes.
    """

    authorizer: str
    value: str
    assertion: Assertion
    where: Location
    held: Node | None
    certain: bool
    licensees: tuple[str, ...]
    next: tuple[int | None, ...]

    @property
    def clause(self) -> str:
        """The text of `held`, or ""."""
        return "" if self.held is None else printed(self.held, 300)


def steps(evidence: Evidence, raises: Sequence[Raise], goal: int) -> tuple[Step, ...]:
    """The deciding path, POLICY's own assertion first."""
    history = _history(evidence, raises)
    start = POLICY
    if not _reaches(history, POLICY, goal) and UNKNOWN_AUTHORIZER in history:
        start = UNKNOWN_AUTHORIZER
    path: dict[str, tuple[Delegation, tuple[str, ...]]] = {}
    todo = [start]
    for principal in todo:  # grows while it runs
        if principal in path or principal == UNKNOWN_LICENSEE or principal in evidence.requesters:
            continue
        number = next(number for number, value in history[principal] if value >= goal)
        delegation = raises[number][2]
        supporters = _supporters(evidence, delegation, history, number, goal)
        path[principal] = (delegation, supporters)
        todo += supporters
    places = {principal: place for place, principal in enumerate(path)}
    return tuple(_step(evidence, delegation, supporters, places, goal) for delegation, supporters in path.values())


_History = dict[str, list[tuple[int, int]]]


def _history(evidence: Evidence, raises: Sequence[Raise]) -> _History:
    """For each principal the numbers of its raises, and the values it had after them; requesters had theirs first."""
    history: _History = {requester: [(-1, evidence.scale.top)] for requester in evidence.requesters}
    history[UNKNOWN_LICENSEE] = [(-1, evidence.scale.top)]
    for number, (principal, value, _) in enumerate(raises):
        history.setdefault(principal, []).append((number, value))
    return history


def _reaches(history: _History, principal: str, goal: int) -> bool:
    return any(value >= goal for _, value in history.get(principal, ()))


def _supporters(
    evidence: Evidence, delegation: Delegation, history: _History, number: int, goal: int
) -> tuple[str, ...]:
    """Principals whose values, before raise `number`, give the Licensees field the value `goal` or more."""
    field = delegation.assertion.licensees
    if field is None:
        return ()
    names = licensee_names(delegation.assertion, evidence.environment)

    def supports(node: StringExpression) -> bool:
        return any(at < number and value >= goal for at, value in history.get(names[node], ()))

    chosen, _ = cheapest_way(field.tree, supports)
    return tuple(dict.fromkeys(names[node] for node in chosen))


def _step(
    evidence: Evidence, delegation: Delegation, supporters: tuple[str, ...], places: Mapping[str, int], goal: int
) -> Step:
    assertion, scale = delegation.assertion, evidence.scale
    where, certain = assertion.authorizer.where(assertion.authorizer.tree), True
    clause = None
    program = delegation.conditions
    if program is not None and assertion.conditions is not None:
        held = [o for o in outcomes(program, evidence.partial_environment(), scale) if o.highest >= goal]
        outcome = next((o for o in held if o.certain and o.lowest >= goal), held[0])
        clause = program.clauses[outcome.number].node
        where = assertion.conditions.where(leftmost(clause.test))
        certain = outcome.certain and outcome.lowest >= goal
    return Step(
        authorizer=shown_principal(delegation.authorizer),
        value=scale.values[goal],
        assertion=assertion,
        where=where,
        held=clause,
        certain=certain,
        licensees=tuple(map(shown_principal, supporters)),
        next=tuple(places.get(supporter) for supporter in supporters),
    )


#: Principals in a line that says why, before its middle is left out.
_LONGEST: Final = 10


def one_line(path: Sequence[Step]) -> str:
    """`POLICY → ca → gateway, policy.kn:14`, where the place is that of POLICY's own clause."""
    if not path:
        return "POLICY requests it"
    step, names = path[0], [path[0].authorizer]
    while len(step.next) == 1 and step.next[0] is not None:
        names.append(step.licensees[0])
        step = path[step.next[0]]
    names.append(" and ".join(step.licensees) or "anybody")
    if len(names) > _LONGEST:
        names[_LONGEST // 2 : -_LONGEST // 2] = ["…"]
    line = f"{' → '.join(names)}, {path[0].where.file}:{path[0].where.line}"
    return line if all(step.certain for step in path) else f"{line}, if unknown attributes allow it"
