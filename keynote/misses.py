# SPDX-License-Identifier: ISC
"""How far an assertion's Conditions are from holding: the fewest relations that would have to turn out otherwise.

A test's steps and exits are a graph without cycles, whose edges cost nothing where the action leads and one where a
relation would have to change; so the nearest miss is a shortest path. Where no action leads there is no edge: a
relation of constants stays what it is, and one that always fails leads nowhere. Nor is a path one that wants an
attribute to be two things at once: then one is looked for on which it has one value.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from keynote import expressions
from keynote.compiler import FAILS, HOLDS, CompiledClause, CompiledProgram
from keynote.conditions import UNKNOWN_GROUPS, GroupState, Truth, set_group_state, truth_of, value_interval
from keynote.environment import PartialEnvironment, Scale
from keynote.errors import EvaluationError
from keynote.facts import attribute, fact
from keynote.supposing import anything, tried, truth_if
from keynote.syntax import Dereference, Match, Name, Relation, walk


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A relation that would have to be `wanted`; `truth` is what it was, with these `groups` of the last match."""

    relation: Relation
    wanted: bool
    truth: Truth
    groups: GroupState


#: What would have to change: attributes by name, and relations that read more than one attribute, or none.
#: Nobody counts beyond `MOST_NEEDS`.
Needs = frozenset[object]
MOST_NEEDS: Final = 64


def union(some: Needs, others: Needs) -> Needs:
    larger, smaller = (some, others) if len(some) >= len(others) else (others, some)
    return larger if len(larger) >= MOST_NEEDS or smaller <= larger else larger | smaller


@dataclass(frozen=True, slots=True, eq=False)
class Miss:
    """A clause that nearly gave the value. One of the changes in `first` would be needed first, and `needs` are all
    of them. Unless it gives `enough`, it gives too little, whether it holds already or not: the value `given`, or
    None if that is a run-time error."""

    clause: CompiledClause
    needs: Needs
    first: tuple[Change, ...]
    enough: bool = True
    given: str | None = None

    @property
    def holds(self) -> bool:
        return not self.first

    @property
    def distance(self) -> int:
        return len(self.needs)


#: Clauses of which it is found out whether they want one attribute to be two things at once, and relations that are
#: looked at for it.
_REFINED: Final = 20
_RELATIONS: Final = 20_000


def nearest_miss(
    program: CompiledProgram,
    environment: PartialEnvironment,
    scale: Scale,
    goal: int,
    supposed: Sequence[PartialEnvironment] = (),
) -> Miss | None:
    """The clause with the fewest changes to make. If none can ever hold and give the value `goal`, of those that can
    hold the one that gives most, one that holds now first; None if none can ever hold.

    With `supposed` actions it is the nearest of the clauses that give the value, on ways that one of them may take;
    None if there is none.
    """
    search = _Search(program, environment, scale, goal)
    return search.nearest_in(supposed) if supposed else search.nearest()


#: A step of a clause, and what its relation is wanted to be.
_Wanted = tuple[CompiledClause, int, bool]


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """The cheapest way through the tests up to a clause, what it wants of the last of them, and the groups at its
    end."""

    needs: Needs
    first: tuple[Change, ...]
    wanted: tuple[_Wanted, ...]
    groups: GroupState


_START: Final = _Test(frozenset(), (), (), None)


