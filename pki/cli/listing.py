# SPDX-License-Identifier: ISC
"""`keynote-pki list`."""

from pathlib import Path

import click

from keynote.cli.program import print_json
from pki import profiles
from pki.cli.common import SERIAL_SHOWN, as_json, current_time, in_directory, opened, record_data


@click.command("list")
@in_directory
@as_json
def command(directory: Path, as_json: bool) -> None:
    """List everything issued.

    \b
    Example:
      keynote-pki list --dir ca
      keynote-pki list --json | jq '.certificates[] | select(.status != "valid")'
    """
    _, registry = opened(directory)
    now = current_time()
    records = registry.certificates()
    if as_json:
        print_json({"certificates": [record_data(record, now) for record in records]})
        return
    rows = [("NAME", "PROFILE", "STATUS", "UNTIL", "SERIAL")]
    for record in sorted(records, key=lambda record: record.profile != profiles.CA.name):
        until = f"{record.not_after:%Y-%m-%d}"
        rows.append((record.name, record.profile, record.validity(now), until, record.serial[:SERIAL_SHOWN]))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
