# SPDX-License-Identifier: ISC
"""What each clause of a Conditions field comes to, for some or for all values of the unknown attributes.

`keynote.conditions` asks what the field gives, as fast as it can, and stops where nothing can change that. This is
for those who ask about every clause: coverage, and what remains of a test once what is known has been put in.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from keynote.compiler import FAILS, HOLDS, CompiledClause, CompiledProgram
from keynote.conditions import UNKNOWN_GROUPS, GroupState, Truth, set_group_state, truth_of
from keynote.environment import PartialEnvironment
from keynote.errors import EvaluationError
from keynote.syntax import Relation


@dataclass(frozen=True, slots=True, eq=False)
class ClauseState:
    """`evaluated` says whether the test is reached: the tests around it hold. `holds` says that it holds as well.
    None is "depends on unknown attributes". `truths` has the relations that can be reached, and `groups_before` the
    groups of the last match before each; `groups` is what the last match leaves behind if the test holds."""

    clause: CompiledClause
    evaluated: bool | None
    holds: bool | None
    truths: Mapping[Relation, Truth]
    groups_before: Mapping[Relation, GroupState]
    groups: GroupState


def clause_states(program: CompiledProgram, environment: PartialEnvironment) -> Iterator[ClauseState]:
    """Every clause, in the order of the text; an order in which a clause comes after the one it is nested in."""
    states: list[ClauseState] = []
    for clause in program.clauses:
        evaluated: bool | None = True
        groups: GroupState = None
        if clause.parent >= 0:
            evaluated, groups = states[clause.parent].holds, states[clause.parent].groups
        if evaluated is False:
            states.append(ClauseState(clause, False, False, {}, {}, None))
        else:
            states.append(_state(clause, evaluated, environment, groups))
        yield states[-1]
    set_group_state(environment, None)


def _state(
    clause: CompiledClause, evaluated: bool | None, environment: PartialEnvironment, groups: GroupState
) -> ClauseState:
    truths: dict[Relation, Truth] = {}
    groups_before: dict[Relation, GroupState] = {}
    reached: dict[int, GroupState] = {clause.start: groups}

    def reach(place: int, with_groups: GroupState) -> None:
        reached[place] = with_groups if reached.get(place, with_groups) == with_groups else UNKNOWN_GROUPS

    for number, (_, holds, fails) in enumerate(clause.steps):
        if number not in reached:
            continue
        before = reached[number]
        truth, after = truth_of(clause, number, environment, before)
        truths[clause.relations[number]], groups_before[clause.relations[number]] = truth, before
        if isinstance(truth, EvaluationError):
            reach(FAILS, before)
            continue
        if truth is None and clause.fallible[number]:
            reach(FAILS, before)
        if truth is not False:
            reach(holds, after)
        if truth is not True:
            reach(fails, before)
    holding: bool | None = False
    if HOLDS in reached:
        holding = True if evaluated is True and FAILS not in reached else None
    return ClauseState(clause, evaluated, holding, truths, groups_before, reached.get(HOLDS))
