# SPDX-License-Identifier: ISC
"""Decisions and results as plain data, for JSON. Principals are written for people: no passphrase comes this way."""

from collections.abc import Iterable
from typing import Any

from keynote import descent
from keynote.coverage import Coverage
from keynote.diff import Differences
from keynote.explanation import Decision
from keynote.files import SetAside
from keynote.locations import Location
from keynote.proof import Step
from keynote.reasons import Reason
from keynote.redaction import shown
from keynote.test import Result
from keynote.who import Candidate, Candidates, Way


def decision_data(decision: Decision) -> dict[str, Any]:
    return {
        "value": shown(str(decision)),
        "lowest": shown(decision.lowest),
        "highest": shown(decision.highest),
        "allowed": decision.allowed,
        "possible": decision.possible,
        "because": decision.because,
        "path": [_step(step) for step in decision.path],
        "reasons": [_reason(reason) for reason in decision.reasons],
        "more_reasons": decision.more_reasons,
        "set_aside": _set_aside_data(decision.set_aside),
    }


def result_data(result: Result) -> dict[str, Any]:
    return {
        "name": result.name,
        "passed": result.passed,
        "expected": result.expected,
        "actual": result.actual,
        "because": result.because,
        "problem": result.problem,
    }


def coverage_data(coverage: Coverage, least: float | None) -> dict[str, Any]:
    """`enough`: at least the percentage that is wanted was true; null if none is."""
    return {
        "clauses": len(coverage.clauses),
        "evaluated_percent": round(coverage.evaluated_percentage, 3),
        "true_percent": round(coverage.true_percentage, 3),
        "enough": None if least is None else coverage.true_percentage >= least,
        "never_evaluated": [{"where": _place(it.where), "text": it.text} for it in coverage.never_evaluated],
        "never_true": [{"where": _place(it.where), "text": it.text} for it in coverage.never_true],
    }


def candidates_data(found: Candidates, set_aside: Iterable[SetAside]) -> dict[str, Any]:
    """Ways share their beginnings, so each step is told once, and `after` is the number of the one before it."""
    steps = _Steps()
    return {
        "candidates": [_candidate(candidate, steps) for candidate in found],
        "steps": steps.data,
        "cut": found.cut,
        "set_aside": _set_aside_data(set_aside),
    }


def differences_data(found: Differences, set_aside: Iterable[SetAside]) -> dict[str, Any]:
    return {
        "decisions": found.decisions,
        "changed": len(found.changed),
        "not_as_recorded": found.otherwise,
        "changes": [
            {
                "where": {"file": it.recorded.where.file, "line": it.recorded.where.line},
                "time": it.recorded.time,
                "about": it.recorded.about,
                "recorded": shown(it.recorded.answer),
                "old": {"value": shown(it.old.value), "because": it.old.because},
                "new": {"value": shown(it.new.value), "because": it.new.because},
            }
            for it in found.changed
        ],
        "set_aside": _set_aside_data(set_aside),
    }


def _set_aside_data(set_aside: Iterable[SetAside]) -> list[dict[str, Any]]:
    return [{"where": _place(item.where), "reason": item.reason} for item in set_aside]


class _Steps:
    def __init__(self) -> None:
        self.data: list[dict[str, Any]] = []
        self._numbers: dict[int, int] = {}  # by the id of the step

    def number(self, last: descent.Step) -> int:
        new = []
        for step in last.backwards():
            if id(step) in self._numbers:
                break
            new.append(step)
        for step in reversed(new):
            self._numbers[id(step)] = len(self.data)
            after = None if step.before is None else self._numbers[id(step.before)]
            place = _place(step.assertion)
            self.data.append({"after": after, "assertion": place, "conditions": list(step.conditions)})
        return self._numbers[id(last)]


def _candidate(candidate: Candidate, steps: _Steps) -> dict[str, Any]:
    return {
        "principals": list(candidate.principals),
        "lowest": shown(candidate.lowest),
        "highest": shown(candidate.highest),
        "ways": [_way(way, steps) for way in candidate.ways],
        "more_ways": candidate.more_ways,
    }


def _way(way: Way, steps: _Steps) -> dict[str, Any]:
    conditions, depends = way.shown_conditions, way.depends
    return {
        "conditions": [*conditions.first, *conditions.last],
        "conditions_left_out": conditions.left_out,
        "depends_on": list(depends.first),
        "more_depends_on": bool(depends.left_out),
        "length": way.last.length,
        "step": steps.number(way.last),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "authorizer": step.authorizer,
        "value": shown(step.value),
        "assertion": _place(step.assertion.where),
        "where": _place(step.where),
        "clause": step.clause,
        "certain": step.certain,
        "remaining": step.remaining,
        "licensees": list(step.licensees),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    where = None if reason.where is None else _place(reason.where)
    return {
        "where": where,
        "text": reason.text,
        "distance": reason.distance,
        "kind": reason.kind,
        "certain": reason.certain,
    }


def _place(where: Location) -> dict[str, Any]:
    return {"file": where.file, "line": where.line, "column": where.column}
