# SPDX-License-Identifier: ISC
"""`keynote lint`: what is doubtful in policies, before somebody relies on them."""

import json
import os
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Final

import click

from keynote.assertions import Assertion
from keynote.cli.inputs import FILE, InputError, each_once, legacy_option, policy_option, policy_text
from keynote.cli.outputs import refuse_input
from keynote.cli.program import json_option, print_json, settled
from keynote.cli.severities import counted, fail_on_options, matters
from keynote.complaints import BadInput, Place
from keynote.errors import Problem
from keynote.files import parse_all
from keynote.limits import Limits
from keynote.lint import CHECKS, Finding, in_order, lint, unreadable
from keynote.lint.engine import Progress
from keynote.lint.pages import page, reference
from keynote.lint.sarif import sarif
from keynote.redaction import quoted

CLEAN: Final = 0
FOUND: Final = 2

_QUERIES: Final = "queries.toml"

_MANY: Final = 500  # assertions from which on it takes long enough to show how far it is


@click.command("lint")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@policy_option(click.Path(path_type=Path))
@click.option(
    "-c", "--credential", "--credentials", "credentials", multiple=True, type=FILE, help="File of credentials."
)
@click.option("--select", multiple=True, metavar="CODES", help="Only these checks: `KN101,KN2`; a prefix will do.")
@click.option("--ignore", multiple=True, metavar="CODES", help="All checks but these.")
@fail_on_options(FOUND)
@click.option("--now", metavar="TIME", help="The time to hold windows against: YYYYMMDDHHMMSS in UTC, or ISO 8601.")
@click.option("--explain", metavar="CODE", help="Say what a check is, or with `all` what all are.")
@click.option("--sarif", "sarif_file", type=FILE, metavar="FILE", help="Write SARIF 2.1.0 as well; `-` prints it.")
@legacy_option()
@json_option()
def command(
    paths: Sequence[Path],
    policies: Sequence[Path],
    credentials: Sequence[Path],
    select: Sequence[str],
    ignore: Sequence[str],
    strict: bool,
    fail_on: str,
    now: str | None,
    explain: str | None,
    sarif_file: Path | None,
    legacy_signatures: bool,
    as_json: bool,
) -> int:
    """Look for what is doubtful in policies.

    The files that are named are looked at together; of a folder, the *.kn files of each folder in it. The exit status
    is 0 if nothing was found that matters (--fail-on), 2 if something was, and 1 for every error.

    A finding is ignored by a comment, `# lint: ignore KN111`: at the end of its line, or on a line of its own for the
    assertion.

    \b
    Example:
      keynote lint policy.kn
      keynote lint --explain KN111
    """
    if explain is not None:
        _explain(explain, as_json)
        return CLEAN
    named = [*paths, *policies]
    if not named and not credentials:
        raise InputError("nothing to look at", hint="name policy files, or credentials with -c")
    codes = _codes(select, ignore)
    time = _time(now)
    findings: list[Finding] = []
    count = 0
    sets = list(_sets(named, credentials))
    if sarif_file is not None:
        read = [path for files in sets for path in chain(*files)]
        refuse_input(sarif_file, [*read, *(path.with_name(_QUERIES) for path in read)])
    for policy_files, credential_files in sets:
        trusted, mistakes = _parsed(policy_files)
        given, also = _parsed(credential_files)
        count += len(trusted) + len(given)
        findings += unreadable([*mistakes, *also])
        with _progress(len(trusted) + len(given)) as progress:
            limits = Limits(legacy_signatures)
            findings += lint(trusted, given, now=time, codes=codes, limits=limits, progress=progress)
    ordered = in_order(findings)
    found = (finding.severity for finding in ordered)
    status = settled(FOUND if matters(found, strict=strict, fail_on=fail_on) else CLEAN)
    _tell(ordered, count, sarif_file, as_json)
    return status


# -- options ---------------------------------------------------------------------------------------------------------


def _explain(code: str, as_json: bool) -> None:
    if code == "all":
        if as_json:
            print_json([check.data() for check in CHECKS.values()])
        else:
            click.echo(reference(), nl=False)
        return
    check = CHECKS.get(code.upper())
    if check is None:
        raise InputError(f"there is no check {quoted(code)}", hint="`--explain all` has them all")
    if as_json:
        print_json(check.data())
    else:
        click.echo(page(check), nl=False)


