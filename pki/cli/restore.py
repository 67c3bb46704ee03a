# SPDX-License-Identifier: ISC
"""`keynote-pki restore`."""

from pathlib import Path

import click

from keynote.cli.program import print_json
from pki import restoring
from pki.cli import tables
from pki.cli.backup import echo_told, manifest_data
from pki.cli.common import as_json
from pki.directory import Directory


@click.command("restore")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--registry",
    "registry_url",
    metavar="URL",
    help="Put the registry into this empty database: postgresql://USER@HOST/DATABASE. Default: a file in DIR.",
)
@as_json
def command(file: Path, directory: Path, registry_url: str | None, as_json: bool) -> None:
    """Make a CA's directory out of its backup. DIR has to be new or empty. All of FILE is checked first.

    \b
    Example:
      keynote-pki restore /backup/ca-2026-11-27.tar ca
      keynote-pki restore ca.tar ca --registry postgresql://ca@db.example.org/registry
    """
    manifest = restoring.restore(file, directory, registry_url)
    if as_json:
        registry = Directory(directory).registry_shown
        print_json({"directory": str(directory), "registry": registry, **manifest_data(manifest)})
        return
    echo_told(f"{directory}: restored from a backup ", manifest)
    tables.echo_line(
        "what was issued or revoked since is not in it: where a list of an authority is out that is later, "
        "go on after it before anybody gets another: keynote-pki crl make --after FILE"
    )
    if not manifest.keys:
        tables.echo_line(f"next: put the private keys, which are not in the backup, into {directory / 'keys'}")
