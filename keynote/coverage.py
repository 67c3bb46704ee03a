# SPDX-License-Identifier: ISC
"""Which clauses a table of queries has tried: those that were never evaluated, and those that never held.

A clause is evaluated in a query if its assertion's licensees have a value, and the tests around it hold; whether the
evaluator looked at it, or could end before, does not matter. So the figures depend on neither the order of assertions
nor that of clauses, and are computed from what a decision keeps, at no cost to other queries. An assertion without
Conditions counts as one clause, which always holds.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from keynote.assertions import Assertion
from keynote.conditions import conditions_interval
from keynote.evaluator import UNKNOWN_LICENSEE, Delegation
from keynote.evidence import Evidence
from keynote.explanation import Decision
from keynote.licensees import Values
from keynote.locations import Location
from keynote.partial import clause_states
from keynote.printing import printed
from keynote.reach import reach
from keynote.redaction import hiding
from keynote.session import Session
from keynote.syntax import Clause, Node, Program, leftmost


@dataclass(slots=True)
class ClauseCount:
    """In how many queries a clause was evaluated, and in how many it held whatever unknown attributes are."""

    where: Location
    text: str
    evaluated: int = 0
    held: int = 0


class Coverage:
    """Counts over many queries, of any number of policies. `file` of places is as the command line named it."""

    def __init__(self) -> None:
        self._counts: dict[Location, ClauseCount] = {}
        self._seen: dict[int, Session] = {}  # by their ids, and kept, so that no other has that id

    def watch(self, session: Session, folder: Path) -> None:
        """Count the clauses of these assertions, whose files are named relative to `folder`."""
        if id(session) in self._seen:
            return
        self._seen[id(session)] = session
        with hiding(session.keys):
            self._add_clauses(session, folder)

    def _add_clauses(self, session: Session, folder: Path) -> None:
        for assertion in session.assertions():
            if assertion.conditions is None:
                self._add(folder, assertion.authorizer.where(assertion.authorizer.tree), "(no conditions)")
                continue
            for clause in _clauses(assertion.conditions.tree):
                self._add(folder, _place(assertion, clause), _text(clause))

    def count(self, decision: Decision, folder: Path) -> None:
        """One query, of a session that is watched."""
        evidence = decision.evidence
        for delegation in evaluated(evidence):
            assertion, program = delegation.assertion, delegation.conditions
            if program is None:
                count = self._counts[_from(folder, assertion.authorizer.where(assertion.authorizer.tree))]
                count.evaluated += 1
                count.held += 1
                continue
            for state in clause_states(program, evidence.partial_environment()):
                count = self._counts[_from(folder, _place(assertion, state.clause.node))]
                count.evaluated += state.evaluated is not False
                count.held += state.holds is True

    @property
    def clauses(self) -> tuple[ClauseCount, ...]:
        """Every clause, in the order of the text."""
        return tuple(sorted(self._counts.values(), key=lambda it: (it.where.file, it.where.line, it.where.column)))

    @property
    def never_evaluated(self) -> tuple[ClauseCount, ...]:
        return tuple(count for count in self.clauses if not count.evaluated)

    @property
    def never_true(self) -> tuple[ClauseCount, ...]:
        """Those that were evaluated, and never held."""
        return tuple(count for count in self.clauses if count.evaluated and not count.held)

    @property
    def evaluated_percentage(self) -> float:
        return self._percentage(len(self._counts) - len(self.never_evaluated))

    @property
    def true_percentage(self) -> float:
        return self._percentage(sum(count.held > 0 for count in self._counts.values()))

    def _percentage(self, number: int) -> float:
        return 100.0 * number / len(self._counts) if self._counts else 100.0

    def _add(self, folder: Path, where: Location, text: str) -> None:
        place = _from(folder, where)
        self._counts.setdefault(place, ClauseCount(place, text))


def evaluated(evidence: Evidence) -> list[Delegation]:
    """The delegations whose licensees have a value, or may have one, so that their Conditions count.

    It is the fixed point again, but to its end: the evaluator stops when POLICY has the highest value.
    """
    environment, scale = evidence.partial_environment(), evidence.scale
    values: Values = dict.fromkeys([*evidence.requesters, UNKNOWN_LICENSEE], scale.top)
    reached = reach(evidence).reached
    found: dict[Delegation, int] = {}
    rising = True
    while rising:
        rising = False
        for delegation in reached:
            licensed = scale.top if delegation.licensees is None else delegation.licensees.value(values)
            if not licensed:
                continue
            if delegation not in found:
                program = delegation.conditions
                found[delegation] = (
                    scale.top if program is None else conditions_interval(program, environment, scale)[1]
                )
            value = min(licensed, found[delegation])
            if value > values.get(delegation.authorizer, 0):
                values[delegation.authorizer] = value
                rising = True
    return list(found)


def _clauses(program: Program) -> Iterator[Clause]:
    todo = list(reversed(program.clauses))
    while todo:
        clause = todo.pop()
        yield clause
        if isinstance(clause.value, Program):
            todo += reversed(clause.value.clauses)


def _text(clause: Clause) -> str:
    node: Node = clause.test if isinstance(clause.value, Program) else clause
    return printed(node, 120) + (" -> { … }" if isinstance(clause.value, Program) else "")


def _place(assertion: Assertion, clause: Clause) -> Location:
    assert assertion.conditions is not None
    return assertion.conditions.where(leftmost(clause))


def _from(folder: Path, where: Location) -> Location:
    return Location(os.path.normpath(folder / where.file), where.line, where.column)