class _Search:
    def __init__(self, program: CompiledProgram, environment: PartialEnvironment, scale: Scale, goal: int) -> None:
        self._program = program
        self._environment = environment
        self._scale = scale
        self._goal = goal
        self._left = _RELATIONS

    def nearest(self) -> Miss | None:
        tests = self._tests(None, range(len(self._program.clauses)))
        heap: list[tuple[int, int, bool, Miss]] = []
        too_little: list[tuple[bool, int, int, Miss]] = []
        for number, test in tests.items():
            if not self._program.clauses[number].holds_others:
                miss, value = self._miss(number, test)
                if value >= self._goal:
                    heap.append((miss.distance, number, False, miss))
                else:
                    too_little.append((bool(miss.first), -value, number, miss))
        heapq.heapify(heap)
        for _ in range(_REFINED):
            if not heap:
                break
            _, number, final, miss = heapq.heappop(heap)
            if final:
                return miss
            refined = self._refined(number, tests, miss)
            if refined is not None:
                heapq.heappush(heap, (refined.distance, number, True, refined))
        if heap:
            return heap[0][3]
        for _, _, number, miss in sorted(too_little, key=lambda item: item[:3]):
            if miss.holds or self._refined(number, tests, miss) is not None:
                return replace(miss, enough=False, given=_given(miss.clause, self._environment))
        return None

    def nearest_in(self, supposed: Iterable[PartialEnvironment], numbers: Sequence[int] | None = None) -> Miss | None:
        best: Miss | None = None
        for action in supposed:
            tests = self._tests(action, range(len(self._program.clauses)) if numbers is None else numbers)
            for number, test in tests.items():
                if not self._program.clauses[number].holds_others and (numbers is None or number == numbers[-1]):
                    miss, value = self._miss(number, test)
                    if (numbers or value >= self._goal) and (best is None or miss.distance < best.distance):
                        best = miss
        return best

    def _miss(self, number: int, test: _Test) -> tuple[Miss, int]:
        """With the value that the clause gives."""
        clause = self._program.clauses[number]
        set_group_state(self._environment, test.groups)
        value = value_interval(clause, self._environment, self._scale)[1]
        set_group_state(self._environment, None)
        return Miss(clause, test.needs, test.first), value

    def _tests(self, action: PartialEnvironment | None, numbers: Iterable[int]) -> dict[int, _Test]:
        """The cheapest way to hold for each of these clauses and those around it, as far as there is one, in such an
        action or in any."""
        tests = {-1: _START}
        for number in numbers:
            clause = self._program.clauses[number]
            parent = tests.get(clause.parent)
            own = None if parent is None else self._nearest(clause, parent.groups, action)
            if parent is not None and own is not None:
                tests[number] = replace(own, needs=union(parent.needs, own.needs), first=parent.first or own.first)
        del tests[-1]
        return tests

    def _nearest(self, clause: CompiledClause, groups: GroupState, action: PartialEnvironment | None) -> _Test | None:
        if clause.start < 0:
            return replace(_START, groups=groups) if clause.start == HOLDS else None
        way = _Way(clause, self._environment, self._program.constants, self._scale, action)
        return way.found(groups)

    def _refined(self, number: int, tests: dict[int, _Test], miss: Miss) -> Miss | None:
        """The nearest to a clause on a way on which each attribute can be all that it has to be, if there is one."""
        constants = self._program.constants
        chain = [number]
        while (parent := self._program.clauses[chain[-1]].parent) >= 0:
            chain.append(parent)
        chain.reverse()
        wanted: dict[str, dict[Relation, _Wanted]] = {}
        for place in chain:
            for clause, step, holds in tests[place].wanted:
                relation = clause.relations[step]
                if (name := tested_attribute(relation, constants)) is not None:
                    wanted.setdefault(name, {})[relation] = clause, step, holds
        for name, relations in wanted.items():
            if len(relations) < 2 or self._left <= 0:
                continue
            values = [*tried(((relation, constants) for relation in relations), name), None]
            actions = [anything(self._scale, name, value) for value in values]
            self._left -= len(relations) * len(actions)
            if not any(
                all(
                    truth_if(clause, step, action, constants) in (None, holds)
                    for clause, step, holds in relations.values()
                )
                for action in actions
            ):
                steps = sum(len(self._program.clauses[place].steps) for place in chain)
                self._left -= steps * len(actions)
                return self.nearest_in(actions, chain)
        return miss


def _given(clause: CompiledClause, environment: PartialEnvironment) -> str | None:
    """The value of a clause that is known, and not the highest."""
    if isinstance(clause.value, str):
        return clause.value
    try:
        return None if clause.value is None else clause.value(environment)
    except EvaluationError:
        return None


