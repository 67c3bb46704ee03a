# SPDX-License-Identifier: ISC
"""`keynote test`: tables of queries, and which clauses they have tried."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from keynote import junit, report
from keynote.cli.inputs import InputError, legacy_option
from keynote.cli.outputs import refuse_input
from keynote.cli.program import json_option, print_json, settled
from keynote.cli.progress import tracked
from keynote.coverage import ClauseCount, Coverage
from keynote.limits import Limits
from keynote.redaction import one_line, quoted, redacted
from keynote.test import Query, Result, queries, run

PASSED: Final = 0
FAILED: Final = 1


@click.command("test")
@click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path), metavar="PATH...")
@click.option(
    "-k",
    "--filter",
    "filters",
    multiple=True,
    metavar="TEXT",
    help="Only queries whose names contain TEXT, in any case; of several, any.",
)
@click.option("--coverage", "with_coverage", is_flag=True, help="Tell which clauses no query has tried.")
@click.option(
    "--coverage-fail-under",
    "least",
    type=click.FloatRange(0, 100),
    metavar="PERCENT",
    help="Fail if fewer clauses than this were true in some query. Implies --coverage.",
)
@click.option("--junit", "junit_file", type=click.Path(dir_okay=False, path_type=Path), help="Write JUnit XML there.")
@legacy_option()
@json_option()
def command(
    paths: Sequence[Path],
    filters: Sequence[str],
    with_coverage: bool,
    least: float | None,
    junit_file: Path | None,
    legacy_signatures: bool,
    as_json: bool,
) -> int:
    """Run tables of queries: queries.toml files, *.jsonl collections, or folders that hold them.

    The last line is `N passed, N failed`. The exit status is 0 if none failed and enough is covered, and else 1, as
    for every error; no query at all is an error.

    \b
    Example:
      keynote test policies
      keynote test policies/road-warriors -k pool --coverage
      keynote test policies --coverage-fail-under 80 --junit results.xml
    """
    limits = Limits(legacy_signatures)
    coverage = Coverage() if with_coverage or least is not None else None
    found = [query for path in paths for query in queries(path, limits)]
    if junit_file is not None:
        refuse_input(junit_file, dict.fromkeys(path for query in found for path in (query.table, *query.files)))
    asked = _selected(found, filters)
    results = [(query, run(query, coverage)) for query in tracked(asked, len(asked), "queries")]
    failed = [result for _, result in results if not result.passed]
    lacking = _lacking(coverage, least)
    if junit_file is not None:
        junit_file.write_bytes(junit.document(results, None if least is None else lacking))
    status = settled(FAILED if failed or lacking else PASSED)
    if as_json:
        _print_json([result for _, result in results], coverage, least)
    else:
        for result in failed:
            click.echo(f"FAILED {one_line(redacted(result.name))}: {result.problem}")
        if coverage is not None:
            _print_coverage(coverage)
        if lacking:
            click.echo(f"FAILED coverage: {lacking}")
        click.echo(f"{len(results) - len(failed)} passed, {len(failed)} failed")
    return status


def _lacking(coverage: Coverage | None, least: float | None) -> str:
    """Why not enough is covered, or ""."""
    if coverage is None or least is None or coverage.true_percentage >= least:
        return ""
    return f"{_percent(coverage.true_percentage)} true, less than {least:g} %"


def _selected(found: list[Query], filters: Sequence[str]) -> list[Query]:
    if not found:
        raise InputError("no queries", hint="a table without a `[[query]]` tests nothing")
    selected = [query for query in found if not filters or _matches(query, filters)]
    if not selected:
        wanted = " or ".join(map(quoted, filters))
        raise InputError(f"no query has {wanted} in its name", hint=f"there are {len(found)}, without -k")
    return selected


def _matches(query: Query, filters: Iterable[str]) -> bool:
    return any(text.casefold() in query.name.casefold() for text in filters)


def _print_json(results: list[Result], coverage: Coverage | None, least: float | None) -> None:
    failed = sum(not result.passed for result in results)
    data = {
        "passed": len(results) - failed,
        "failed": failed,
        "cases": [report.result_data(result) for result in results],
    }
    if coverage is not None:
        data["coverage"] = report.coverage_data(coverage, least)
    print_json(data)


def _print_coverage(coverage: Coverage) -> None:
    for word, counts in (("never evaluated", coverage.never_evaluated), ("never true", coverage.never_true)):
        for count in counts:
            click.echo(f"{_place(count)}: {word}: {count.text}")
    total = len(coverage.clauses)
    evaluated, true = coverage.evaluated_percentage, coverage.true_percentage
    clauses = f"{total} {'clause' if total == 1 else 'clauses'}"
    click.echo(f"coverage: {clauses}, {_percent(evaluated)} evaluated, {_percent(true)} true in some query")


def _place(count: ClauseCount) -> str:
    return one_line(str(count.where))


def _percent(percentage: float) -> str:
    """Rounded down, so that only all of them are 100 %."""
    return f"{int(percentage * 10) / 10:.1f} %"
