# SPDX-License-Identifier: ISC
"""`keynote-pki show`."""

import contextlib
import datetime
from collections.abc import Sequence
from pathlib import Path

import click

from keynote.cli.program import only_reads, print_json
from keynote.principals import UndecodableKey, key_principal, shown_principal
from pki import names
from pki.bundles import texts
from pki.cli import delegation_output, tables
from pki.cli.common import (
    as_json,
    certificate_argument,
    constrained,
    current_time,
    in_directory,
    meant,
    opened,
    record_data,
)
from pki.delegation_records import DelegationRecord
from pki.records import Record
from pki.registry import Registry

_TIME = "%Y-%m-%d %H:%M:%SZ"


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
    only_reads()
    where, registry = opened(directory)
    now = current_time()
    record = meant(registry, name, now)
    if pem and not as_json:
        click.echo(texts.pem(record.certificate), nl=False)
        return
    issuer = registry.issuers()[record.authority_id]
    followers = registry.following([record.sha256])
    followed = registry.find(record.supersedes) if record.supersedes else ()
    delegations = _delegations(registry, record)
    if as_json:
        print_json(
            {
                **record_data(record, now, constrained(registry)),
                "issuer": issuer,
                "superseded_by": [it.sha256 for it in followers],
                "delegations": [delegation_output.data(it, now) for it in delegations],
                **({"pem": texts.pem(record.certificate)} if pem else {}),
            }
        )
        return
    subject = names.dn_from_keynote(record.subject)
    facts: list[tuple[str, str]] = [
        ("name", record.name),
        ("profile", record.profile),
        ("status", record.validity(now)),
        *(
            [("revoked", f"{record.revoked_at:{_TIME}}: {record.revocation_reason}")]
            if record.revoked_at is not None
            else []
        ),
        ("valid", f"{record.not_before:{_TIME}} to {record.not_after:{_TIME}}"),
        ("issued", f"{record.issued_at:{_TIME}} by {issuer}"),
        *(("identity", str(identity)) for identity in record.identities),
        ("KeyNote", names.dn_principal(subject)),
        ("RFC 4514", names.dn_rfc4514(subject)),
        ("serial", record.serial),
        ("sha256", record.sha256),
        ("key", str(where.key_path(record.key_file)) if record.key_file else "not kept here"),
        *(("follows", _named(it)) for it in followed),
        *(("followed", f"by {_named(it)}") for it in followers),
        *(("delegated", _told(it, now)) for it in delegations),
    ]
    tables.echo_facts(facts)


def _named(record: Record) -> str:
    return f"{record.serial} ({record.name}, until {record.not_after:%Y-%m-%d})"


def _delegations(registry: Registry, record: Record) -> Sequence[DelegationRecord]:
    """What was issued with it, and what its name or its key licenses or is licensed."""
    principals = {f"DN:{record.subject}"}
    with contextlib.suppress(UndecodableKey):  # of a kind that KeyNote has no principals of
        principals.add(key_principal(record.certificate.public_key()))
    return [
        it
        for it in registry.delegations.all()
        if it.certificate == record.sha256 or it.licensee in principals or it.authorizer in principals
    ]


def _told(record: DelegationRecord, now: datetime.datetime) -> str:
    by, to = shown_principal(record.authorizer), shown_principal(record.licensee)
    return f"{record.number} from {by} to {to}, {record.standing(now)}, {delegation_output.until(record)}"
