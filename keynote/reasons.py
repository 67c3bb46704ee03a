# SPDX-License-Identifier: ISC
"""Why a value was not reached: each assertion that could have carried it, and what it lacked, nearest miss first.

First all Conditions are taken to hold. If POLICY is reached then, the path exists and conditions on it are in the
way: for each of those assertions, the fewest relations are found that would have to turn out otherwise. If not, a
delegation is missing, and the reasons are the Licensees fields at which the ways down from POLICY end.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from keynote.conditions import conditions_interval
from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation
from keynote.evidence import Evidence
from keynote.licensees import Values, cheapest_way
from keynote.loading import licensee_names
from keynote.locations import Location
from keynote.misses import nearest_miss
from keynote.principals import POLICY, shown_principal
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
    values, reached = _reached(evidence)
    path = _on_the_way(reached, values)
    if path:
        found = [reason for delegation in path if (reason := _condition(evidence, delegation, goal))]
    else:
        found = [Reason(item.where, f"set aside: {item.reason}", 0) for item in evidence.set_aside]
        found += [*_dead_ends(evidence, values), *_dangling(evidence, reached)]
    return tuple(sorted(found, key=lambda reason: reason.distance)[:MAXIMUM])


def _reached(evidence: Evidence) -> tuple[Values, list[Delegation]]:
    """Who would have a value if all Conditions held, and the delegations by which."""
    values: Values = dict.fromkeys([*evidence.requesters, UNKNOWN_LICENSEE], 1)
    reached: dict[Delegation, None] = {}
    agenda = [*evidence.delegations.open]
    for principal in list(values):
        agenda += evidence.delegations.licensed(principal) or ()
    for delegation in agenda:  # grows while it runs
        if delegation in reached or (delegation.licensees is not None and not delegation.licensees.value(values)):
            continue
        reached[delegation] = None
        if delegation.authorizer not in values:
            values[delegation.authorizer] = 1
            agenda += evidence.delegations.licensed(delegation.authorizer) or ()
    return values, list(reached)


def _on_the_way(reached: Sequence[Delegation], values: Values) -> list[Delegation]:
    """Those of the delegations that lead down from POLICY, nearest to it first."""
    return _downwards(reached, lambda principal: principal in values)


def _downwards(delegations: Iterable[Delegation], follow: Callable[[str], bool]) -> list[Delegation]:
    by_authorizer: dict[str, list[Delegation]] = {}
    for delegation in delegations:
        by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
    found: list[Delegation] = []
    seen = {POLICY, UNKNOWN_AUTHORIZER}
    agenda = [POLICY, UNKNOWN_AUTHORIZER]
    for principal in agenda:  # grows while it runs
        for delegation in by_authorizer.get(principal, ()):
            found.append(delegation)
            for licensee in delegation.licensees.principals if delegation.licensees else ():
                if licensee not in seen and follow(licensee):
                    seen.add(licensee)
                    agenda.append(licensee)
    return found


# -- the path exists -------------------------------------------------------------------------------------------------


def _condition(evidence: Evidence, delegation: Delegation, goal: int) -> Reason | None:
    """What the Conditions of a delegation lack, or None if nothing."""
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
    return Reason(where, described(miss.first, delegation.assertion, environment), miss.distance)


# -- a delegation is missing -----------------------------------------------------------------------------------------


def _dead_ends(evidence: Evidence, values: Values) -> list[Reason]:
    """The Licensees fields at which the ways down from POLICY end."""
    found = []
    for delegation in _downwards(evidence.delegations, lambda principal: True):
        if delegation.licensees is not None and not delegation.licensees.value(values):
            found.append(_dead_end(evidence, delegation, values))
    return found or [Reason(None, "no assertion has POLICY as its authorizer", 1)]


def _dead_end(evidence: Evidence, delegation: Delegation, values: Values) -> Reason:
    field = delegation.assertion.licensees
    assert field is not None
    names = licensee_names(delegation.assertion, evidence.environment)
    where = field.where(leftmost(field.tree))
    if not names:
        return Reason(where, "Licensees is empty, which licenses nobody", MAXIMUM)
    supporting, missing = cheapest_way(field.tree, lambda node: names[node] in values)
    if supporting:
        lacking = ", ".join(quoted(shown_principal(names[node])) for node in missing)
        return Reason(where, f"also needs {lacking}", len(missing))
    licensed = _list([shown_principal(name) for name in dict.fromkeys(names.values())])
    return Reason(where, f"licenses {licensed}, not {_list(map(shown_principal, evidence.requesters))}", len(missing))


def _dangling(evidence: Evidence, reached: Sequence[Delegation]) -> list[Reason]:
    """Delegations to the requesters by somebody whom nobody licenses."""
    found = []
    for delegation in reached:
        if not evidence.delegations.licensed(delegation.authorizer):
            field = delegation.assertion.authorizer
            who = quoted(shown_principal(delegation.authorizer))
            found.append(Reason(field.where(field.tree), f"no assertion licenses {who}, who delegates here", 1))
    return found


def _list(names: Iterable[str]) -> str:
    quoted_names = [quoted(name) for name in names]
    if len(quoted_names) > 4:
        return f"{', '.join(quoted_names[:3])} and {len(quoted_names) - 3} others"
    return one_of(quoted_names)
