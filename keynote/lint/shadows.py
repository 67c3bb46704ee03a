# SPDX-License-Identifier: ISC
"""Clauses that make no difference, because another holds whenever they do and gives as much.

A clause is known to hold more widely than another if each test that it needs (each operand of its outermost `&&`,
and of the clauses around it) is one that the other needs word for word, or compares one attribute with constants in
such a way that the other's values of it are all among those allowed.

Clauses are looked up by the rarest of their tests, so only few are compared.
"""

from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from keynote import expressions
from keynote.exact_text import exact_text
from keynote.lint.flow import fact, follow, is_fleeting
from keynote.lint.graph import values_in
from keynote.lint.subjects import ClauseFacts, Subject
from keynote.sets import Set
from keynote.syntax import Comparison, Match, Name, Node, Truth, walk

#: Comparisons of two clauses, for each clause of a group at most.
_COMPARISONS: Final = 64


@dataclass(frozen=True, slots=True, eq=False)
class Shadow:
    """Of `subject` a clause, given by its test, or all of it, makes no difference beside a clause of `by`, or all of
    it (None)."""

    subject: Subject
    node: Node | None
    by: Subject
    clause: ClauseFacts | None


@dataclass(frozen=True, slots=True, eq=False)
class _Need:
    """A test that must hold: word for word, or, if it compares one attribute only, by that attribute's values."""

    text: str
    key: str
    values: Set | None

    def met_by(self, other: "_Candidate") -> bool:
        if self.text in other.texts:
            return True
        return self.values is not None and other.values(self.key) <= self.values

    def tokens(self) -> Iterator[Hashable]:
        """By one of these a clause that meets the need is found, unless `values` are too many to list."""
        yield self.text
        for value in (self.values.values or ()) if self.values is not None else ():
            yield self.key, value

    @property
    def listed(self) -> bool:
        return self.values is None or self.values.values is not None


@dataclass(frozen=True, slots=True, eq=False)
class _Candidate:
    number: int
    subject: Subject
    clause: ClauseFacts | None
    value: Hashable
    needs: tuple[_Need, ...]
    texts: frozenset[str]

    def values(self, key: str) -> Set:
        state = self.clause.state if self.clause is not None and self.clause.state is not None else {}
        return values_in(state, key)

    def tokens(self) -> Iterator[Hashable]:
        yield from self.texts
        state = self.clause.state if self.clause is not None and self.clause.state is not None else {}
        for key in state:
            values = state[key].values
            if values:
                yield key, values[0]

    def covers(self, other: "_Candidate") -> bool:
        return self.value in (_HIGHEST, other.value) and all(need.met_by(other) for need in self.needs)


_HIGHEST: Final = ("highest",)


def shadows(subjects: Iterable[Subject]) -> Iterator[Shadow]:
    """In the order of the text, each clause once."""
    groups: dict[Hashable, list[Subject]] = {}
    for subject in subjects:
        if (group := _group(subject)) is not None:
            groups.setdefault(group, []).append(subject)
    for group_members in groups.values():
        yield from _within(_candidates(group_members))


def _group(subject: Subject) -> Hashable:
    """What assertions have in common that say something of the same principals."""
    field = subject.assertion.licensees
    if subject.authorizer is None or None in subject.names.values():
        return None
    if field is None:
        return subject.authorizer, None
    if len(subject.names) == 1:
        return subject.authorizer, *subject.names.values()
    return subject.authorizer, tuple(subject.names.values()), _shape(field.tree)


def _shape(tree: Node) -> str:
    return ",".join(f"{type(node).__name__}{getattr(node, 'k', '')}" for node in walk(tree))


def _candidates(members: Sequence[Subject]) -> list[_Candidate]:
    found: list[_Candidate] = []
    total = sum(max(len(subject.clauses), 1) for subject in members)
    if total < 2:
        return found
    for subject in members:
        if subject.assertion.conditions is None:
            found.append(_Candidate(len(found), subject, None, _HIGHEST, (), frozenset()))
            continue
        for clause in subject.leaves:
            found.append(_candidate(len(found), subject, clause))
    return found


def _candidate(number: int, subject: Subject, clause: ClauseFacts) -> _Candidate:
    constants = subject.assertion.constants
    needs = [need for node in clause.conjuncts() if (need := _need(node, constants)) is not None]
    value = _value(subject, clause)
    return _Candidate(number, subject, clause, value, tuple(needs), frozenset(need.text for need in needs))


def _value(subject: Subject, clause: ClauseFacts) -> Hashable:
    node: Any = clause.node.value
    if node is None or (isinstance(node, Name) and node.name == "_MAX_TRUST"):
        return _HIGHEST
    text = expressions.string(node, subject.assertion.constants)
    if isinstance(text, str):
        return _HIGHEST if clause.ipsec and text == "true" else text
    return "computed", id(node)


def _need(node: Node, constants: Mapping[str, str]) -> _Need | None:
    if isinstance(node, Truth) and node.value:
        return None
    text = _resolved_text(node, constants)
    relations = [inner for inner in walk(node) if isinstance(inner, (Comparison, Match))]
    facts = [fact(relation, constants) for relation in relations]
    keys = {found.key if found is not None else None for found in facts}
    if len(keys) == 1 and None not in keys:
        (key,) = keys
        holds = follow(node, {}, constants, {}).holds  # type: ignore[arg-type]
        if holds is not None and key is not None and key in holds:
            return _Need(text, key, holds[key])
    return _Need(text, "", None)


def _resolved_text(node: Node, constants: Mapping[str, str]) -> str:
    """Constants of two assertions may have one name and two values; and `_1` is another one's each time."""
    names = {inner.name for inner in walk(node) if isinstance(inner, Name)}
    used = sorted((name, constants[name]) for name in names & constants.keys())
    own = f"#{id(node)}" if is_fleeting(node) else ""
    return f"{exact_text(node)}{used or ''}{own}"


def _within(candidates: Sequence[_Candidate]) -> Iterator[Shadow]:
    if len(candidates) < 2:
        return
    frequency = Counter(token for candidate in candidates for token in candidate.tokens())
    index: dict[Hashable, list[_Candidate]] = {}
    everywhere: list[_Candidate] = []
    for candidate in candidates:
        listed = [need for need in candidate.needs if need.listed]
        if not listed:
            everywhere.append(candidate)
            continue
        rarest = min(listed, key=lambda need: sum(frequency[token] for token in need.tokens()))
        for token in rarest.tokens():
            index.setdefault(token, []).append(candidate)
    for candidate in candidates:
        others = dict.fromkeys(everywhere[:_COMPARISONS])
        for token in candidate.tokens():
            others.update(dict.fromkeys(index.get(token, ())[:_COMPARISONS]))
        for other in others:
            if other is candidate or not other.covers(candidate):
                continue
            if other.number > candidate.number and candidate.covers(other):
                continue  # of two that are the same, the later one is told
            node = None if candidate.clause is None else candidate.clause.node
            yield Shadow(candidate.subject, node, other.subject, other.clause)
            break
