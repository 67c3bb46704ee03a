# SPDX-License-Identifier: ISC
"""The Conditions compliance value of an assertion (RFC 2704 5.3.4), exactly or as an interval.

A test over unknown attributes is followed along every exit that some value of theirs could take. That is a logic of
four values: a relation holds, fails, is unknown, or is a run-time error, which leaves the test at once and makes it
fail, whatever stands around it. What can be reached at the end bounds every completion's answer; correlations
between tests are not followed, so the bound need not be tight.
"""

from enum import Enum
from typing import Final

from keynote.compiler import FAILS, HOLDS, CompiledClause, CompiledProgram
from keynote.environment import Environment, PartialEnvironment, Scale, UnknownAttribute, get_groups, set_groups
from keynote.errors import EvaluationError

Interval = tuple[int, int]


def conditions_value(program: CompiledProgram, environment: Environment, scale: Scale) -> int:
    """The highest value among the clauses whose test holds, as an index into the scale; 0 if there is none."""
    clauses = program.clauses
    kept = _Groups(environment) if program.reads_groups else None
    best = number = 0
    while number < len(clauses):
        clause = clauses[number]
        if kept is not None:
            kept.enter(clause)
        if not test_holds(clause, environment):
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


def test_holds(clause: CompiledClause, environment: Environment) -> bool:
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
        self._after: dict[int, tuple[str, ...] | None] = {-1: None}

    def enter(self, clause: CompiledClause) -> None:
        set_groups(self._environment, self._after[clause.parent])

    def leave(self, number: int) -> None:
        self._after[number] = get_groups(self._environment)


# -- unknown attributes ----------------------------------------------------------------------------------------------


class _Mixed(Enum):
    """The groups at a place that is reached on several ways, with different groups."""

    UNKNOWN = "unknown"


_Reached = tuple[str, ...] | None | _Mixed
_UNKNOWN: Final = _Mixed.UNKNOWN


def conditions_interval(program: CompiledProgram, environment: PartialEnvironment, scale: Scale) -> Interval:
    """The lowest and the highest value that the clauses can give."""
    lowest = highest = number = 0
    certain: dict[int, bool] = {-1: True}
    groups: dict[int, _Reached] = {-1: None}
    while number < len(program.clauses):
        clause = program.clauses[number]
        exits = _reached_exits(clause, environment, groups[clause.parent])
        if HOLDS not in exits:
            number = clause.next
            continue
        certain[number] = certain[clause.parent] and FAILS not in exits
        groups[number] = exits[HOLDS]
        if not clause.holds_others:
            low, high = _value_interval(clause, environment, scale, exits[HOLDS])
            highest = max(highest, high)
            if certain[number]:
                lowest = max(lowest, low)
        number += 1
    _set_groups(environment, None)
    return lowest, highest


def _reached_exits(clause: CompiledClause, environment: PartialEnvironment, groups: _Reached) -> dict[int, _Reached]:
    """The exits of a clause's test that can be reached, with the groups there."""
    reached: dict[int, _Reached] = {clause.start: groups}
    for number, (predicate, holds, fails) in enumerate(clause.steps):
        if number not in reached:
            continue
        before = reached.pop(number)
        _set_groups(environment, before)
        try:
            taken = predicate(environment)
        except EvaluationError:
            _reach(reached, FAILS, before)
        except UnknownAttribute:
            _reach(reached, holds, _UNKNOWN)
            _reach(reached, fails, before)
            if clause.fallible[number]:
                _reach(reached, FAILS, before)
        else:
            after = _UNKNOWN if environment.groups_unknown else get_groups(environment)
            _reach(reached, holds if taken else fails, after)
    return reached


def _reach(reached: dict[int, _Reached], place: int, groups: _Reached) -> None:
    reached[place] = groups if reached.get(place, groups) == groups else _UNKNOWN


def _set_groups(environment: PartialEnvironment, groups: _Reached) -> None:
    environment.groups_unknown = groups is _UNKNOWN
    set_groups(environment, None if isinstance(groups, _Mixed) else groups)


def _value_interval(
    clause: CompiledClause, environment: PartialEnvironment, scale: Scale, groups: _Reached
) -> Interval:
    _set_groups(environment, groups)
    try:
        value = clause_value(clause, environment, scale)
    except UnknownAttribute:
        return 0, scale.top
    return value, value
