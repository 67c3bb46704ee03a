# SPDX-License-Identifier: ISC
"""`keynote-pki delegations`: what is delegated, and what is no more."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import click

from keynote.cli.program import only_reads, print_json
from keynote.principals import shown_principal
from pki import delegation_parties, keystore
from pki.cli import delegation_output, tables
from pki.cli.common import as_json, current_time, in_directory, opened
from pki.cli.times import Length


@click.group("delegations")
def command() -> None:
    """Show, export and revoke delegations.

    \b
    Example:
      keynote-pki delegations list --expiring 30d
      keynote-pki delegations revoke 7 --reason "project ended"
    """


@command.command("list")
@click.option("--expiring", type=Length(), metavar="LENGTH", help="Only those that end within 12h, 30d, 2w, 1y.")
@click.option("--revoked", is_flag=True, help="Only those that are revoked.")
@click.option("--for", "licensee", metavar="WHO", help="Only those to this identity, DN or key.")
@in_directory
@as_json
def list_(
    expiring: datetime.timedelta | None, revoked: bool, licensee: str | None, directory: Path, as_json: bool
) -> None:
    """List delegations.

    \b
    Example:
      keynote-pki delegations list --for alice@example.org
      keynote-pki delegations list --json | jq '.delegations[] | select(.status == "expired")'
    """
    only_reads()
    _, registry = opened(directory)
    now = current_time()
    records = registry.delegations.all()
    if licensee is not None:
        principal = delegation_parties.principal(registry, licensee, now)
        records = tuple(record for record in records if record.licensee == principal)
    if revoked:
        records = tuple(record for record in records if record.revoked_at is not None)
    if expiring is not None:
        records = tuple(
            record
            for record in records
            if record.standing(now) == "in force"
            and record.not_after is not None
            and record.not_after <= now + expiring
        )
    if as_json:
        print_json({"delegations": [delegation_output.data(record, now) for record in records]})
        return
    rows = [("NUMBER", "STATUS", "UNTIL", "FROM", "TO", "COMMENT")]
    for record in records:
        until = "no end" if record.not_after is None else f"{record.not_after:%Y-%m-%d}"
        by, to = shown_principal(record.authorizer), shown_principal(record.licensee)
        rows.append((str(record.number), record.standing(now), until, by, to, record.comment))
    tables.echo(rows)


@command.command()
@click.argument("number", metavar="NUMBER|WHO")
@in_directory
@as_json
def show(number: str, directory: Path, as_json: bool) -> None:
    """Show a delegation: by its number, or the only one to somebody.

    \b
    Example:
      keynote-pki delegations show 7
    """
    only_reads()
    _, registry = opened(directory)
    now = current_time()
    record = delegation_output.found(registry, number, now)
    if as_json:
        print_json(delegation_output.data(record, now))
        return
    facts = [
        ("number", str(record.number)),
        ("status", record.standing(now)),
        ("from", shown_principal(record.authorizer)),
        ("to", shown_principal(record.licensee)),
        ("until", "no end" if record.not_after is None else f"{record.not_after:%Y-%m-%d %H:%M:%SZ}"),
        ("made", f"{record.created_at:%Y-%m-%d %H:%M:%SZ}"),
        *([("comment", record.comment)] if record.comment else []),
        *([("with", f"certificate {record.certificate}")] if record.certificate else []),
        *(
            [("revoked", f"{record.revoked_at:%Y-%m-%d %H:%M:%SZ}: {record.revocation_reason}")]
            if record.revoked_at
            else []
        ),
    ]
    tables.echo_facts(facts)
    click.echo()
    click.echo(record.assertion.encode("latin-1"), nl=False)


@command.command()
@click.argument("number", metavar="NUMBER|WHO")
@click.option("--reason", required=True, help="Why, in a word or two.")
@in_directory
@as_json
def revoke(number: str, reason: str, directory: Path, as_json: bool) -> None:
    """Revoke a delegation. Daemons that read this registry refuse from the next question on.

    \b
    Example:
      keynote-pki delegations revoke 7 --reason "project ended"
    """
    _, registry = opened(directory)
    now = current_time()
    revoked = registry.delegations.revoke(delegation_output.found(registry, number, now).number, reason, now)
    if as_json:
        print_json(delegation_output.data(revoked, now))
        return
    by, to = shown_principal(revoked.authorizer), shown_principal(revoked.licensee)
    tables.echo_line(f"delegation {revoked.number} is revoked: {by} licenses {to} no more")
    tables.echo_line("what was exported of it stays where it is")


@command.command()
@click.argument("numbers", metavar="[NUMBER|WHO]...", nargs=-1)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file, instead of standard output.")
@in_directory
@as_json
def export(numbers: Sequence[str], output: Path | None, directory: Path, as_json: bool) -> None:
    """Write delegations as KeyNote assertions: those that are named, or all that are in force.

    Whoever reads the file believes what POLICY and names say in it as policy (keynote eval -p), and what keys say for
    its signature (-c).

    \b
    Example:
      keynote-pki delegations export -o delegations.kn
      keynote eval -p policy.kn -p delegations.kn -k DN:/CN=alice@example.org --action action.txt
    """
    if output is None:
        only_reads()
    _, registry = opened(directory)
    now = current_time()
    if numbers:
        chosen = {it.number: it for it in (delegation_output.found(registry, number, now) for number in numbers)}
        for record in chosen.values():
            delegation_output.check_usable(record, now)
        records = tuple(chosen.values())
    else:
        records = registry.delegations.in_force(now).records
    text = delegation_output.exported(records)
    if output is not None:
        keystore.write(output, text)
    if as_json:
        written = {} if output is None else {"file": str(output)}
        print_json({**written, "delegations": [delegation_output.data(record, now) for record in records]})
    elif output is None:
        click.echo(text, nl=False)
    else:
        tables.echo_line(f"{output}: {len(records)} delegation{'' if len(records) == 1 else 's'}")
