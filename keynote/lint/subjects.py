# SPDX-License-Identifier: ISC
"""What is looked at: assertions with their clauses, and what is known of each, computed once for all checks."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from keynote import expressions, principals, signatures
from keynote.assertions import Assertion, Field
from keynote.errors import SignatureError
from keynote.licensees import principal_nodes
from keynote.limits import Limits
from keynote.lint.findings import Draft
from keynote.lint.flow import ANYTHING, Flow, Passage, Reached, State, follow, must_match
from keynote.principals import POLICY, UndecodableKey
from keynote.schemas import ipsec
from keynote.sets import Set, only
from keynote.syntax import And, Clause, Dereference, Name, Node, Program, StringExpression, joined, leftmost, walk

#: The values of the attributes that have few. One that has only one value is a guard, and worth testing all the same.
SCHEMA: Final[Mapping[str, Set]] = {
    attribute.name: only([*attribute.words, *([""] if attribute.may_be_empty else [])])
    for attribute in ipsec.ATTRIBUTES.values()
    if attribute.kind is ipsec.Kind.CHOICE and len(attribute.words) > 1
}
_GUARDED: Final = only([ipsec.APP_DOMAIN])
_LOWEST: Final = ("false", "_MIN_TRUST")


@dataclass(slots=True, eq=False)
class ClauseFacts:
    """A clause. `state` is what must be true where it holds, the tests around it included; None if it never does.

    `ipsec`: it holds for `app_domain == "IPsec policy"` only, or some clause in it does. `gives`: it has a value of
    its own, and that is not the lowest. `of_daemon` is kept for `keynote.lint.actions`.
    """

    node: Clause
    constants: Mapping[str, str]
    parent: "ClauseFacts | None"
    flow: Flow
    state: Reached
    ipsec: bool
    leaf: bool
    gives: bool
    of_daemon: State | None = None

    def passages(self) -> Iterator[Passage]:
        """Its own and those of the clauses around it, outermost last."""
        clause: ClauseFacts | None = self
        while clause is not None:
            yield from clause.flow.passages
            clause = clause.parent

    def conjuncts(self) -> Iterator[Node]:
        """All tests that must hold."""
        clause: ClauseFacts | None = self
        while clause is not None:
            yield from joined(clause.node.test, And)
            clause = clause.parent


@dataclass(slots=True, eq=False)
class Subject:
    """An assertion. `trusted`: given as policy, not as a credential; `refused` is why a credential's signature does
    not make it believable, and a policy's does not let it stand. `names` has the canonical principal of each
    licensee, None for one that depends on the action."""

    assertion: Assertion
    trusted: bool
    authorizer: str | None
    names: Mapping[StringExpression, str | None]
    clauses: tuple[ClauseFacts, ...]
    refused: str | None

    @property
    def is_policy(self) -> bool:
        return self.trusted and self.authorizer == POLICY

    @property
    def ipsec(self) -> bool:
        return any(clause.ipsec for clause in self.clauses)

    @property
    def leaves(self) -> Iterator[ClauseFacts]:
        """The clauses that give something."""
        return (clause for clause in self.clauses if clause.gives and clause.state is not None)

    def at(self, field: Field[Any], node: Node, message: str, hint: str = "") -> Draft:
        return Draft(self, field.start + leftmost(node).at, message, hint)

    def in_conditions(self, node: Node, message: str, hint: str = "") -> Draft:
        assert self.assertion.conditions is not None, "a node of it is given"
        return self.at(self.assertion.conditions, node, message, hint)

    def in_licensees(self, node: Node, message: str, hint: str = "") -> Draft:
        assert self.assertion.licensees is not None, "a node of it is given"
        return self.at(self.assertion.licensees, node, message, hint)

    def as_a_whole(self, message: str, hint: str = "") -> Draft:
        return self.at(self.assertion.authorizer, self.assertion.authorizer.tree, message, hint)


@dataclass(slots=True)
class Policy:
    """All that is checked together. `now` has a time zone."""

    subjects: Sequence[Subject]
    now: datetime
    _cache: dict[str, Any] = field(default_factory=dict)

    @property
    def believed(self) -> list[Subject]:
        return [subject for subject in self.subjects if subject.refused is None]

    def once(self, name: str, compute: Callable[[], Any]) -> Any:
        """What several checks want to know, computed when the first of them does."""
        if name not in self._cache:
            self._cache[name] = compute()
        return self._cache[name]


def subjects(
    policies: Iterable[Assertion], credentials: Iterable[Assertion], limits: Limits, *, ipsec: bool = False
) -> Iterator[Subject]:
    """The facts of each assertion, in their order. With `ipsec` all clauses are for IPsec that may be."""
    read = _Reader(ipsec)
    for trusted, assertions in ((True, policies), (False, credentials)):
        for assertion in assertions:
            yield _subject(assertion, trusted, limits, read)


class _Reader:
    """Reads the clauses of Conditions, those of equal text and constants once."""

    def __init__(self, ipsec: bool) -> None:
        self._ipsec = ipsec
        self._names: dict[Program, frozenset[str]] = {}
        self._clauses: dict[Hashable, tuple[ClauseFacts, ...]] = {}

    def clauses(self, program: Program, constants: Mapping[str, str]) -> tuple[ClauseFacts, ...]:
        names = self._names.get(program)
        if names is None:
            found = [node for node in walk(program) if isinstance(node, (Name, Dereference))]
            computed = any(isinstance(node, Dereference) for node in found)
            names = (
                frozenset([_ALL]) if computed else frozenset(node.name for node in found if isinstance(node, Name))
            )
            self._names[program] = names
        used = constants if _ALL in names else {name: constants[name] for name in constants.keys() & names}
        key = (program, frozenset(used.items()))
        if key not in self._clauses:
            self._clauses[key] = _clauses(program, used, self._ipsec)
        return self._clauses[key]


#: Stands for every name, where one is computed. It is none itself.
_ALL: Final = "*"


def _subject(assertion: Assertion, trusted: bool, limits: Limits, read: _Reader) -> Subject:
    clauses: tuple[ClauseFacts, ...] = ()
    if assertion.conditions is not None:
        clauses = read.clauses(assertion.conditions.tree, assertion.constants)
    names = {}
    if assertion.licensees is not None:
        names = {node: _principal(node, assertion.constants) for node in principal_nodes(assertion.licensees.tree)}
    authorizer = _principal(assertion.authorizer.tree, assertion.constants)
    return Subject(assertion, trusted, authorizer, names, clauses, _refused(assertion, trusted, limits))


def _principal(node: StringExpression, constants: Mapping[str, str]) -> str | None:
    text = expressions.string(node, constants)
    try:
        return principals.canonical(text) if isinstance(text, str) else None
    except UndecodableKey:
        return None


def _refused(assertion: Assertion, trusted: bool, limits: Limits) -> str | None:
    try:
        if trusted:
            signatures.verify_trusted(assertion)
        else:
            signatures.verify(assertion, legacy=limits.legacy_signatures)
    except SignatureError as error:
        return str(error)
    return None


# -- clauses ---------------------------------------------------------------------------------------------------------


def _clauses(program: Program, constants: Mapping[str, str], ipsec: bool) -> tuple[ClauseFacts, ...]:
    """In the order of the text. Only what is for IPsec is read by its schema, and that shows once it is read."""
    found = _followed(program, constants, lambda node: {}, ipsec)
    guarded = {clause.node for clause in found if clause.ipsec}
    if not guarded:
        return found
    return _followed(program, constants, lambda node: SCHEMA if node in guarded else {}, ipsec)


def _followed(
    program: Program, constants: Mapping[str, str], schema: Callable[[Clause], Mapping[str, Set]], ipsec: bool
) -> tuple[ClauseFacts, ...]:
    found: list[ClauseFacts] = []
    todo: list[tuple[Clause, ClauseFacts | None]] = [(clause, None) for clause in reversed(program.clauses)]
    while todo:
        node, parent = todo.pop()
        start = ANYTHING if parent is None else parent.state
        flow = Flow(None, ()) if start is None else follow(node.test, start, constants, schema(node))
        nested = isinstance(node.value, Program)
        guarded = flow.holds is not None and (_is_guarded(flow, constants) or (ipsec and _may_be_ipsec(flow)))
        gives = not nested and not _is_lowest(node, constants)
        clause = ClauseFacts(node, constants, parent, flow, flow.holds, guarded, not nested, gives)
        found.append(clause)
        if isinstance(node.value, Program):
            todo += [(inner, clause) for inner in reversed(node.value.clauses)]
    return _with_parents(found)


def _is_guarded(flow: Flow, constants: Mapping[str, str]) -> bool:
    """Whether the test holds for the IKE daemon's app_domain only, or for what a pattern takes for it."""
    state = flow.holds
    assert state is not None, "a test that never holds guards nothing"
    if "app_domain" in state and state["app_domain"] <= _GUARDED:
        return True
    return any(
        must_match(state, passage.relation, "app_domain", ipsec.APP_DOMAIN, constants) for passage in flow.passages
    )


def _may_be_ipsec(flow: Flow) -> bool:
    """Whether the test may hold for the IKE daemon's app_domain, and not for others only."""
    state = flow.holds
    assert state is not None, "a test that never holds is for nobody"
    return "app_domain" not in state or bool(state["app_domain"] & _GUARDED)


def _with_parents(clauses: list[ClauseFacts]) -> tuple[ClauseFacts, ...]:
    """A clause is for IPsec if one in it is: then what it tests before is too."""
    guarded = {clause.node for clause in clauses if clause.ipsec}
    for clause in clauses:
        while clause.ipsec and clause.parent is not None and clause.parent.node not in guarded:
            clause = clause.parent
            guarded.add(clause.node)
            clause.ipsec = True
    return tuple(clauses)


def _is_lowest(node: Clause, constants: Mapping[str, str]) -> bool:
    match node.value:
        case None | Program():
            return False
        case Name(name=name) if name not in constants:
            return name in _LOWEST
    return expressions.string(node.value, constants) in _LOWEST
