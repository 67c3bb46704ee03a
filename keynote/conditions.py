# SPDX-License-Identifier: ISC
"""The Conditions compliance value of an assertion (RFC 2704 5.3.4), exactly or as an interval.

A test over unknown attributes is followed along every exit that some value of theirs could take. That is a logic of
four values: a relation holds, fails, is unknown, or is a run-time error, which leaves the test at once and makes it
fail, whatever stands around it. What can be reached at the end bounds every completion's answer; correlations
between relations are not followed, so the bound need not be tight.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Final

from keynote.compiler import FAILS, HOLDS, CompiledClause, CompiledProgram
from keynote.environment import Environment, PartialEnvironment, Scale, UnknownAttribute, get_groups, set_groups
from keynote.errors import EvaluationError
from keynote.syntax import Match

Interval = tuple[int, int]
Groups = tuple[str, ...] | None


def conditions_value(program: CompiledProgram, environment: Environment, scale: Scale) -> int:
    """The highest value among the clauses whose test holds, as an index into the scale; 0 if there is none."""
    clauses = program.clauses
    if len(clauses) == 1 and not clauses[0].holds_others and not program.reads_groups:
        return clause_value(clauses[0], environment, scale) if clause_holds(clauses[0], environment) else 0
    kept = _Groups(environment) if program.reads_groups else None
    best = number = 0
    while number < len(clauses):
        clause = clauses[number]
        if kept is not None:
            kept.enter(clause)
        if not clause_holds(clause, environment):
            number = clause.next
            continue
        if kept is not None:
            kept.leave(number)
        number += 1
        if not clause.holds_others:
            value = clause_value(clause, environment, scale)
            if value > best:
                best = value
                if best == scale.top:
                    break
    if kept is not None:
        set_groups(environment, None)
    return best


def clause_holds(clause: CompiledClause, environment: Environment) -> bool:
    at, steps = clause.start, clause.steps
    try:
        while at >= 0:
            predicate, holds, fails = steps[at]
            at = holds if predicate(environment) else fails
    except EvaluationError:
        return False
    return at == HOLDS


def clause_value(clause: CompiledClause, environment: Environment, scale: Scale) -> int:
    """What a clause gives whose test holds. A value that the query does not know is _MIN_TRUST."""
    if clause.value is None:
        return scale.top
    if isinstance(clause.value, str):
        return scale.index.get(clause.value, 0)
    try:
        return scale.index.get(clause.value(environment), 0)
    except EvaluationError:
        return 0


class _Groups:
    """Keeps `_1` and so on within their clause: nested clauses see what their parent's test matched, no others do."""

    def __init__(self, environment: Environment) -> None:
        self._environment = environment
        self._after: dict[int, Groups] = {-1: None}

    def enter(self, clause: CompiledClause) -> None:
        set_groups(self._environment, self._after[clause.parent])

    def leave(self, number: int) -> None:
        self._after[number] = get_groups(self._environment)


# -- unknown attributes ----------------------------------------------------------------------------------------------


class _Mixed(Enum):
    """The groups at a place that several ways lead to, with different groups; or after a match that is unknown."""

    UNKNOWN = "unknown"


GroupState = Groups | _Mixed
UNKNOWN_GROUPS: Final = _Mixed.UNKNOWN

