# SPDX-License-Identifier: ISC
"""Runs the checks over parsed assertions, and makes findings of what they say."""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from keynote.assertions import Assertion
from keynote.errors import Problem
from keynote.excerpts import excerpt
from keynote.limits import Limits
from keynote.lint.comments import Directive, Ignored
from keynote.lint.findings import Check, Finding
from keynote.lint.subjects import Policy, Subject, subjects
from keynote.lint.table import CHECKS, NOT_KEYNOTE, USELESS_COMMENT
from keynote.locations import Source

_DEFAULT_LIMITS: Final = Limits()

#: Told how much is done, of how much.
Progress = Callable[[int, int], None]


def lint(
    policies: Sequence[Assertion],
    credentials: Sequence[Assertion] = (),
    *,
    now: datetime,
    codes: Collection[str] | None = None,
    limits: Limits = _DEFAULT_LIMITS,
    progress: Progress = lambda done, total: None,
) -> tuple[Finding, ...]:
    """What is doubtful in these assertions, which are looked at together: in the order of the text.

    `policies` are trusted, `credentials` are believed for their signatures. `now` has a time zone; windows of time
    are held against it. `codes` are the checks to run, all if None.
    """
    wanted = [check for check in CHECKS.values() if codes is None or check.code in codes]
    total = len(policies) + len(credentials) + len(wanted)
    read: list[Subject] = []
    for subject in subjects(policies, credentials, limits):
        read.append(subject)
        if len(read) % 100 == 0:
            progress(len(read), total)
    policy = Policy(read, now)
    sources = {id(subject.assertion.source): subject.assertion.source for subject in read}
    ignored = Ignored(sources.values())
    found: dict[tuple[str, int, int], Finding] = {}
    for number, check in enumerate(wanted, 1):
        for draft in check.run(policy) if check.run is not None else ():
            source = draft.subject.assertion.source
            key = (check.code, id(source), draft.at)
            if key not in found and not ignored.takes_back(check.code, source, draft.at):
                assertion = draft.subject.assertion
                found[key] = _finding(check, source, draft.at, draft.message, draft.hint, assertion)
        progress(len(read) + number, total)
    findings = list(found.values())
    if USELESS_COMMENT in wanted:
        ran = {check.code for check in wanted}
        findings += (finding for each in ignored.directives for finding in _useless(each, ran))
    return in_order(findings)


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    return tuple(
        sorted(findings, key=lambda found: (found.where.file, found.where.line, found.where.column, found.code))
    )


def unreadable(problems: Iterable[Problem]) -> Iterator[Finding]:
    """Mistakes of the text, as findings."""
    for problem in problems:
        yield Finding(
            NOT_KEYNOTE.code,
            NOT_KEYNOTE.severity,
            problem.message,
            problem.where,
            problem.hint,
            problem.excerpt,
            problem.where.column,
        )


def _finding(
    check: Check, source: Source, at: int, message: str, hint: str, assertion: Assertion | None = None
) -> Finding:
    where = source.location(at)
    start, end = (assertion.start, assertion.end) if assertion is not None else (at, len(source.text))
    line_start, line = source.line(where.line)
    shown = excerpt(source, at, start, max(end, at))
    return Finding(check.code, check.severity, message, where, hint, shown, _character(line[: at - line_start]) + 1)


def _character(before: str) -> int:
    """How many characters a line begins with, if its bytes are UTF-8, and else how many bytes."""
    try:
        return len(before.encode("latin-1").decode())
    except UnicodeError:
        return len(before)


def _useless(directive: Directive, ran: Collection[str]) -> Iterator[Finding]:
    source, at = directive.source, directive.at
    if not directive.codes:
        yield _finding(USELESS_COMMENT, source, at, "this comment names no code", "write `# lint: ignore KN111`")
    for code in dict.fromkeys(directive.codes):
        if code not in CHECKS:
            close = difflib.get_close_matches(code, CHECKS, n=1)
            hint = f"did you mean `{close[0]}`?" if close else ""
            yield _finding(USELESS_COMMENT, source, at, f"there is no code `{code}`", hint)
        elif code == NOT_KEYNOTE.code:
            yield _finding(USELESS_COMMENT, source, at, f"`{code}` cannot be ignored", "")
        elif code in ran and code not in directive.used and code != USELESS_COMMENT.code:
            message = f"`{code}` finds nothing here, so this comment ignores nothing"
            yield _finding(USELESS_COMMENT, source, at, message, "take it away")