class _Way:
    """The cheapest way through the test of one clause, in such an `action` as it may be then, or in any."""

    def __init__(
        self,
        clause: CompiledClause,
        environment: PartialEnvironment,
        constants: Mapping[str, str],
        scale: Scale,
        action: PartialEnvironment | None,
    ) -> None:
        self._clause = clause
        self._environment = environment
        self._constants = constants
        self._action = action or anything(scale)
        self._in_any = action is None
        #: The truth of each step that can be reached, and the groups of the cheapest way to it.
        self._truths: dict[int, tuple[Truth, GroupState]] = {}
        self._costs: dict[tuple[int, bool], float] = {}

    def found(self, groups: GroupState) -> _Test | None:
        ends = self._follow(groups)
        remaining = self._remaining()
        if math.isinf(remaining[self._clause.start]):
            return None
        needs, wanted = self._needs(remaining)
        return _Test(needs, self._first_changes(remaining), wanted, ends)

    def _follow(self, groups: GroupState) -> GroupState:
        """Finds the steps' truths. The groups at the end."""
        clause = self._clause
        costs: dict[int, tuple[float, GroupState]] = {clause.start: (0, groups)}
        for number, (_, holds, fails) in enumerate(clause.steps):
            if number not in costs:
                continue
            cost, before = costs[number]
            truth, after = truth_of(clause, number, self._environment, before)
            self._truths[number] = truth, before
            self._price(number, truth)
            if not truth:
                after = UNKNOWN_GROUPS if isinstance(clause.relations[number], Match) else before
            for place, wanted, state in ((holds, True, after), (fails, False, before)):
                total = cost + self._costs[number, wanted]
                if place not in costs or total < costs[place][0]:
                    costs[place] = (total, state)
        return costs[HOLDS][1] if HOLDS in costs else UNKNOWN_GROUPS

    def _price(self, number: int, truth: Truth) -> None:
        """What it costs that a relation holds, and that it fails: nothing if it does, infinity if it never can."""
        then: Truth = None
        if not self._in_any or (truth is not None and self._clause.attributes[number] is None):
            then = truth_if(self._clause, number, self._action, self._constants)
        for wanted in (True, False):
            cost = 0 if truth is None or truth is wanted else 1
            self._costs[number, wanted] = cost if then is None or then is wanted else math.inf

    def _remaining(self) -> dict[int, float]:
        """How many changes lie between each place and the end of the test."""
        remaining: dict[int, float] = {HOLDS: 0, FAILS: math.inf}
        for number in sorted(self._truths, reverse=True):
            _, holds, fails = self._clause.steps[number]
            remaining[number] = min(
                self._costs[number, True] + remaining[holds], self._costs[number, False] + remaining[fails]
            )
        return remaining

    def _needs(self, remaining: dict[int, float]) -> tuple[Needs, tuple[_Wanted, ...]]:
        """What changes on one of the shortest ways, and all that it wants."""
        needs: set[object] = set()
        path: list[_Wanted] = []
        number = self._clause.start
        while number >= 0:
            _, holds, fails = self._clause.steps[number]
            truth, _ = self._truths[number]
            wanted = self._costs[number, True] + remaining[holds] == remaining[number]
            path.append((self._clause, number, wanted))
            if self._costs[number, wanted] and len(needs) < MOST_NEEDS:
                relation = self._clause.relations[number]
                attribute = None if isinstance(truth, EvaluationError) else only_attribute(relation, self._constants)
                needs.add(attribute or relation)
            number = holds if wanted else fails
        return frozenset(needs), tuple(path)

    def _first_changes(self, remaining: dict[int, float]) -> tuple[Change, ...]:
        """The changes with which a shortest way can begin."""
        changes: list[Change] = []
        seen: set[int] = set()
        todo = [self._clause.start]
        while todo:
            number = todo.pop()
            if number < 0 or number in seen:
                continue
            seen.add(number)
            _, holds, fails = self._clause.steps[number]
            for place, wanted in ((fails, False), (holds, True)):
                truth, groups = self._truths[number]
                cost = self._costs[number, wanted]
                if cost + remaining[place] > remaining[number]:
                    continue
                if cost:
                    changes.append(Change(self._clause.relations[number], wanted, truth, groups))
                else:
                    todo.append(place)
        return tuple(changes)


def only_attribute(relation: Relation, constants: Mapping[str, str]) -> str | None:
    """The attribute that a relation reads, and no other, however it computes with it."""
    if (name := tested_attribute(relation, constants)) is not None:
        return name
    names = set()
    for node in walk(relation):
        if isinstance(node, Dereference):
            return None
        if isinstance(node, Name) and node.name not in constants:
            names.add(node.name)
    name = names.pop() if len(names) == 1 else None
    return None if name is None or name.startswith("_") else name


def tested_attribute(relation: Relation, constants: Mapping[str, str]) -> str | None:
    """The attribute that a relation tests, and nothing else; None if there are several, or none."""
    if isinstance(relation, Match):
        constant = isinstance(expressions.string(relation.pattern, constants), str)
        name = attribute(relation.subject, constants) if constant else None
    else:
        found = fact(relation, constants)
        name = None if found is None else found.name
    # `_1` and so on are what another attribute has in it.
    return None if name is None or name.startswith("_") else name