def _codes(select: Sequence[str], ignore: Sequence[str]) -> frozenset[str]:
    selected = _matching(select) if select else frozenset(CHECKS)
    return selected - _matching(ignore)


def _matching(arguments: Sequence[str]) -> frozenset[str]:
    """The codes that begin with one of the words."""
    found: set[str] = set()
    for word in (part.strip().upper() for argument in arguments for part in argument.split(",")):
        codes = [code for code in CHECKS if word and code.startswith(word)]
        if not codes:
            raise InputError(f"no check has the code {quoted(word)}", hint="`--explain all` has them all")
        found.update(codes)
    return frozenset(found)


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        time = datetime.strptime(text, "%Y%m%d%H%M%S") if text.isdigit() else datetime.fromisoformat(text)
    except ValueError:
        raise InputError(f"--now {quoted(text)} is no time", hint="write `20260101000000`") from None
    return time.replace(tzinfo=UTC) if time.tzinfo is None else time


# -- files -----------------------------------------------------------------------------------------------------------


def _sets(paths: Sequence[Path], credentials: Sequence[Path]) -> Iterator[tuple[list[Path], list[Path]]]:
    """What belongs together: the files that are named, and those of each folder. A file is looked at once, and in its
    folder if that is named too."""
    folders: dict[str, list[Path]] = {}
    for path in each_once(paths):
        if not path.is_dir():
            continue
        found = sorted(path.rglob("*.kn"))
        if not found:
            raise BadInput("no *.kn file in this folder", Place(str(path)))
        for folder in dict.fromkeys(file.parent for file in found):
            folders.setdefault(os.path.realpath(folder), [file for file in found if file.parent == folder])
    in_folders = {os.path.realpath(file) for files in folders.values() for file in files}
    files = [path for path in each_once(paths) if not path.is_dir() and os.path.realpath(path) not in in_folders]
    if files or credentials:
        yield files, each_once(credentials)
    for here in folders.values():
        untrusted = _credentials_of(here[0].parent)
        yield [file for file in here if file.name not in untrusted], [f for f in here if f.name in untrusted]


def _credentials_of(folder: Path) -> frozenset[str]:
    """The files that the folder's table of queries, if there is one, gives as credentials."""
    try:
        given = tomllib.loads((folder / _QUERIES).read_text(encoding="utf-8")).get("credentials", [])
    except (OSError, ValueError):
        return frozenset()  # `keynote test` says what is wrong with it
    names = [given] if isinstance(given, str) else given
    return frozenset(name for name in names if isinstance(name, str)) if isinstance(names, list) else frozenset()


def _parsed(paths: Sequence[Path]) -> tuple[list[Assertion], list[Problem]]:
    assertions: list[Assertion] = []
    problems: list[Problem] = []
    for path in paths:
        found, mistakes = parse_all(policy_text(path), name=str(path))
        assertions += found
        problems += mistakes
    return assertions, problems


@contextmanager
def _progress(count: int) -> Iterator[Progress]:
    if count < _MANY or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console  # half of what this command loads, and seldom needed
    from rich.progress import Progress as Bar

    with Bar(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("lint", total=count)
        yield lambda done, total: bar.update(task, completed=done, total=total)


# -- output ----------------------------------------------------------------------------------------------------------


def _tell(findings: Sequence[Finding], count: int, sarif_file: Path | None, as_json: bool) -> None:
    if sarif_file is not None:
        _write_sarif(findings, sarif_file)
        if str(sarif_file) == "-":
            return
    if as_json:
        print_json({"assertions": count, "findings": [finding.data() for finding in findings]})
        return
    for finding in findings:
        click.echo(str(finding))
        if finding.excerpt:
            click.echo(finding.excerpt)
        if finding.hint:
            click.echo(f"    hint: {finding.hint}")
    click.echo(_summary(findings, count))


def _write_sarif(findings: Sequence[Finding], path: Path) -> None:
    if str(path) == "-":
        print_json(sarif(findings))
    else:
        path.write_text(json.dumps(sarif(findings), indent=2, ensure_ascii=True) + "\n", encoding="ascii")


def _summary(findings: Sequence[Finding], count: int) -> str:
    looked = f"{count} assertion{'' if count == 1 else 's'}"
    return f"{looked}, {counted(finding.severity for finding in findings)}"
