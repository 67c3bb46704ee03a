# SPDX-License-Identifier: ISC
"""`keynote-pki ocsp`: who answers OCSP requests."""

from pathlib import Path

import click

from keynote.cli.program import FAILED, Failed, print_json, settled, tell
from keynote.complaints import Complaint
from pki import keys, responders
from pki.cli import authority_keys, passphrases, tables
from pki.cli.common import as_json, current_time, in_directory, lifetime, opened, record_data, root_keys
from pki.cli.complaints import complaints
from pki.errors import PkiError
from pki.records import Record


@click.group("ocsp")
def command() -> None:
    """Let others than the authority answer OCSP requests (RFC 6960 4.2.2.2).

    \b
    Example:
      keynote-pki ocsp certify
    """


@command.command()
@authority_keys.which
@click.option(
    "--days",
    type=click.IntRange(1, 3650),
    default=responders.PROFILE.lifetime.days,
    show_default=True,
    metavar="N",
    help="How long it may answer.",
)
@click.option(
    "--key",
    "kind",
    type=click.Choice(keys.AUTHORITY_KINDS),
    default=responders.PROFILE.key,
    show_default=True,
    help="What kind of key.",
)
@root_keys
@passphrases.in_file
@in_directory
@as_json
def certify(
    name: str | None,
    days: int,
    kind: str,
    root_keys: tuple[Path, ...],
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> None:
    """Make a key and a certificate that answer for an authority, so that its own key need not be where `serve` runs.

    The key is not encrypted, since nobody is there when a server starts. Clients take its answers until it ends: they
    are told not to ask whether it is revoked.

    \b
    Example:
      keynote-pki ocsp certify --authority "Example VPN CA" --days 30
    """
    where, registry = opened(directory)
    now = current_time()
    span = lifetime(days)
    assert span is not None
    passphrase = passphrases.source(passphrase_file)
    made: list[Record] = []
    wrong: list[Complaint] = []
    for authority, signer in authority_keys.signers(where, registry, name, now, passphrase, root_keys, issuing=True):
        try:
            if signer is not None:
                made.append(responders.certify(where, registry, authority, signer, now, span, kind))
        except PkiError as error:  # what was made for the others is recorded, and has to be told
            wrong += complaints(error)
    if not made:
        raise Failed(wrong) if wrong else authority_keys.nobody_signs()
    status = settled(FAILED if wrong else 0)
    if as_json:
        errors = {"errors": [it.data() for it in wrong]} if wrong else {}
        print_json({"certificates": [record_data(record, now) for record in made], **errors})
    for record in () if as_json else made:
        tables.echo_line(f"{record.name}: certificate made, answers until {record.not_after:%Y-%m-%d}")
        tables.echo_line(f"its private key is {where.key_path(record.key_file or '')}")
        tables.echo_line(f"serial {record.serial}")
    if wrong:
        tell("keynote-pki", "error", wrong)
        click.get_current_context().exit(status)
