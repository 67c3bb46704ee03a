# SPDX-License-Identifier: ISC
"""Decisions and results as plain data, for JSON. Principals are written for people: no passphrase comes this way."""

from typing import Any

from keynote.errors import Problem
from keynote.explanation import Decision
from keynote.locations import Location
from keynote.proof import Step
from keynote.reasons import Reason
from keynote.redaction import shown
from keynote.test import Result


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
        "set_aside": [{"where": _place(item.where), "reason": item.reason} for item in decision.set_aside],
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


def problem_data(problem: Problem) -> dict[str, Any]:
    return {"where": _place(problem.where), "message": problem.message, "hint": problem.hint}


def _step(step: Step) -> dict[str, Any]:
    return {
        "authorizer": step.authorizer,
        "value": shown(step.value),
        "assertion": _place(step.assertion.where),
        "where": _place(step.where),
        "clause": step.clause,
        "certain": step.certain,
        "licensees": list(step.licensees),
    }


def _reason(reason: Reason) -> dict[str, Any]:
    where = None if reason.where is None else _place(reason.where)
    return {"where": where, "text": reason.text, "distance": reason.distance, "kind": reason.kind}


def _place(where: Location) -> dict[str, Any]:
    return {"file": where.file, "line": where.line, "column": where.column}
