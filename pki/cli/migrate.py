# SPDX-License-Identifier: ISC
"""`keynote-pki migrate`."""

from pathlib import Path

import click

from keynote.cli.program import print_json
from pki.cli import tables
from pki.cli.common import as_json, in_directory
from pki.directory import Directory
from pki.registry_database import SCHEMA
from pki.registry_migration import migrate


@click.command("migrate")
@in_directory
@as_json
def command(directory: Path, as_json: bool) -> None:
    """Bring the registry of an earlier version up to date. A file is copied first; nothing is lost, or nothing done.

    \b
    Example:
      keynote-pki migrate --dir ca
    """
    where = Directory(directory)
    url = where.existing_registry()
    with where.changing():
        done = migrate(url)
    backup = None if done is None or done.backup is None else str(done.backup)
    if as_json:
        rows = {} if done is None else dict(done.rows)
        before = SCHEMA if done is None else done.before
        print_json({"before": before, "after": SCHEMA, "rows": rows, "backup": backup})
        return
    if done is None:
        tables.echo_line(f"the registry is up to date (schema {SCHEMA})")
        return
    tables.echo_line(f"the registry is migrated from schema {done.before} to {done.after}")
    for table, count in done.rows.items():
        tables.echo_line(f"{table}: {count:,} rows before and after")
    if backup is not None:
        tables.echo_line(f"as it was: {backup}")
