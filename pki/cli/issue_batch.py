# SPDX-License-Identifier: ISC
"""`keynote-pki issue batch`."""

import json
import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TextIO, TypeAlias

import click

from keynote.cli.program import print_json, tell
from keynote.cli.progress import tracked
from keynote.complaints import Complaint, Place
from pki import batch
from pki.authority import Prepared
from pki.batch import Outcome, Row
from pki.candidates import SERIAL_SHOWN
from pki.certificate_lint import Platform
from pki.cli import passphrases, platforms, tables
from pki.cli.common import as_json, current_time, in_directory, opened
from pki.errors import PkiError
from pki.issuance import Issuer

_PATH = click.Path(path_type=Path)
_Reported: TypeAlias = tuple[Outcome, Sequence[Complaint]]  # with what the platforms may not like


@click.command("batch")
@click.argument("table", metavar="FILE.csv", type=_PATH)
@click.option("--skip-existing", is_flag=True, help="Pass over what is there already: issue what is missing.")
@click.option("--accept", is_flag=True, help="Take the names that requests ask for, where a row has none.")
@click.option("--report", metavar="FILE", type=_PATH, help="Write what --json prints to a new file, too.")
@platforms.option("Whose software has to take them")
@passphrases.in_file
@in_directory
@as_json
def command(
    table: Path,
    skip_existing: bool,
    accept: bool,
    report: Path | None,
    wanted: frozenset[Platform],
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> int:
    """A certificate for each row of a table, whose first row names its columns.

    Columns: profile, name, ip, dns, mail, dn, subject, days, key, csr; all but profile may be missing. Several names
    in one field stand apart by `;`. Each row is issued whole or not at all; the exit status is 1 if one was not.

    \b
    Example:
      keynote-pki issue batch peers.csv --report issued.json
      with peers.csv:  profile,name,ip
                       gateway,gw.example.org,192.0.2.1;2001:db8::1
    """
    rows = batch.read(table)
    where, _ = opened(directory)
    issuer = Issuer.of(where, passphrase=passphrases.source(passphrase_file))
    file = None if report is None else _opened(report)  # before anything is issued: then it has to be told
    outcomes = []
    warnings: dict[str, tuple[Complaint, ...]] = {}  # by where the row is

    def review(row: Row, prepared: Prepared) -> None:
        warnings[row.where] = platforms.warnings(prepared, wanted)

    work = batch.issue(issuer, rows, current_time, skip_existing=skip_existing, accept=accept, review=review)
    try:
        for outcome in tracked(work, len(rows), "certificates"):
            told = warnings.pop(outcome.row.where, ())
            outcomes.append((outcome, told if outcome.result == "issued" else ()))
    finally:
        found = _told(outcomes, as_json)
        written = file is None or _written(file, found)
    return 0 if written and not found["failed"] else 1


def _opened(report: Path) -> TextIO:
    """A new file. Raises click.UsageError, PkiError."""
    try:
        return report.open("x", encoding="utf-8")
    except FileExistsError:
        raise click.UsageError(f"--report {report}: the file exists and is not overwritten") from None
    except OSError as error:
        raise PkiError(f"`{report}` cannot be written: {error.strerror}", "nothing was issued") from error


def _written(file: TextIO, found: object) -> bool:
    try:
        with file:
            file.write(json.dumps(found, indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        hint = "what was issued is in the registry: `keynote-pki list`"
        tell("keynote-pki", "error", [Complaint(f"`{file.name}` cannot be written: {error.strerror}", hint=hint)])
        return False
    return True


def _told(reported: Sequence[_Reported], as_json: bool) -> dict[str, Any]:
    """Prints what became of the rows; the same for programs."""
    outcomes = [it for it, _ in reported]
    counts = Counter(it.result for it in outcomes)
    found = {
        "rows": [_data(*it) for it in reported],
        **{result: counts[result] for result in ("issued", "there", "failed")},
    }
    places = ((Place(it.row.file, it.row.line), warnings) for it, warnings in reported)
    tell("keynote-pki", "warning", [replace(it, where=place) for place, warnings in places for it in warnings])
    failed = [it for it in outcomes if it.result == "failed"]
    tell("keynote-pki", "error", [Complaint(f"{it.row.where}: {it.error}", hint=it.hint) for it in failed])
    if as_json:
        print_json(found)
        return found
    lines = [("LINE", "NAME", "RESULT", "UNTIL", "SERIAL")]
    for it in outcomes:
        record = it.record
        until = f"{record.not_after:%Y-%m-%d}" if record is not None else "-"
        serial = record.serial[:SERIAL_SHOWN] if record is not None else "-"
        lines.append((str(it.row.line), record.name if record is not None else it.row.name, it.result, until, serial))
    tables.echo(lines)
    tables.echo_line(", ".join(f"{counts[result]} {result}" for result in ("issued", "there", "failed")))
    return found


def _data(outcome: Outcome, warnings: Sequence[Complaint]) -> dict[str, Any]:
    record = outcome.record
    return {
        "line": outcome.row.line,
        "name": record.name if record is not None else outcome.row.name,
        "result": outcome.result,
        "serial": record.serial if record is not None else None,
        "sha256": record.sha256 if record is not None else None,
        "not_after": f"{record.not_after:%Y-%m-%dT%H:%M:%SZ}" if record is not None else None,
        "error": outcome.error or None,
        "hint": outcome.hint or None,
        "warnings": [{"message": it.message, "hint": it.hint} for it in warnings],
    }