#: True, False, None for unknown, or the run-time error.
Truth = bool | EvaluationError | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A clause that gives a value, and whose test holds for some values of the unknown attributes, or `certain`ly,
    for all."""

    number: int
    certain: bool
    lowest: int
    highest: int


def conditions_interval(program: CompiledProgram, environment: PartialEnvironment, scale: Scale) -> Interval:
    """The lowest and the highest value that the clauses can give."""
    clauses = program.clauses
    if len(clauses) == 1 and not clauses[0].holds_others and not program.reads_groups:
        exits = _exits(clauses[0], environment)
        if HOLDS not in exits:
            return 0, 0
        low, high = value_interval(clauses[0], environment, scale)
        return 0 if FAILS in exits else low, high
    lowest = highest = 0
    for outcome in outcomes(program, environment, scale):
        highest = max(highest, outcome.highest)
        if outcome.certain:
            lowest = max(lowest, outcome.lowest)
    return lowest, highest


def outcomes(program: CompiledProgram, environment: PartialEnvironment, scale: Scale) -> Iterator[Outcome]:
    """The clauses that give a value, or may, in the order of the text."""
    certain: dict[int, bool] = {-1: True}
    groups: dict[int, GroupState] = {-1: None}
    number = 0
    while number < len(program.clauses):
        clause = program.clauses[number]
        if program.reads_groups:
            exits = _exits_with_groups(clause, environment, groups[clause.parent])
        else:
            exits = dict.fromkeys(_exits(clause, environment))
        if HOLDS not in exits:
            number = clause.next
            continue
        certain[number] = certain[clause.parent] and FAILS not in exits
        groups[number] = exits[HOLDS]
        if not clause.holds_others:
            if program.reads_groups:
                set_group_state(environment, exits[HOLDS])
            yield Outcome(number, certain[number], *value_interval(clause, environment, scale))
        number += 1
    if program.reads_groups:
        set_group_state(environment, None)


def _exits(clause: CompiledClause, environment: PartialEnvironment) -> set[int]:
    """The exits of a clause's test that can be reached."""
    reached = {clause.start}
    for number, (predicate, holds, fails) in enumerate(clause.steps):
        if number not in reached:
            continue
        attribute = clause.attributes[number]
        if attribute is not None and environment.is_unknown(attribute):  # far quicker than the exception
            reached |= {holds, fails}
            continue
        try:
            reached.add(holds if predicate(environment) else fails)
        except EvaluationError:
            reached.add(FAILS)
        except UnknownAttribute:
            reached |= {holds, fails, FAILS} if clause.fallible[number] else {holds, fails}
    return reached


def _exits_with_groups(
    clause: CompiledClause, environment: PartialEnvironment, groups: GroupState
) -> dict[int, GroupState]:
    """The same where relations may read `_1` and so on: with the groups at each exit."""
    reached: dict[int, GroupState] = {clause.start: groups}
    for number, (_, holds, fails) in enumerate(clause.steps):
        if number not in reached:
            continue
        before = reached.pop(number)
        truth, after = truth_of(clause, number, environment, before)
        if truth is None:
            _reach(reached, holds, after)
            _reach(reached, fails, before)
        if isinstance(truth, EvaluationError) or (truth is None and clause.fallible[number]):
            _reach(reached, FAILS, before)
        elif truth is not None:
            _reach(reached, holds if truth else fails, after)
    return reached


def truth_of(
    clause: CompiledClause, number: int, environment: PartialEnvironment, groups: GroupState
) -> tuple[Truth, GroupState]:
    """The truth of one step's relation, and the groups after it if it holds."""
    set_group_state(environment, groups)
    try:
        truth = clause.steps[number][0](environment)
    except EvaluationError as error:
        return error, groups
    except UnknownAttribute:
        return None, UNKNOWN_GROUPS if isinstance(clause.relations[number], Match) else groups
    after = get_groups(environment)
    return truth, UNKNOWN_GROUPS if environment.groups_unknown and after is None else after


def _reach(reached: dict[int, GroupState], place: int, groups: GroupState) -> None:
    reached[place] = groups if reached.get(place, groups) == groups else UNKNOWN_GROUPS


def set_group_state(environment: PartialEnvironment, groups: GroupState) -> None:
    environment.groups_unknown = groups is UNKNOWN_GROUPS
    set_groups(environment, None if isinstance(groups, _Mixed) else groups)


def value_interval(clause: CompiledClause, environment: PartialEnvironment, scale: Scale) -> Interval:
    try:
        value = clause_value(clause, environment, scale)
    except UnknownAttribute:
        return 0, scale.top
    return value, value
