# SPDX-License-Identifier: ISC
"""Checks of windows of time: what has ended, and what is about to."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

from keynote.facts import OPPOSITE
from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.graph import values_in
from keynote.lint.subjects import ClauseFacts, Policy, Subject
from keynote.sets import compared
from keynote.syntax import Node

#: How long before its end a window is told of.
SOON: Final = timedelta(days=30)
_FORM: Final = "%Y%m%d%H%M%S"
_CLOCKS: Final = ("GMTTimeOfDay", "LocalTimeOfDay")


def is_time(text: str) -> bool:
    """Whether a clock can be held against a text: a time, the beginning of one from its year on, or what comes before
    or after all of them."""
    if not text.strip("0") or (not text.strip("9") and len(text) >= 4):
        return True
    if not (text.isascii() and text.isdigit() and len(text) in _LENGTHS):
        return False
    try:
        return datetime.strptime(text, _FORM[: _LENGTHS[len(text)]]).year >= _FIRST_YEAR
    except ValueError:
        return False


#: How much of the form so many digits are. A time of day alone would be a year long past.
_LENGTHS: Final = {4: 2, 6: 4, 8: 6, 10: 8, 12: 10, 14: 12}
_FIRST_YEAR: Final = 1970


def expired(policy: Policy) -> Iterator[Draft]:
    for subject, clause, clock, end in _windows(policy):
        if not _open(clause, clock, policy.now):
            message = f"the window is over: {clock} had to be {end[1]}, and it is {policy.now:{_FORM}}"
            yield subject.in_conditions(end[0], message, "renew it, or take the clause away")


def expiring(policy: Policy) -> Iterator[Draft]:
    for subject, clause, clock, end in _windows(policy):
        if _open(clause, clock, policy.now) and not _open(clause, clock, policy.now + SOON):
            message = f"the window ends within {SOON.days} days: {clock} has to be {end[1]}"
            yield subject.in_conditions(end[0], message, "renew it in time")


def _windows(policy: Policy) -> Iterator[tuple[Subject, ClauseFacts, str, tuple[Node, str]]]:
    """The clauses that give something until some time, with the relation that says until when."""
    for subject in policy.subjects:
        for clause in subject.leaves:
            for clock in _CLOCKS:
                state = clause.state
                if state is not None and clock in state and (end := _end(clause, clock)):
                    yield subject, clause, clock, end


def _open(clause: ClauseFacts, clock: str, time: datetime) -> bool:
    """Whether the clause can still hold at some time from this one on."""
    assert clause.state is not None, "a window has a state"
    text = (time.astimezone() if clock == "LocalTimeOfDay" else time).strftime(_FORM)
    return bool(values_in(clause.state, clock) & compared(">=", text))


def _end(clause: ClauseFacts, clock: str) -> tuple[Node, str] | None:
    """The earliest upper bound in the text."""
    found: list[tuple[str, Node, str]] = []
    for passage in clause.passages():
        known = passage.fact
        if known is None or known.name != clock or not isinstance(known.value, str):
            continue
        operator = OPPOSITE[known.operator] if passage.negated else known.operator
        if operator in ("<", "<=", "=="):
            found.append((known.value, passage.relation, f"{operator} `{known.value}`"))
    return min(found, key=lambda bound: bound[0])[1:] if found else None


CHECKS: Final = (
    Check(
        "KN401",
        Severity.WARNING,
        "window of time that is over",
        "From now on the clause never holds. Now is `--now`, or else the clock.",
        'Conditions: app_domain == "IPsec policy" && GMTTimeOfDay <= "20200101000000" -> "true";',
        "Renew it, or take it away.",
        expired,
        by_clock=True,
    ),
    Check(
        "KN402",
        Severity.INFO,
        "window of time that ends soon",
        f"In {SOON.days} days the clause will never hold.",
        'Conditions: app_domain == "IPsec policy" && GMTTimeOfDay <= "20260620000000" -> "true";',
        "Renew it in time.",
        expiring,
        by_clock=True,
    ),
)
