# SPDX-License-Identifier: ISC
"""`keynote-pki backup`."""

from pathlib import Path
from typing import Any

import click

from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from pki import backup
from pki.backup import Manifest
from pki.cli import tables
from pki.cli.common import as_json, current_time, in_directory, opened


@click.command("backup")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--keys", is_flag=True, help="With the private keys, as they are: guard FILE as you guard them.")
@in_directory
@as_json
def command(file: Path, keys: bool, directory: Path, as_json: bool) -> None:
    """Back up a CA's directory: the registry, wherever it is, and the private keys if you ask for them. FILE is a tar
    archive for its owner alone, and is read again and checked.

    \b
    Example:
      keynote-pki backup /backup/ca-2026-11-27.tar --dir ca
      keynote-pki backup --keys ca.tar && age -p -o ca.tar.age ca.tar && shred -u ca.tar
    """
    where, _ = opened(directory)
    manifest = backup.write(where, file, current_time(), keys=keys)
    for name in manifest.missing:
        tell("keynote-pki", "warning", [Complaint(f"private key `{where.key_path(name)}` is not there")])
    if as_json:
        print_json({"file": str(file), **manifest_data(manifest)})
        return
    echo_told(f"{file}: ", manifest)


def echo_told(before: str, manifest: Manifest) -> None:
    """What is in a backup, in some lines; `before` stands in the first."""
    contents = manifest.contents
    lines = [f"{before}made at {manifest.made_at:%Y-%m-%d %H:%M:%SZ}, registry with schema {manifest.schema}"]
    lines += [f"{name}: {table.rows:,} rows" for name, table in contents.tables.items()]
    lines.append(f"private keys: {len(manifest.keys) or 'none'}")
    lines.append(f"audit log: head {contents.head}")
    for line in lines:
        tables.echo_line(line)


def manifest_data(manifest: Manifest) -> dict[str, Any]:
    contents = manifest.contents
    return {
        "made_at": f"{manifest.made_at:%Y-%m-%dT%H:%M:%SZ}",
        "schema": manifest.schema,
        "rows": {name: table.rows for name, table in contents.tables.items()},
        "keys": list(manifest.keys),
        "missing": list(manifest.missing),
        "head": str(contents.head),
    }
