# SPDX-License-Identifier: ISC
"""Why a value was reached: the delegations from POLICY to the requesters, and the clause that held in each.

The evaluator's list of raises is in an order in which each rests on earlier ones only. A principal's first raise to
a value or above therefore proves the value without going round in circles.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from keynote.alternatives import in_one
from keynote.assertions import Assertion
from keynote.conditions import outcomes
from keynote.costs import cheapest, costs
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation, Raise
from keynote.evidence import Evidence
from keynote.loading import licensee_names
from keynote.locations import Location
from keynote.principals import POLICY, shown_principal
from keynote.printing import printed
from keynote.residuals import residual
from keynote.secrecy import groups_are_secret
from keynote.syntax import Clause, StringExpression, leftmost


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One delegation on the deciding path: `authorizer` has `value` by it, because all of `licensees` have.

    Principals are written for people, passphrases hidden; `next` has for each licensee the index of its own step in
    the path, or None for a requester. Without licensees the assertion licenses everybody.

    `held` is the clause of its Conditions that held, None if there is no such field, `clause` its text or "", and
    `where` the place of that clause, or of the authorizer. `certain` is False if the clause depends on unknown
    attributes, and then `remaining` is the test of them that decides.
    """

    authorizer: str
    value: str
    assertion: Assertion
    where: Location
    held: Clause | None
    certain: bool
    licensees: tuple[str, ...]
    next: tuple[int | None, ...]
    clause: str = ""
    remaining: str = ""


def steps(evidence: Evidence, raises: Sequence[Raise], goal: int) -> tuple[Step, ...]:
    """The deciding path, POLICY's own assertion first."""
    path = _path(evidence, raises, goal)
    places = {principal: place for place, principal in enumerate(path)}
    return tuple(_step(evidence, delegation, supporters, places, goal) for delegation, supporters in path.values())


_Path = dict[str, tuple[Delegation, tuple[str, ...]]]  # by authorizer: what raised it, and whom that rests on


def _path(evidence: Evidence, raises: Sequence[Raise], goal: int) -> _Path:
    reached = _reached(evidence, raises, goal)
    start = UNKNOWN_AUTHORIZER if POLICY not in reached and UNKNOWN_AUTHORIZER in reached else POLICY
    path: _Path = {}
    todo = [start]
    for principal in todo:  # grows while it runs
        number = reached[principal]
        if number < 0 or principal in path:
            continue
        delegation = raises[number][2]
        supporters = _supporters(evidence, delegation, reached, number)
        path[principal] = (delegation, supporters)
        todo += supporters
    return path


_Reached = dict[str, int]


def _reached(evidence: Evidence, raises: Sequence[Raise], goal: int) -> _Reached:
    """The number of the raise by which each principal came to the goal; of requesters, who had it before, -1."""
    reached: _Reached = dict.fromkeys((*evidence.requesters, UNKNOWN_LICENSEE), -1)
    for number, (principal, value, _) in enumerate(raises):
        if value >= goal:
            reached.setdefault(principal, number)
    return reached


def _supporters(evidence: Evidence, delegation: Delegation, reached: _Reached, number: int) -> tuple[str, ...]:
    """Principals whose values, before raise `number`, give the Licensees field the value of the goal or more."""
    field, licensees = delegation.assertion.licensees, delegation.licensees
    if field is None or licensees is None:
        return ()
    if len(licensees.principals) == 1:
        return tuple(licensees.principals)
    names = licensee_names(delegation.assertion, evidence.environment)

    def cost(node: StringExpression) -> float:
        return 0 if reached.get(names[node], number) < number else 1

    chosen = cheapest(field.tree, costs(field.tree, cost))
    return tuple(dict.fromkeys(names[node] for node in chosen))


