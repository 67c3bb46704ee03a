# SPDX-License-Identifier: ISC
"""Checks of windows of time: what has ended, and what is about to."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from keynote import expressions
from keynote.facts import OPPOSITE
from keynote.lint import patterns
from keynote.lint.findings import Check, Draft, Severity
from keynote.lint.flow import Passage, State, attribute
from keynote.lint.graph import values_in
from keynote.lint.subjects import ClauseFacts, Policy, Subject
from keynote.redaction import quoted
from keynote.sets import compared
from keynote.syntax import Match, Relation

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
    def over(state: State, clock: str) -> bool:
        return not _open(state, clock, policy.now)

    for subject, end in _ends(policy, over):
        what = "the window" if end.whole else "this part of the test"
        message = f"{what} is over: {end.clock} had to be {end.bound}, and it is {policy.now:{_FORM}}"
        yield subject.in_conditions(end.relation, message, f"renew it, or take {end.named} away")


def expiring(policy: Policy) -> Iterator[Draft]:
    def ending(state: State, clock: str) -> bool:
        return _open(state, clock, policy.now) and not _open(state, clock, policy.now + SOON)

    for subject, end in _ends(policy, ending):
        what = "the window" if end.whole else "this part of the test"
        message = f"{what} ends within {SOON.days} days: {end.clock} has to be {end.bound}"
        yield subject.in_conditions(end.relation, message, "renew it in time")


@dataclass(frozen=True, slots=True)
class _End:
    """The relation by which a clause as a `whole`, or an alternative in it, holds until some time."""

    relation: Relation
    clock: str
    bound: str
    whole: bool = False

    @property
    def named(self) -> str:
        return "the clause" if self.whole else "it"


def _ends(policy: Policy, ended: Callable[[State, str], bool]) -> Iterator[tuple[Subject, _End]]:
    """Of clauses that give something, and of alternatives in them, those of which it is asked."""
    for subject in policy.subjects:
        told: set[Relation] = set()
        for clause in subject.leaves:
            for clock in _CLOCKS:
                end = _of_clause(subject, clause, clock, ended)
                found = _of_parts(subject, clause, clock, ended) if end is None else [end]
                for each in found:
                    if each.relation not in told:
                        told.add(each.relation)
                        yield subject, each


def _of_clause(subject: Subject, clause: ClauseFacts, clock: str, ended: Callable[[State, str], bool]) -> _End | None:
    """By its earliest upper bound in the text."""
    if clause.state is None or not ended(clause.state, clock):
        return None
    found = [bound for passage in clause.passages() if (bound := _bound(subject, passage, clock)) is not None]
    if not found:
        return None
    _, relation, words = min(found, key=lambda each: each[0])
    return _End(relation, clock, words, whole=True)


def _of_parts(
    subject: Subject, clause: ClauseFacts, clock: str, ended: Callable[[State, str], bool]
) -> Iterator[_End]:
    for passage in clause.passages():
        after = passage.fails if passage.negated else passage.holds
        bound = _bound(subject, passage, clock)
        if bound is not None and after is not None and ended(after, clock) and not ended(passage.before, clock):
            _, relation, words = bound
            yield _End(relation, clock, words)


def _open(state: State, clock: str, time: datetime) -> bool:
    """Whether what leads to the state can still hold at some time from this one on."""
    text = (time.astimezone() if clock == "LocalTimeOfDay" else time).strftime(_FORM)
    return bool(values_in(state, clock) & compared(">=", text)) and bool(
        values_in(state, f"@{clock}") & compared(">=", int(text))
    )


def _bound(subject: Subject, passage: Passage, clock: str) -> tuple[str, Relation, str] | None:
    """Until when a relation holds, if it says that: the text of the time, and in words."""
    relation, known, constants = passage.relation, passage.fact, subject.assertion.constants
    if known is not None and known.name == clock:
        operator = OPPOSITE[known.operator] if passage.negated else known.operator
        return (str(known.value), relation, f"{operator} {quoted(str(known.value))}") if operator in _UNTIL else None
    if isinstance(relation, Match) and not passage.negated and attribute(relation.subject, constants) == clock:
        pattern = expressions.string(relation.pattern, constants)
        if isinstance(pattern, str) and (begun := patterns.beginnings(pattern)):
            return max(begun), relation, f"like {quoted(pattern)}"
    return None


_UNTIL: Final = ("<", "<=", "==")


CHECKS: Final = (
    Check(
        "KN401",
        Severity.WARNING,
        "window of time that is over",
        "From now on the clause, or an alternative in its test, never holds. Now is `--now`, or else the clock.",
        'Conditions: app_domain == "IPsec policy" && GMTTimeOfDay <= "20200101000000" -> "true";',
        "Renew it, or take it away.",
        expired,
        by_clock=True,
    ),
    Check(
        "KN402",
        Severity.INFO,
        "window of time that ends soon",
        f"In {SOON.days} days the clause, or an alternative in its test, will never hold.",
        'Conditions: app_domain == "IPsec policy" && GMTTimeOfDay <= "20260620000000" -> "true";',
        "Renew it in time.",
        expiring,
        by_clock=True,
    ),
)
