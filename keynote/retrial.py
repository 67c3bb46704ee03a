# SPDX-License-Identifier: ISC
"""What single attributes would bring about: the query is asked again, with other values of one attribute at a time.

A denial is told by what each test lacks, but two tests may want the same attribute otherwise. So what is told is held
against the whole policy: with which values of which attribute the action would be allowed, and by which assertions;
and which assertions no value of an attribute leads through.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from typing import Final

from keynote import expressions
from keynote.assertions import Assertion
from keynote.bounds import Bounds
from keynote.compiler import CompiledProgram, names_read
from keynote.costs import costs, costs_of_others
from keynote.environment import Environment, PartialEnvironment, completed, is_attribute_name
from keynote.evaluator import (
    UNKNOWN_AUTHORIZER,
    UNKNOWN_LICENSEE,
    Delegation,
    Layer,
    Values,
    fixed_point,
)
from keynote.licensees import principal_nodes
from keynote.loading import delegations
from keynote.misses import Miss, tested_attribute
from keynote.principals import POLICY
from keynote.printing import printed
from keynote.routes import Link, Routes
from keynote.supposing import Also, Supposed, anything, highest_if, near, tried
from keynote.syntax import Concatenation, Dereference, Literal, Name, Relation, joined, walk

#: Relations that may be looked at for one denial: some milliseconds.
_WORK: Final = 60_000
#: Characters of a value with which work goes on as with none; and nodes of a relation that are counted: with more
#: there is no time for anything.
_SHORT: Final = 256
_NODES: Final = _WORK
#: What a walk along the exits costs, where asking costs one.
_WALK: Final = 10

_Conditions = Callable[[CompiledProgram], int]


@dataclass(slots=True, eq=False)
class Trials:
    """What was found out for a denial.

    `solutions` has the values of an attribute with which the action is allowed, by each delegation that leads to it
    then; `tried` all values that were tried. `told` keeps what was found out of each link, and `nearest` the nearest
    miss of a program by its identity where an attribute has a value.
    """

    found: Routes
    solutions: dict[Delegation, dict[str, list[str]]] = field(default_factory=dict)
    tried: dict[str, list[str]] = field(default_factory=dict)
    told: dict[Link, object] = field(default_factory=dict)
    nearest: dict[tuple[int, str, str], Miss | None] = field(default_factory=dict)
    _left: int = _WORK
    _size: int = 0
    _longest: int = 0
    _relations: dict[str, dict[tuple[Relation, int], tuple[Relation, Mapping[str, str]]]] = field(
        default_factory=dict
    )
    #: The programs on the ways that do not hold: one of them has to, or nothing changes.
    _failing: dict[CompiledProgram, None] = field(default_factory=dict)
    _by_authorizer: dict[str, list[Delegation]] = field(default_factory=dict)
    _contested: dict[str, bool] = field(default_factory=dict)
    _may: dict[tuple[str, ...], frozenset[Delegation] | None] = field(default_factory=dict)
    _ever: dict[str, dict[str | None, frozenset[Delegation]] | None] = field(default_factory=dict)

    # -- questions ---------------------------------------------------------------------------------------------------

    def may(self, delegation: Delegation, names: frozenset[str]) -> bool | None:
        """Whether authority may come through a delegation if only these attributes are otherwise, and have none of
        the values that were tried. None if there is no time to find out."""
        key = tuple(sorted(names))
        if key not in self._may:
            self._may[key] = self._reached_if(names) if self._spend(_WALK) else None
        found = self._may[key]
        return None if found is None else delegation in found

    def ever(self, delegation: Delegation, name: str) -> Sequence[str | None] | None:
        """The values of an attribute with which any action comes through a delegation, as far as anybody knows: those
        that tests compare it with and their neighbours, and None for any other. None at all if there is no time."""
        if name not in self._ever:
            self._ever[name] = self._ever_of(name)
        found = self._ever[name]
        return None if found is None else [value for value, reached in found.items() if delegation in reached]

    def relations(self, name: str) -> Iterable[tuple[Relation, Mapping[str, str]]]:
        """Those that read an attribute, with the local constants beside which they stand."""
        return self._relations.get(name, {}).values()

    def contested(self, name: str) -> bool:
        """Whether different assertions test an attribute differently, and there is time to find out more."""
        if name not in self._contested:
            texts: dict[int, set[str]] = {}
            for relation, program in self._relations.get(name, {}) if self._left > 0 else ():
                texts.setdefault(program, set()).add(printed(relation, _LONG))
            first, *others = texts.values() or [set()]
            self._contested[name] = any(other != first for other in others)
        return self._contested[name]

    def with_principals(self, added: Sequence[str]) -> dict[Delegation, list[str]] | None:
        """The delegations through which authority comes if these principals request the action too, and which of them
        each of its fields wants; none if it comes without the requesters as well. None at all if there is no time."""
        if not self._spend():
            return None
        evidence, goal = self.found.evidence, self.found.goal
        text = ",".join((evidence.asked_by.text, *added))
        conditions = Bounds(evidence.facts, text, evidence.unknown, evidence.scale).highest
        if self._value_of_policy(self._values(conditions, added)) >= goal:
            return {}
        values = self._values(conditions, (*evidence.requesters, *added))
        held = dict.fromkeys((*self.found.held(), *added), goal)
        wanted: dict[Delegation, list[str]] = {}
        for delegation in self._reached(conditions, values):
            licensees = delegation.licensees
            wanted[delegation] = []
            if licensees is not None:
                # Nobody has it by himself; those who have it by the new ones count where it takes them.
                there = held if licensees.value(held) >= goal else {**values, delegation.authorizer: 0}
                named = (name for name in licensees.principals if name in added)
                wanted[delegation] = [name for name in named if licensees.value({**there, name: 0}) < goal]
        return wanted

    # -- trials ------------------------------------------------------------------------------------------------------

    def run(self) -> None:
        self._survey()
        for name in self._names():
            if not self._spend():
                return
            self._try(name)

    def _spend(self, times: int = 1) -> bool:
        self._left -= (self._size + 10) * times
        return self._left > 0

    def _price(self, relation: Relation, attribute: str | None) -> int:
        """What it costs to look at a relation: more where a long value is computed with, or searched."""
        if attribute is not None:
            return 1
        return sum(1 for _ in islice(walk(relation), _NODES)) * (1 + self._longest // _SHORT) ** 2

    def afford(self, program: CompiledProgram) -> bool:
        """Whether there is time to look at a program once more."""
        self._left -= 2 * sum(
            sum(map(self._price, clause.relations, clause.attributes))
            for clause in islice(program.clauses, max(0, self._left))
        )
        return self._left > 0

    def _survey(self) -> None:
        """What the tests on the ways read."""
        self._longest = max(map(len, self.found.environment.values()), default=0)
        programs: dict[int, CompiledProgram] = {}
        for link in self.found.links:
            delegation = link.delegation
            if link.refused is None:
                self._by_authorizer.setdefault(delegation.authorizer, []).append(delegation)
                if delegation.conditions is not None:
                    programs[id(delegation.conditions)] = delegation.conditions
                    if not link.holds:
                        self._failing[delegation.conditions] = None
        for program in programs.values():
            for clause in program.clauses:
                self._size += sum(map(self._price, clause.relations, clause.attributes))
                if self._size > _WORK:
                    return
                for relation in clause.relations:
                    for name in names_in(relation, program.constants, self.found.evidence.facts):
                        relations = self._relations.setdefault(name, {})
                        relations[relation, id(program)] = relation, program.constants

    def _names(self) -> Iterator[str]:
        """The attributes that may be worth a trial, those first that seem to be all that is lacking."""
        claimed = [
            need
            for link in self.found.links
            for need in self.found.totals[link][1]
            if isinstance(need, str) and len(self.found.totals[link][1]) == 1
        ]
        fields = _read_by_fields(self.found)
        if fields is None:
            return
        for name in dict.fromkeys([*claimed, *self._relations]):
            # Who is licensed is found out by a query of its own.
            if name in self._relations and name not in fields:
                yield name

    def _try(self, name: str) -> None:
        found, evidence = self.found, self.found.evidence
        facts = evidence.facts.copy()
        facts.pop(name, None)
        bounds = Bounds(facts, evidence.asked_by.text, Also({name}, evidence.unknown), evidence.scale)
        may_hold = any(bounds.highest(program) >= found.goal for program in self._failing)
        requesters = evidence.requesters
        if not may_hold or self._value_of_policy(self._values(bounds.highest, requesters)) < found.goal:
            self.tried[name] = []
            self._may[name,] = frozenset()
            return
        values = self._tried(name)
        self.tried[name] = []
        for value in values:
            if not self._spend():
                return
            self.tried[name].append(value)
            conditions = Bounds(
                {**facts, name: value}, evidence.asked_by.text, evidence.unknown, evidence.scale
            ).highest
            for delegation in self._reached(conditions):
                self.solutions.setdefault(delegation, {}).setdefault(name, []).append(value)

    def _tried(self, name: str) -> list[str]:
        relations = self._relations[name].values()
        values = tried(relations, name)
        if all(tested_attribute(relation, constants) == name for relation, constants in relations):
            return values
        # What is compared with other attributes may have to be what they are, or just not.
        others = (value for value in self.found.evidence.facts.values() if len(value) <= _LONG)
        beside = chain.from_iterable(near(value) for value in others)
        literals = chain.from_iterable(
            tried(relations.values(), other) for other, relations in self._relations.items() if other != name
        )
        return list(dict.fromkeys([*values, *beside, "", "0", "1", "-1", *literals]))[:_MOST]

    def _reached_if(self, names: frozenset[str]) -> frozenset[Delegation]:
        evidence = self.found.evidence
        known = completed(evidence.facts, evidence.asked_by.text, evidence.scale)
        for name in names:
            known.pop(name, None)
        (other,) = names if len(names) == 1 else ("",)
        action = Supposed(known, Also(names, evidence.unknown), other)
        return frozenset(self._reached(self._if(action)))

    def _ever_of(self, name: str) -> dict[str | None, frozenset[Delegation]] | None:
        found: dict[str | None, frozenset[Delegation]] = {}
        for value in (*tried(self._relations[name].values(), name), None):
            if not self._spend(_WALK):
                return None
            action = anything(self.found.evidence.scale, name, value)
            found[value] = frozenset(self._reached(self._if(action)))
        return found

    def _if(self, action: PartialEnvironment) -> _Conditions:
        scale = self.found.evidence.scale
        return lambda program: highest_if(program, action, scale)

    # -- the fixed point, and what it rests on -----------------------------------------------------------------------

    def _values(self, conditions: _Conditions, requesters: Sequence[str]) -> Values:
        evidence = self.found.evidence
        # Nothing comes to more than the top, so that it does not end before all have what they come to.
        top = evidence.scale.top + 1
        values, _ = fixed_point((*requesters, UNKNOWN_LICENSEE), evidence.delegations, conditions, top)
        return values

    def _value_of_policy(self, values: Values) -> int:
        return max(values.get(POLICY, 0), values.get(UNKNOWN_AUTHORIZER, 0))

    def _reached(self, conditions: _Conditions, values: Values | None = None) -> Iterator[Delegation]:
        """The delegations through which authority comes from POLICY to a requester, if it does."""
        remembered: dict[int, int] = {}

        def kept(program: CompiledProgram) -> int:
            if id(program) not in remembered:
                remembered[id(program)] = conditions(program)
            return remembered[id(program)]

        goal = self.found.goal
        values = values or self._values(kept, self.found.evidence.requesters)
        if self._value_of_policy(values) < goal:
            return
        agenda = dict.fromkeys((POLICY, UNKNOWN_AUTHORIZER))
        todo = list(agenda)
        for principal in todo:  # grows while it runs
            for delegation in self._by_authorizer.get(principal, ()):
                program, licensees = delegation.conditions, delegation.licensees
                if (program is not None and kept(program) < goal) or (
                    licensees is not None and licensees.value(values) < goal
                ):
                    continue
                yield delegation
                for name in self._carrying(delegation, values):
                    if name not in agenda:
                        agenda[name] = None
                        todo.append(name)

    def _carrying(self, delegation: Delegation, values: Values) -> Iterator[str]:
        """The licensees on whom it rests."""
        tree = delegation.assertion.licensees
        if tree is None or delegation.licensees is None:
            return
        if delegation.licensee is not None:
            yield delegation.licensee
            return
        names, goal = self.found.names(delegation), self.found.goal
        lacking = costs(tree.tree, lambda node: 0.0 if values.get(names[node], 0) >= goal else 1.0)
        for node, others in costs_of_others(tree.tree, lacking).items():
            if lacking[node] <= 0 and others <= 0:
                yield names[node]  # type: ignore[index]


#: Values that are tried where an attribute is compared with others, and the longest of theirs.
_MOST: Final = 64
_LONG: Final = 1_000


def trials(found: Routes) -> Trials:
    """Of a denial; empty where no way leads to the requesters. Kept with it."""
    if found.trials is None:
        made = Trials(found)
        if found.connected:
            made.run()
        found.trials = made
    result: Trials = found.trials
    return result


#: Attributes in Licensees fields that are tried, and delegations that are looked at for it.
_NAMED: Final = 20
_LOOKED_AT: Final = 200_000


def named_by_attributes(found: Routes) -> Iterator[tuple[Delegation, str, str]]:
    """The delegations that lead to a requester if an attribute in the Licensees field names him, or completes his
    name, which one, and the value that does; the query was asked again with it."""
    evidence, scale, goal = found.evidence, found.evidence.scale, found.goal
    variable = evidence.delegations.latest
    if not variable or not _is_variable(variable[0].assertion):
        return
    _, sources = delegations(one.assertion for one in variable)
    held = dict.fromkeys(found.held(), goal)
    asked = 0
    for before in variable:
        if before.licensees is None or before.licensees.value(held) >= goal:
            continue
        for name, around in _names_of_licensees(before.assertion):
            for requester in evidence.requesters if name not in evidence.unknown or name in evidence.facts else ():
                value = _between(requester, around)
                if value is None:
                    continue
                asked += 1
                if asked > _NAMED or asked * (len(variable) + len(found.links)) > _LOOKED_AT:
                    return
                facts = {**evidence.facts, name: value}
                known = PartialEnvironment(completed(facts, evidence.asked_by.text, scale), evidence.unknown)
                resolved = [one for source in sources if (one := source.resolved(known)) is not None]
                conditions = Bounds(facts, evidence.asked_by.text, evidence.unknown, scale).highest
                values, _ = fixed_point(
                    (*evidence.requesters, UNKNOWN_LICENSEE),
                    evidence.delegations.with_latest(Layer(resolved)),
                    conditions,
                    scale.top + 1,
                )
                if max(values.get(POLICY, 0), values.get(UNKNOWN_AUTHORIZER, 0)) >= goal and any(
                    one.assertion is before.assertion and one.licensees and one.licensees.value(values) >= goal
                    for one in resolved
                ):
                    yield before, name, value


def _is_variable(assertion: Assertion) -> bool:
    parts = (assertion.authorizer, assertion.licensees)
    return any(
        part is not None
        and not isinstance(part.tree, Literal)
        and any(isinstance(it, Name) and it.name not in assertion.constants for it in walk(part.tree))
        for part in parts
    )


def _names_of_licensees(assertion: Assertion) -> list[tuple[str, tuple[str, str]]]:
    """The attributes each of which is a licensee, or is all that is not constant in his name, and what stands before
    and behind it there."""
    field, constants = assertion.licensees, assertion.constants
    found: dict[tuple[str, tuple[str, str]], None] = {}
    for node in () if field is None else principal_nodes(field.tree):
        name, texts = "", ["", ""]
        for piece in joined(node, Concatenation):
            text = expressions.string(piece, constants)
            if isinstance(text, str):
                texts[bool(name)] += text
            elif name or not isinstance(piece, Name) or not is_attribute_name(piece.name):
                break
            else:
                name = piece.name
        else:
            if name:
                found[name, (texts[0], texts[1])] = None
    return list(found)


def _between(text: str, around: tuple[str, str]) -> str | None:
    before, behind = around
    if len(before) + len(behind) <= len(text) and text.startswith(before) and text.endswith(behind):
        return text[len(before) : len(text) - len(behind)]
    return None


def _read_by_fields(found: Routes) -> frozenset[str] | None:
    """The attributes by which it depends who licenses whom; None if that may be any."""
    read: set[str] = set()
    for link in found.links:
        assertion = link.delegation.assertion
        for part in (assertion.authorizer, assertion.licensees):
            if part is not None and not isinstance(part.tree, Literal):
                names = names_read(part.tree)
                if names is None:
                    return None
                read |= names - assertion.constants.keys()
    return frozenset(read)


def names_in(relation: Relation, constants: Mapping[str, str], facts: Mapping[str, str]) -> frozenset[str]:
    """The attributes that a relation reads, those too that it names by `$` in an action of these facts."""
    found = set()
    for node in walk(relation):
        if isinstance(node, Name) and node.name not in constants:
            found.add(node.name)
        elif isinstance(node, Dereference) and isinstance(node.operand, (Literal, Name)):
            # Whatever else is computed may be as deep as the text is long.
            name = expressions.string(node.operand, constants)
            found.add(name if isinstance(name, str) else name(Environment(facts)))
    return frozenset(name for name in found if is_attribute_name(name))
