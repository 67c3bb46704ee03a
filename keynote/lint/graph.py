# SPDX-License-Identifier: ISC
"""Who delegates to whom among the assertions that are looked at."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final

from keynote.costs import costs
from keynote.lint.actions import can_hold
from keynote.lint.flow import State, values_of
from keynote.lint.subjects import SCHEMA, ClauseFacts, Policy, Subject
from keynote.principals import POLICY, is_key
from keynote.schemas.ipsec import APP_DOMAIN, ATTRIBUTES
from keynote.sets import Set, everything, only
from keynote.syntax import Name, Nobody, walk

IPSEC: Final[Mapping[str, Set]] = {"app_domain": only([APP_DOMAIN])}
# The three forms in which the daemon gives a pre-shared key.
_PASSPHRASES: Final = ("passphrase:", "passphrase-md5-hex:", "passphrase-sha1-hex:")


def can_request(principal: str) -> bool:
    """Whether the daemon may ever say that this principal requests something."""
    return is_key(principal) or principal.startswith(("DN:", *_PASSPHRASES))


def by_authorizer(policy: Policy) -> Mapping[str, list[Subject]]:
    def compute() -> dict[str, list[Subject]]:
        found: dict[str, list[Subject]] = {}
        for subject in policy.subjects:
            if subject.authorizer is not None:
                found.setdefault(subject.authorizer, []).append(subject)
        return found

    result: Mapping[str, list[Subject]] = policy.once("by_authorizer", compute)
    return result


def for_ipsec(policy: Policy) -> Collection[Subject]:
    """The assertions that are for IPsec: those that test its app_domain, or leave it open and test an attribute of
    IPsec's, and those below them that do not exclude it."""
    found: Collection[Subject] = policy.once("for_ipsec", lambda: _for_ipsec(policy))
    return found


def _for_ipsec(policy: Policy) -> Collection[Subject]:
    issuers = by_authorizer(policy)
    found = dict.fromkeys(
        subject for subject in policy.subjects if subject.ipsec or any(map(_tests_ipsec, subject.leaves))
    )
    todo = list(found)
    for subject in todo:  # grows while it runs
        for name in subject.names.values():
            for below in issuers.get(name or "", ()):
                if below not in found and _may_hold(below, IPSEC, _may_allow):
                    found[below] = None
                    todo.append(below)
    return found


def _tests_ipsec(clause: ClauseFacts) -> bool:
    return _may_allow(clause, IPSEC) and any(
        isinstance(node, Name) and node.name in ATTRIBUTES and node.name != "app_domain"
        for passage in clause.passages()
        for node in walk(passage.relation)
    )


def ways(policy: Policy, wanted: Mapping[str, Set]) -> Iterator[tuple[Subject, ClauseFacts | None]]:
    """The clauses of POLICY's own assertions by which an action that has these attributes could be allowed to
    somebody; None stands for Conditions that are missing.

    Keys are those of a `State`. Somebody is whoever can request, and whoever somebody delegates to; assertions whose
    principals depend on the action are left out.
    """
    backed = _backed(policy, wanted)
    for subject in policy.believed:
        if not subject.is_policy or not _satisfied(subject, backed.__contains__):
            continue
        if subject.assertion.conditions is None:
            yield subject, None
        for clause in subject.leaves:
            if _allows(clause, wanted):
                yield subject, clause


def _allows(clause: ClauseFacts, wanted: Mapping[str, Set]) -> bool:
    """Whether the clause can hold for an action of the daemon's with these attributes."""
    return _may_allow(clause, wanted) and can_hold(clause, wanted)


def _may_allow(clause: ClauseFacts, wanted: Mapping[str, Set]) -> bool:
    """Whether its state leaves that open."""
    state = clause.state
    return state is not None and all(values_in(state, key) & values for key, values in wanted.items())


def values_in(state: State, key: str) -> Set:
    """The values that a key can have, by the state or else by the schema."""
    return state.get(key, everything(int)) if key.startswith("@") else values_of(state, key, SCHEMA)


