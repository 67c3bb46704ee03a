# SPDX-License-Identifier: ISC
"""Runs the checks over parsed assertions, and makes findings of what they say."""

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Final

from keynote.assertions import Assertion
from keynote.errors import Problem
from keynote.excerpts import Excerpts
from keynote.limits import Limits
from keynote.lint.comments import Directive, Ignored
from keynote.lint.findings import Check, Draft, Finding
from keynote.lint.subjects import Policy, Subject, subjects
from keynote.lint.table import CHECKS, NOT_KEYNOTE, USELESS_COMMENT
from keynote.locations import Source
from keynote.redaction import hiding
from keynote.secrecy import keys_of

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
    ipsec: bool = False,
    progress: Progress = lambda done, total: None,
) -> tuple[Finding, ...]:
    """What is doubtful in these assertions, which are looked at together: in the order of the text.

    `policies` are trusted, `credentials` are believed for their signatures. `now` has a time zone; windows of time
    are held against it. `codes` are the checks to run, all if None. With `ipsec` all clauses that may hold for the
    IKE daemon are looked at as those for it, also where they do not test app_domain.
    """
    wanted = [check for check in CHECKS.values() if codes is None or check.code in codes]
    total = len(policies) + len(credentials) + len(wanted)
    read: list[Subject] = []
    for subject in subjects(policies, credentials, limits, ipsec=ipsec):
        read.append(subject)
        if len(read) % 100 == 0:
            progress(len(read), total)
    with hiding([keys_of(subject.assertion for subject in read)]):
        return _findings(read, wanted, now, progress)


def _findings(
    read: Sequence[Subject], wanted: Sequence[Check], now: datetime, progress: Progress
) -> tuple[Finding, ...]:
    policy, total = Policy(read, now), len(read) + len(wanted)
    sources = {id(subject.assertion.source): subject.assertion.source for subject in read}
    ignored = Ignored(sources.values())
    found: dict[tuple[str, int, int], Finding] = {}
    made: dict[int, Excerpts] = {}
    for number, check in enumerate(wanted, 1):
        for draft in check.run(policy) if check.run is not None else ():
            source = draft.subject.assertion.source
            key = (check.code, id(source), draft.at)
            if key not in found and not ignored.takes_back(check.code, source, draft.at):
                found[key] = _finding(check, draft, _excerpts(made, draft.subject.assertion))
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


def _excerpts(made: dict[int, Excerpts], assertion: Assertion) -> Excerpts:
    """Made once for each assertion, in which thousands of clauses may stand."""
    found = made.get(id(assertion))
    if found is None:
        # A field that the checks speak of may stand behind the end of what is signed.
        end = assertion.source.text.find("\n\n", assertion.end)
        end = len(assertion.source.text) if end < 0 else end
        found = made[id(assertion)] = Excerpts(assertion.source, assertion.start, end)
    return found


def _finding(check: Check, draft: Draft, excerpts: Excerpts) -> Finding:
    source = draft.subject.assertion.source
    return _found(check, source, draft.at, draft.message, draft.hint, excerpts)


def _found(check: Check, source: Source, at: int, message: str, hint: str, excerpts: Excerpts) -> Finding:
    where = source.location(at)
    line_start, line = source.line(where.line)
    character = _character(line[: at - line_start]) + 1
    return Finding(check.code, check.severity, message, where, hint, excerpts.at(at), character)


def _character(before: str) -> int:
    """How many characters a line begins with, if its bytes are UTF-8, and else how many bytes."""
    try:
        return len(before.encode("latin-1").decode())
    except UnicodeError:
        return len(before)


def _useless(directive: Directive, ran: Collection[str]) -> Iterator[Finding]:
    for message, hint in _useless_codes(directive, ran):
        source = directive.source
        excerpts = Excerpts(source, directive.piece, directive.piece_end)
        yield _found(USELESS_COMMENT, source, directive.at, message, hint, excerpts)


def _useless_codes(directive: Directive, ran: Collection[str]) -> Iterator[tuple[str, str]]:
    if not directive.codes:
        yield "this comment names no code", "write `# lint: ignore KN111`"
    for word in dict.fromkeys(directive.codes):
        codes = {code for code in CHECKS if code.startswith(word)}
        if not codes:
            close = difflib.get_close_matches(word, [code for code in CHECKS if code[:3] == word[:3]], n=1)
            yield f"there is no code `{word}`", f"did you mean `{close[0]}`?" if close else ""
        elif NOT_KEYNOTE.code in codes:
            yield f"`{NOT_KEYNOTE.code}` cannot be ignored", ""
        elif any(CHECKS[code].by_clock for code in codes):
            continue  # the time of such a comment may be to come
        elif word not in directive.used and codes.issubset(ran) and codes != {USELESS_COMMENT.code}:
            yield f"`{word}` finds nothing here, so this comment ignores nothing", "take it away"
