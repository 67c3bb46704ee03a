# SPDX-License-Identifier: ISC
"""`keynote-pki rollover`."""

from pathlib import Path

import click

from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from pki import keys, rollover
from pki.cli import passphrases
from pki.cli.common import as_json, current_time, days, in_directory, lifetime, opened, record_data, root_key

_KINDS = click.Choice(keys.AUTHORITY_KINDS)


@click.command("rollover")
@click.option("--name", required=True, help="The new authority's; another than the old one has.")
@click.option("--key", "kind", type=_KINDS, help="The kind of its key.")
@days
@root_key
@passphrases.in_file
@in_directory
@as_json
def command(
    name: str,
    kind: str | None,
    days: int | None,
    root_key: Path | None,
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> None:
    """A new authority in the place of the old one: it issues from now on. The old one issues no more, and still signs
    revocation lists.

    An authority by itself and its successor sign each other, so that peers that trust one of them believe what the
    other issues: bundles bring these cross certificates along. Below a root there is no need for that.

    \b
    Example:
      keynote-pki rollover --name "Example VPN CA 2027"
    """
    where, _ = opened(directory)
    now = current_time()
    asked = passphrases.source(passphrase_file)
    made = rollover.roll_over(where, name, now, lifetime(days), kind=kind, passphrase=asked, root_key=root_key)
    if made.note:
        tell("keynote-pki", "note", [Complaint(made.note)])
    if kind in keys.EXPERIMENTAL:
        tell("keynote-pki", "warning", [Complaint(f"keys of kind {kind} are experimental")])
    if as_json:
        cross = [record_data(it, now) for it in made.cross]
        print_json({**record_data(made.authority, now), "retired": record_data(made.retired, now), "cross": cross})
        return
    click.echo(f"{made.authority.name}: authority made, valid until {made.authority.not_after:%Y-%m-%d}")
    click.echo(f"{made.retired.name} issues no more; what it issued stays valid")
    for it in made.cross:
        click.echo(f"cross certificate: {it.name}")
    click.echo(f"policies trust it as DN:{made.authority.subject}; while both are in use, let them trust both")
    click.echo(f"sha256 {made.authority.sha256}")
