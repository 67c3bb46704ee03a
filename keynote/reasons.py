# SPDX-License-Identifier: ISC
"""Why a value was not reached: each assertion that could have carried it, and what it lacked, nearest miss first.

First all Conditions are taken to hold. If POLICY is reached then, the path exists and conditions on it are in the
way: for each of those assertions, the fewest relations are found that would have to turn out otherwise. If not, a
delegation is missing, and the reasons are the Licensees fields at which the ways down from POLICY end.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from keynote.conditions import conditions_interval, set_group_state
from keynote.evaluator import Delegation
from keynote.evidence import Evidence
from keynote.licensees import Values, cheapest_way
from keynote.loading import licensee_names
from keynote.locations import Location
from keynote.misses import nearest_miss
from keynote.principals import shown_principal
from keynote.reach import Reach, below_policy, reach
from keynote.redaction import quoted
from keynote.syntax import leftmost
from keynote.wording import described, one_of


@dataclass(frozen=True, slots=True)
class Reason:
    """One thing that stood in the way; `distance` counts what would have to be otherwise."""

    where: Location | None
    text: str
    distance: int

    def __str__(self) -> str:
        return self.text if self.where is None else f"{self.where.file}:{self.where.line}: {self.text}"


#: More than anybody reads.
MAXIMUM: Final = 100


def reasons(evidence: Evidence, goal: int) -> tuple[Reason, ...]:
    """What stood in the way of the value `goal`."""
    found = reach(evidence)
    if found.way:
        lacking = [reason for delegation in found.way if (reason := condition_reason(evidence, delegation, goal))]
    else:
        lacking = [Reason(item.where, f"set aside: {item.reason}", 0) for item in evidence.set_aside]
        lacking += [*_dead_ends(evidence, found.values), *_dangling(evidence, found)]
    return tuple(sorted(lacking, key=lambda reason: reason.distance)[:MAXIMUM])


# -- the path exists -------------------------------------------------------------------------------------------------


def condition_reason(evidence: Evidence, delegation: Delegation, goal: int) -> Reason | None:
    """What the Conditions of a delegation lack for the value `goal`, or None if nothing."""
    program, field = delegation.conditions, delegation.assertion.conditions
    if program is None or field is None:
        return None
    environment, scale = evidence.partial_environment(), evidence.scale
    if conditions_interval(program, environment, scale)[1] >= goal:
        return None
    miss = nearest_miss(program, environment, scale, goal)
    if miss is None:
        what = "Conditions never hold" if program.clauses else "Conditions is empty, which nothing satisfies"
        return Reason(field.where(field.tree), what, MAXIMUM)
    if not miss.first:
        text = f"its clause holds, but does not give {quoted(scale.values[goal])}"
        return Reason(field.where(leftmost(miss.clause.node)), text, 1)
    where = field.where(leftmost(miss.first[0].relation))
    set_group_state(environment, miss.first[0].groups)
    return Reason(where, described(miss.first, delegation.assertion, environment), miss.distance)


# -- a delegation is missing -----------------------------------------------------------------------------------------


def _dead_ends(evidence: Evidence, values: Values) -> list[Reason]:
    """The Licensees fields at which the ways down from POLICY end; first those that have part of what they need."""
    found = []
    for delegation in below_policy(evidence.delegations, lambda principal: True):
        licensees = delegation.licensees
        if licensees is not None and not licensees.value(values):
            has_part = any(principal in values for principal in licensees.principals)
            found.append((not has_part, licensee_reason(evidence, delegation, values)))
    found.sort(key=lambda item: item[0])
    return [reason for _, reason in found] or [Reason(None, "no assertion has POLICY as its authorizer", 1)]


def licensee_reason(evidence: Evidence, delegation: Delegation, values: Values) -> Reason:
    """Who lacks in a Licensees field, given the principals who have a value."""
    field = delegation.assertion.licensees
    assert field is not None, "a missing Licensees field lacks nobody"
    names = licensee_names(delegation.assertion, evidence.environment)
    where = field.where(leftmost(field.tree))
    if not names:
        return Reason(where, "Licensees is empty, which licenses nobody", MAXIMUM)
    supporting, missing = cheapest_way(field.tree, lambda node: names[node] in values)
    if supporting:
        lacking = ", ".join(f"`{shown_principal(names[node])}`" for node in missing)
        return Reason(where, f"also needs {lacking}", len(missing))
    licensed = _list([shown_principal(name) for name in dict.fromkeys(names.values())])
    return Reason(where, f"licenses {licensed}, not {_list(map(shown_principal, evidence.requesters))}", len(missing))


def _dangling(evidence: Evidence, found: Reach) -> list[Reason]:
    """Delegations to the requesters by somebody whom nobody licenses."""
    dangling = []
    for delegation in found.reached:
        if not evidence.delegations.licensed(delegation.authorizer):
            field = delegation.assertion.authorizer
            who = f"`{shown_principal(delegation.authorizer)}`"
            dangling.append(Reason(field.where(field.tree), f"no assertion licenses {who}, who delegates here", 1))
    return dangling


def _list(shown_names: Iterable[str]) -> str:
    quoted_names = [f"`{name}`" for name in dict.fromkeys(shown_names)]
    if len(quoted_names) > 4:
        return f"{', '.join(quoted_names[:3])} and {len(quoted_names) - 3} others"
    return one_of(quoted_names)
