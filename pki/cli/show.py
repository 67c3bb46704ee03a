# SPDX-License-Identifier: ISC
"""`keynote-pki show`."""

from pathlib import Path

import click

from keynote.cli.program import print_json
from pki import names
from pki.bundles import texts
from pki.cli.common import as_json, certificate_argument, current_time, found, in_directory, opened, record_data


@click.command("show")
@certificate_argument
@click.option("--pem", is_flag=True, help="Print the certificate itself, in PEM.")
@in_directory
@as_json
def command(name: str, pem: bool, directory: Path, as_json: bool) -> None:
    """Show a certificate: by name, identity, subject, serial number or SHA-256 (or how these two begin).

    \b
    Example:
      keynote-pki show gw.example.org
      keynote-pki show --pem 4f2a91c07d3e > gw.crt
    """
    where, registry = opened(directory)
    now = current_time()
    record = found(registry, name)
    if as_json:
        more = {"pem": texts.pem(record.certificate)} if pem else {}
        print_json({**record_data(record, now), **more})
        return
    if pem:
        click.echo(texts.pem(record.certificate), nl=False)
        return
    subject = names.dn_from_keynote(record.subject)
    facts: list[tuple[str, str]] = [
        ("name", record.name),
        ("profile", record.profile),
        ("status", record.validity(now)),
        ("valid", f"{record.not_before:%Y-%m-%d %H:%M:%SZ} to {record.not_after:%Y-%m-%d %H:%M:%SZ}"),
        *(("identity", str(identity)) for identity in record.identities),
        ("KeyNote", names.dn_principal(subject)),
        ("RFC 4514", names.dn_rfc4514(subject)),
        ("serial", record.serial),
        ("sha256", record.sha256),
        ("key", str(where.key_path(record.key_file)) if record.key_file else "not kept here"),
    ]
    for label, value in facts:
        click.echo(f"{label:10}{value}")
