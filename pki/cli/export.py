# SPDX-License-Identifier: ISC
"""`keynote-pki export`."""

from pathlib import Path

import click

from keynote.cli.program import print_json
from pki import bundles
from pki.cli.common import as_json, found, in_directory, opened
from pki.errors import PkiError


@click.group("export")
def command() -> None:
    """Hand a certificate over, with its private key, in the form that its holder's software reads.

    \b
    Example:
      keynote-pki export isakmpd gw.example.org /tmp/gw
    """


@command.command("isakmpd")
@click.argument("name")
@click.argument("destination", metavar="DIR", type=click.Path(path_type=Path))
@in_directory
@as_json
def export_isakmpd(name: str, destination: Path, directory: Path, as_json: bool) -> None:
    """The files that isakmpd and ike-auth look for below /etc/isakmpd: ca/ certs/ private/ crls/.

    \b
    Example:
      keynote-pki export isakmpd gw.example.org /tmp/gw
      (cd /tmp/gw && tar c .) | ssh gw tar x -C /etc/isakmpd
    """
    where, registry = opened(directory)
    record = found(registry, name)
    if not record.identities:
        raise PkiError(f"`{record.name}` is an authority, not a peer", "export the certificate of a peer")
    bundle = bundles.isakmpd(record, where.authority(registry), where.signer(record).key)
    written = bundles.write(bundle, destination)
    if as_json:
        print_json({"name": record.name, "serial": record.serial, "files": [str(path) for path in written]})
        return
    for path in written:
        click.echo(str(path))
