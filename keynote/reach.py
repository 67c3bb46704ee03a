# SPDX-License-Identifier: ISC
"""Which delegations matter to a query, whatever their Conditions say."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from keynote.evaluator import UNKNOWN_AUTHORIZER, UNKNOWN_LICENSEE, Delegation
from keynote.evidence import Evidence
from keynote.licensees import Values
from keynote.principals import POLICY


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Reach:
    """`values` has the principals who would have a value if all Conditions held; `reached` are the delegations by
    which. `way` are those of them that POLICY leads to, nearest first: if there are none, delegations are missing."""

    values: Values
    reached: list[Delegation]
    way: list[Delegation]


def reach(evidence: Evidence) -> Reach:
    values: Values = dict.fromkeys([*evidence.requesters, UNKNOWN_LICENSEE], 1)
    reached: dict[Delegation, None] = {}
    agenda = [*evidence.delegations.open]
    for principal in list(values):
        agenda += evidence.delegations.licensed(principal) or ()
    agenda = list(dict.fromkeys(agenda))
    for delegation in agenda:  # grows while it runs
        if delegation in reached or (delegation.licensees is not None and not delegation.licensees.value(values)):
            continue
        reached[delegation] = None
        if delegation.authorizer not in values:
            values[delegation.authorizer] = 1
            agenda += evidence.delegations.licensed(delegation.authorizer) or ()
    way = below_policy(reached, lambda principal: principal in values)
    return Reach(values, list(reached), way)


def below_policy(delegations: Iterable[Delegation], follow: Callable[[str], bool]) -> list[Delegation]:
    """Those of the delegations that POLICY leads to through licensees that `follow` says yes to, nearest first."""
    by_authorizer: dict[str, list[Delegation]] = {}
    for delegation in delegations:
        by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
    found: list[Delegation] = []
    agenda = {POLICY: None, UNKNOWN_AUTHORIZER: None}
    todo = list(agenda)
    for principal in todo:  # grows while it runs
        for delegation in by_authorizer.get(principal, ()):
            found.append(delegation)
            for licensee in delegation.licensees.principals if delegation.licensees else ():
                if licensee not in agenda and follow(licensee):
                    agenda[licensee] = None
                    todo.append(licensee)
    return found