def _step(
    evidence: Evidence, delegation: Delegation, supporters: tuple[str, ...], places: Mapping[str, int], goal: int
) -> Step:
    clause, where, certain = _held(evidence, delegation, goal)
    return Step(
        authorizer=shown_principal(delegation.authorizer),
        value=evidence.scale.values[goal],
        assertion=delegation.assertion,
        where=where,
        held=clause,
        certain=certain,
        licensees=tuple(map(shown_principal, supporters)),
        next=tuple(places.get(supporter) for supporter in supporters),
        clause="" if clause is None else printed(clause, _TEXT),
        remaining="" if certain else remaining(evidence, delegation, goal),
    )


#: The longest text of a clause.
_TEXT: Final = 300


def _held(evidence: Evidence, delegation: Delegation, goal: int) -> tuple[Clause | None, Location, bool]:
    """The clause by which a delegation gives the value, its place or that of the authorizer, and whether it is
    certain."""
    assertion, program = delegation.assertion, delegation.conditions
    if program is None or assertion.conditions is None:
        return None, assertion.authorizer.where(assertion.authorizer.tree), True
    clauses = outcomes(program, evidence.partial_environment(), evidence.scale)
    held = [outcome for outcome in clauses if outcome.highest >= goal]
    outcome = next((outcome for outcome in held if outcome.certain and outcome.lowest >= goal), held[0])
    clause = program.clauses[outcome.number].node
    where = assertion.conditions.where(leftmost(clause.test))
    return clause, where, outcome.certain and outcome.lowest >= goal


def remaining(evidence: Evidence, delegation: Delegation, goal: int) -> str:
    """What unknown attributes must meet so that a delegation gives the value, "" if there is nothing of the kind."""
    environment = evidence.partial_environment()
    found = residual(
        delegation, environment, evidence.scale, goal, secret=groups_are_secret(delegation.assertion, environment)
    )
    return "" if isinstance(found, bool) else printed(in_one(found), _TEXT)


def _place(evidence: Evidence, delegation: Delegation, goal: int) -> Location:
    """`where` of the delegation's step."""
    return _only_place(delegation) or _held(evidence, delegation, goal)[1]


@lru_cache(maxsize=1024)
def _only_place(delegation: Delegation) -> Location | None:
    """The place of the clause, where there is one only: every decision that rests on it names it."""
    assertion, program = delegation.assertion, delegation.conditions
    if program is None or assertion.conditions is None or len(program.clauses) != 1:
        return None
    return assertion.conditions.where(leftmost(program.clauses[0].node.test))


#: Principals in a line that says why, before its middle is left out.
_LONGEST: Final = 10


def one_line(evidence: Evidence, goal: int, *, certain: bool) -> str:
    """`POLICY → ca → gateway, policy.kn:14`, where the place is that of POLICY's own clause.

    It says what `steps` says in short, and costs a fraction: of all clauses it looks for the first one only, and whom
    the only way passes is the same for every action. `certain`: of the lowest value of the answer, else the highest.
    """
    by, only_way = evidence.asked_by, evidence.proofs is None
    told = by.told if only_way else None
    if told is None:
        told = _told(_path(evidence, evidence.raises if certain else evidence.possible_raises, goal))
        if told is None:
            return "POLICY requests it"
        if only_way:
            by.told = told
    names, first = told
    where = _place(evidence, first, goal)
    return f"{names}, {where.brief}"


def _told(path: _Path) -> tuple[str, Delegation] | None:
    """`POLICY → ca → gateway`, and POLICY's own delegation; None if POLICY requests the action itself."""
    if not path:
        return None
    (first, supporters), *_ = path.values()
    names = [first.authorizer]
    while len(supporters) == 1 and supporters[0] in path:
        names.append(supporters[0])
        supporters = path[supporters[0]][1]
    shown = [*map(shown_principal, names), " and ".join(map(shown_principal, supporters)) or "anybody"]
    if len(shown) > _LONGEST:
        shown[_LONGEST // 2 : -_LONGEST // 2] = ["…"]
    return " → ".join(shown), first
