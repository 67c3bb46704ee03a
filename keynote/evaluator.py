# SPDX-License-Identifier: ISC
"""The policy compliance value: the least fixed point of RFC 2704 5.3 over the delegation graph.

Values start at the lowest and can only rise, so they are raised from the requesters upwards until nothing changes:
only assertions that license somebody with a value are looked at, each again when a licensee rises. The answer does
not depend on the order of the assertions, and cycles need no care. A search down from POLICY would evaluate a
cycle's members with values of each other that are not there yet.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from keynote.assertions import Assertion
from keynote.compiler import CompiledProgram
from keynote.licensees import CompiledLicensees
from keynote.licensees import Values as Values
from keynote.principals import POLICY


@dataclass(frozen=True, slots=True, eq=False)
class Delegation:
    """An assertion ready to be evaluated. `authorizer` is canonical; None in `licensees` or `conditions` is a field
    that is missing, which gives the highest value."""

    assertion: Assertion
    authorizer: str
    licensees: CompiledLicensees | None
    conditions: CompiledProgram | None


@dataclass(frozen=True, slots=True)
class Raise:
    """A principal's value rose because of a delegation. In the order of events these are a proof of the answer."""

    principal: str
    value: int
    delegation: Delegation


# In interval queries, principals that depend on unknown attributes. No principal contains NUL.
UNKNOWN_LICENSEE: Final = "\0licensee"
UNKNOWN_AUTHORIZER: Final = "\0authorizer"

# Who counts though no assertion licenses it.
_ALWAYS_WANTED: Final = frozenset({POLICY, UNKNOWN_AUTHORIZER})


def fixed_point(
    requesters: Iterable[str],
    licensed: Callable[[str], Sequence[Delegation]],
    open_delegations: Sequence[Delegation],
    conditions: Callable[[Delegation], int],
    top: int,
) -> tuple[Values, list[Raise]]:
    """The value of each principal that has one above the lowest, and how it came by it.

    `licensed` gives the delegations that name a principal as licensee, `open_delegations` are those whose Licensees
    field is missing. Ends early when POLICY has the highest value.
    """
    values: Values = dict.fromkeys(requesters, top)
    raises: list[Raise] = []
    found: dict[int, int] = {}
    if POLICY in values:
        return values, raises
    agenda: list[Delegation] = list(open_delegations)
    for requester in values:
        agenda += licensed(requester)
    if len(values) > 1:
        agenda = list(dict.fromkeys(agenda))
    for delegation in agenda:  # grows while it runs
        authorizer = delegation.authorizer
        current = values.get(authorizer, 0)
        if current == top:
            continue
        value = top if delegation.licensees is None else delegation.licensees.value(values)
        if value <= current:
            continue
        dependants = licensed(authorizer)
        if not dependants and authorizer not in _ALWAYS_WANTED:
            continue
        key = id(delegation)
        if key not in found:
            found[key] = conditions(delegation)
        value = min(value, found[key])
        if value > current:
            values[authorizer] = value
            raises.append(Raise(authorizer, value, delegation))
            if authorizer == POLICY and value == top:
                break
            agenda += dependants
    return values, raises


def index(delegations: Iterable[Delegation]) -> tuple[Mapping[str, list[Delegation]], list[Delegation]]:
    """The delegations by licensee, and those without a Licensees field."""
    by_licensee: dict[str, list[Delegation]] = {}
    open_delegations: list[Delegation] = []
    for delegation in delegations:
        if delegation.licensees is None:
            open_delegations.append(delegation)
            continue
        for principal in delegation.licensees.principals:
            if principal in by_licensee:
                by_licensee[principal].append(delegation)
            else:
                by_licensee[principal] = [delegation]
    return by_licensee, open_delegations
