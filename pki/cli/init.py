# SPDX-License-Identifier: ISC
"""`keynote-pki init`."""

from pathlib import Path

import click

from keynote.cli.program import print_json
from pki import issuance
from pki.cli.common import as_json, current_time, days, lifetime, record_data
from pki.directory import Directory


@click.command("init")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--name", required=True, help='"Example VPN CA", or a whole name "/C=DE/O=Example/CN=Example VPN CA".')
@click.option(
    "--registry",
    "registry_url",
    metavar="URL",
    help="A registry that several share: postgresql://USER@HOST/DATABASE. Default: a file in DIR.",
)
@days
@as_json
def command(directory: Path, name: str, registry_url: str | None, days: int | None, as_json: bool) -> None:
    """Make an authority, in a directory of its own.

    \b
    Example:
      keynote-pki init ca --name "Example VPN CA"
      keynote-pki init ca --name "Example VPN CA" --registry postgresql://ca@db.example.org/registry
    """
    record = issuance.initialize(directory, name, current_time(), lifetime(days), registry_url)
    where = Directory(directory)
    if as_json:
        places = {"directory": str(directory), "registry": where.registry_shown}
        print_json({**record_data(record, current_time()), **places})
        return
    click.echo(f"{record.name}: authority made, valid until {record.not_after:%Y-%m-%d}")
    click.echo(f"policies trust it as DN:{record.subject}")
    click.echo(f"sha256 {record.sha256}")
    click.echo(f"its private key is not encrypted: let nobody else read {where.path / 'keys'}")
    click.echo(f"next: keynote-pki issue gateway gw.example.org --dir {directory}")
