# SPDX-License-Identifier: ISC
"""How far an assertion's Conditions are from holding: the fewest relations that would have to turn out otherwise.

A test's steps and exits are a graph without cycles, whose edges cost nothing where the action leads and one where a
relation would have to change; so the nearest miss is a shortest path.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

from keynote import expressions
from keynote.assertions import NO_CONSTANTS
from keynote.compiler import FAILS, HOLDS, CompiledClause, CompiledProgram
from keynote.conditions import UNKNOWN_GROUPS, GroupState, Truth, set_group_state, truth_of, value_interval
from keynote.environment import PartialEnvironment, Scale
from keynote.errors import EvaluationError
from keynote.facts import attribute, fact
from keynote.syntax import Match, Relation


@dataclass(frozen=True, slots=True, eq=False)
class Change:
    """A relation that would have to be `wanted`; `truth` is what it was, with these `groups` of the last match."""

    relation: Relation
    wanted: bool
    truth: Truth
    groups: GroupState


#: What would have to change: attributes by name, and relations that test more than one attribute, or none.
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


def nearest_miss(
    program: CompiledProgram,
    environment: PartialEnvironment,
    scale: Scale,
    goal: int,
    constants: Mapping[str, str] = NO_CONSTANTS,
) -> Miss | None:
    """The clause with the fewest changes to make. If none can ever hold and give the value `goal`, of those that can
    hold the one that gives most, one that holds now first; None if none can ever hold."""
    best: Miss | None = None
    too_little: tuple[tuple[bool, int], Miss] | None = None
    tests: dict[int, _Test] = {-1: _Test(frozenset(), (), None)}
    for number, clause in enumerate(program.clauses):
        parent = tests.get(clause.parent)
        own = None if parent is None else _nearest(clause, environment, parent.groups, constants)
        if parent is None or own is None:
            continue
        test = _Test(union(parent.needs, own.needs), parent.first or own.first, own.groups)
        if clause.holds_others:
            tests[number] = test
            continue
        set_group_state(environment, test.groups)
        miss = Miss(clause, test.needs, test.first)
        if (value := value_interval(clause, environment, scale)[1]) < goal:
            merit = not miss.first, value
            if too_little is None or merit > too_little[0]:
                too_little = merit, replace(miss, enough=False, given=_given(clause, environment))
        elif best is None or miss.distance < best.distance:
            best = miss
    set_group_state(environment, None)
    return best or (too_little and too_little[1])


def _given(clause: CompiledClause, environment: PartialEnvironment) -> str | None:
    """The value of a clause that is known, and not the highest."""
    if isinstance(clause.value, str):
        return clause.value
    try:
        return None if clause.value is None else clause.value(environment)
    except EvaluationError:
        return None


@dataclass(frozen=True, slots=True, eq=False)
class _Test:
    """The cheapest way through the tests up to a clause, and the groups at its end."""

    needs: Needs
    first: tuple[Change, ...]
    groups: GroupState


def _nearest(
    clause: CompiledClause, environment: PartialEnvironment, groups: GroupState, constants: Mapping[str, str]
) -> _Test | None:
    if clause.start < 0:
        return _Test(frozenset(), (), groups) if clause.start == HOLDS else None
    truths, ends = _truths(clause, environment, groups)
    remaining = _remaining(clause, truths)
    if math.isinf(remaining[clause.start]):
        return None
    return _Test(_needs(clause, truths, remaining, constants), _first_changes(clause, truths, remaining), ends)


# The truth of each step that can be reached, and the groups of the cheapest way to it.
_Truths = dict[int, tuple[Truth, GroupState]]


def _truths(
    clause: CompiledClause, environment: PartialEnvironment, groups: GroupState
) -> tuple[_Truths, GroupState]:
    """The steps' truths, and the groups at the end."""
    costs: dict[int, tuple[int, GroupState]] = {clause.start: (0, groups)}
    truths: _Truths = {}
    for number, (_, holds, fails) in enumerate(clause.steps):
        if number not in costs:
            continue
        cost, before = costs[number]
        truth, after = truth_of(clause, number, environment, before)
        truths[number] = truth, before
        if not truth:
            after = UNKNOWN_GROUPS if isinstance(clause.relations[number], Match) else before
        for place, wanted, state in ((holds, True, after), (fails, False, before)):
            total = cost + _cost(truth, wanted)
            if place not in costs or total < costs[place][0]:
                costs[place] = (total, state)
    return truths, costs[HOLDS][1] if HOLDS in costs else UNKNOWN_GROUPS


def _cost(truth: Truth, wanted: bool) -> int:
    return 0 if truth is None or (not isinstance(truth, EvaluationError) and truth == wanted) else 1


def _remaining(clause: CompiledClause, truths: _Truths) -> dict[int, float]:
    """How many changes lie between each place and the end of the test."""
    remaining: dict[int, float] = {HOLDS: 0, FAILS: math.inf}
    for number in sorted(truths, reverse=True):
        _, holds, fails = clause.steps[number]
        truth, _ = truths[number]
        remaining[number] = min(_cost(truth, True) + remaining[holds], _cost(truth, False) + remaining[fails])
    return remaining


def _needs(
    clause: CompiledClause, truths: _Truths, remaining: dict[int, float], constants: Mapping[str, str]
) -> Needs:
    """What changes on one of the shortest ways."""
    needs: set[object] = set()
    number = clause.start
    while number >= 0:
        _, holds, fails = clause.steps[number]
        truth, _ = truths[number]
        wanted = _cost(truth, True) + remaining[holds] == remaining[number]
        if _cost(truth, wanted) and len(needs) < MOST_NEEDS:
            relation = clause.relations[number]
            attribute = None if isinstance(truth, EvaluationError) else tested_attribute(relation, constants)
            needs.add(attribute or relation)
        number = holds if wanted else fails
    return frozenset(needs)


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


def _first_changes(clause: CompiledClause, truths: _Truths, remaining: dict[int, float]) -> tuple[Change, ...]:
    """The changes with which a shortest way can begin."""
    changes: list[Change] = []
    seen: set[int] = set()
    todo = [clause.start]
    while todo:
        number = todo.pop()
        if number < 0 or number in seen:
            continue
        seen.add(number)
        _, holds, fails = clause.steps[number]
        for place, wanted in ((fails, False), (holds, True)):
            truth, groups = truths[number]
            cost = _cost(truth, wanted)
            if cost + remaining[place] > remaining[number]:
                continue
            if cost:
                changes.append(Change(clause.relations[number], wanted, truth, groups))
            else:
                todo.append(place)
    return tuple(changes)
