# SPDX-License-Identifier: ISC
"""`keynote-pki delegate`."""

from collections.abc import Sequence
from pathlib import Path

import click

from keynote.cli.inputs import latin_1
from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from keynote.principals import is_key, shown_principal
from pki import condition_templates, delegating
from pki.cli import delegation_output, inputs, passphrases, tables, times
from pki.cli.common import as_json, current_time, in_directory, opened
from pki.delegating import Request

_FILE = click.Path(path_type=Path, dir_okay=False, allow_dash=True)


@click.command("delegate")
@click.option("--from", "authorizer", metavar="WHO", help="POLICY, or whoever delegates.")
@click.option("--to", "licensee", metavar="WHO", help="To whom.")
@click.option("--conditions", metavar="TEXT", help="What has to hold: the clauses of a KeyNote Conditions field.")
@click.option("--conditions-file", type=_FILE, help="The same in a file; `-` is standard input.")
@click.option("--template", "templates", multiple=True, metavar="NAME=ARGUMENT", help="What has to hold besides.")
@click.option("--list-templates", is_flag=True, help="Say what templates there are.")
@click.option("--until", metavar="TIME", help="2027-01-31, 2027-01-31T18:00 (UTC), 90d, or never.")
@click.option("--comment", default="", help="What it is for.")
@click.option(
    "--key", "key_file", type=_FILE, help="The private key of --from, where it is not in the CA's directory."
)
@click.option("--strict", is_flag=True, help="Refuse what the linter only warns of.")
@click.option(
    "--any-name",
    is_flag=True,
    help="Record it too where the peers of an authority are let in under any name (the daemon's strict rule 3).",
)
@click.option("--dry-run", is_flag=True, help="Print the assertion, and record nothing.")
@passphrases.in_file
@in_directory
@as_json
def command(
    authorizer: str | None,
    licensee: str | None,
    conditions: str | None,
    conditions_file: Path | None,
    templates: Sequence[str],
    list_templates: bool,
    until: str | None,
    comment: str,
    key_file: Path | None,
    strict: bool,
    any_name: bool,
    dry_run: bool,
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Delegate: record that --from licenses --to under conditions.

    WHO is an identity, name or serial number in the registry, which means the name (DN) of that certificate; a DN
    as DN:/C=DE/O=Example/CN=gw; a key as KeyNote writes it; key:NAME for the key of a certificate in the registry;
    or @FILE for one in a certificate or a public key. What a key of ours delegates is signed.

    \b
    Example:
      keynote-pki delegate --from POLICY --to alice@example.org --until 2027-01-31 \\
          --template identity --template networks=10.1.0.0/16 --template algorithms=strong
      keynote-pki delegate --from "key:Example VPN CA" --to gw.example.org --until 90d \\
          --conditions 'app_domain == "IPsec policy" && esp_enc_alg == "aes"'
    """
    if list_templates:
        _list_templates(as_json)
        return
    for option, value in (("--from", authorizer), ("--to", licensee), ("--until", until)):
        if value is None:
            raise click.UsageError(f"missing option `{option}`")
    if conditions is not None and conditions_file is not None:
        raise click.UsageError("--conditions and --conditions-file are one thing: give one of them")
    assert authorizer is not None
    assert licensee is not None
    assert until is not None
    now = current_time()
    text = latin_1(conditions) if conditions is not None else _text(conditions_file)
    request = Request(authorizer, licensee, text, tuple(templates), times.end(until, now), comment)
    where, registry = opened(directory)
    asked = passphrases.source(passphrase_file)
    key = None if key_file is None else delegating.private_key(key_file, asked)
    prepared = delegating.prepare(
        where, registry, request, now, key=key, passphrase=asked, strict=strict, any_name=any_name
    )
    tell("keynote-pki", "warning", prepared.warnings)
    if dry_run:
        if not prepared.believed:
            tell("keynote-pki", "note", [Complaint("not signed: the key of --from is not kept here")])
        draft = prepared.draft
        if as_json:
            readable = delegation_output.readable(draft.assertion)
            print_json({"from": draft.authorizer, "to": draft.licensee, "assertion": readable})
        else:
            click.echo(draft.assertion.encode("latin-1"), nl=False)
        return
    made = delegating.record(registry, prepared, now)
    if as_json:
        print_json(delegation_output.data(made, now))
        return
    by, to = shown_principal(made.authorizer), shown_principal(made.licensee)
    tables.echo_line(f"delegation {made.number}: {by} licenses {to}, {delegation_output.until(made)}")
    believed = "signed by the key that delegates" if is_key(made.authorizer) else "believed where this registry is"
    tables.echo_line(believed)
    tables.echo_line(f"next: keynote-pki delegations show {made.number} --dir {directory}")


def _text(path: Path | None) -> str:
    if path is None:
        return ""
    return inputs.content_or_standard(path).decode("latin-1")


def _list_templates(as_json: bool) -> None:
    templates = condition_templates.TEMPLATES.values()
    if as_json:
        columns = ("name", "meaning", "argument", "example")
        print_json({"templates": [{column: getattr(it, column) for column in columns} for it in templates]})
        return
    for template in templates:
        tables.echo_line(f"{template.name:17}{template.meaning}")
        tables.echo_line(f"{'':17}--template {template.example}   ({template.argument})")