def _backed(policy: Policy, wanted: Mapping[str, Set]) -> set[str]:
    """The principals who could request, or delegate to somebody who can."""
    waiting: dict[str, list[Subject]] = {}
    backed: set[str] = set(policy.once("requesters", lambda: _requesters(policy)))
    agenda: list[Subject] = []
    for subject in policy.believed:
        authorizer = subject.authorizer
        if authorizer in (None, POLICY) or can_request(authorizer) or not _may_hold(subject, wanted, _allows):
            continue
        agenda.append(subject)
        for name in subject.names.values():
            if name is not None and not can_request(name):
                waiting.setdefault(name, []).append(subject)
    for subject in agenda:  # grows while it runs
        authorizer = subject.authorizer
        if authorizer is not None and authorizer not in backed and _satisfied(subject, backed.__contains__):
            backed.add(authorizer)
            agenda += waiting.get(authorizer, ())
    return backed


def _requesters(policy: Policy) -> set[str]:
    names = {name for subject in policy.subjects for name in subject.names.values() if name is not None}
    return {name for name in names if can_request(name)}


def _may_hold(
    subject: Subject, wanted: Mapping[str, Set], allows: Callable[[ClauseFacts, Mapping[str, Set]], bool]
) -> bool:
    return subject.assertion.conditions is None or any(allows(clause, wanted) for clause in subject.leaves)


def _satisfied(subject: Subject, supports: Callable[[object], bool]) -> bool:
    field = subject.assertion.licensees
    if field is None:
        return True
    if isinstance(field.tree, Nobody):
        return False
    return not costs(field.tree, lambda node: float(not supports(subject.names[node])))[field.tree]


def cycles(policy: Policy) -> Iterator[list[Subject]]:
    """Assertions by which authority comes back to where it was, one way round for each knot of principals."""
    issuers = by_authorizer(policy)
    edges = {principal: _licensed(subjects) for principal, subjects in issuers.items()}
    for knot in _knots(edges):
        yield _round(knot, edges)


def _licensed(subjects: Iterable[Subject]) -> dict[str, Subject]:
    return {name: subject for subject in subjects for name in subject.names.values() if name is not None}


def _knots(edges: Mapping[str, Mapping[str, object]]) -> Iterator[set[str]]:
    """The strongly connected components that hold a cycle (Tarjan's algorithm, without recursion)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: dict[str, None] = {}
    for root in edges:
        todo: list[tuple[str, Iterator[str]]] = [] if root in index else [_entered(root, edges, index, low, stack)]
        while todo:
            node, rest = todo[-1]
            child = next(rest, None)
            if child is None:
                todo.pop()
                if todo:
                    low[todo[-1][0]] = min(low[todo[-1][0]], low[node])
                if low[node] == index[node]:
                    knot = _popped(stack, node)
                    if len(knot) > 1 or node in edges[node]:
                        yield knot
            elif child in edges and child not in index:
                todo.append(_entered(child, edges, index, low, stack))
            elif child in stack:
                low[node] = min(low[node], index[child])


def _entered(
    node: str,
    edges: Mapping[str, Mapping[str, object]],
    index: dict[str, int],
    low: dict[str, int],
    stack: dict[str, None],
) -> tuple[str, Iterator[str]]:
    index[node] = low[node] = len(index)
    stack[node] = None
    return node, iter(edges[node])


def _popped(stack: dict[str, None], node: str) -> set[str]:
    knot: set[str] = set()
    while node not in knot:
        knot.add(stack.popitem()[0])
    return knot


def _round(knot: set[str], edges: Mapping[str, Mapping[str, Subject]]) -> list[Subject]:
    """A shortest way within a knot back to the principal that comes first in the text."""
    start = next(principal for principal in edges if principal in knot)
    came: dict[str, tuple[str, Subject]] = {}
    todo = [start]
    for principal in todo:  # grows while it runs
        for other, subject in edges[principal].items():
            if other in knot and other not in came:
                came[other] = (principal, subject)
                todo.append(other)
    way: list[Subject] = []
    principal = start
    while not way or principal != start:
        principal, subject = came[principal]
        way.append(subject)
    return way[::-1]
