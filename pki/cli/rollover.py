# SPDX-License-Identifier: ISC
"""`keynote-pki rollover`."""

from pathlib import Path

import click

from keynote.cli.program import print_json, tell
from keynote.complaints import Complaint
from pki import keys, rollover
from pki.authorities import Root
from pki.cli import passphrases, tables
from pki.cli.common import as_json, current_time, days, in_directory, lifetime, opened, record_data, root_key
from pki.records import Record

_FILE = click.Path(path_type=Path)
_KINDS = click.Choice(keys.AUTHORITY_KINDS)


@click.command("rollover")
@click.option("--name", required=True, help="The new authority's; another than the old one has.")
@click.option("--key", "kind", type=_KINDS, help="The kind of its key, and of the new root's.")
@days
@root_key
@click.option("--root", metavar="NAME", help="Make a new root as well, of this name.")
@click.option("--new-root-key", metavar="FILE", type=_FILE, help="Where its key goes. Default: DIR/keys.")
@click.option("--root-days", type=click.IntRange(1, 36500), metavar="N", help="How long the new root is valid.")
@passphrases.in_file
@in_directory
@as_json
def command(
    name: str,
    kind: str | None,
    days: int | None,
    root_key: Path | None,
    root: str | None,
    new_root_key: Path | None,
    root_days: int | None,
    passphrase_file: Path | None,
    directory: Path,
    as_json: bool,
) -> None:
    """A new authority in the place of the old one: it issues from now on. The old one issues no more, and still signs
    revocation lists.

    An authority by itself and its successor sign each other, so that peers that trust one of them believe what the
    other issues: bundles bring these cross certificates along. Below a root there is no need for that; with --root
    the root is replaced too, and it is the roots that sign each other.

    \b
    Example:
      keynote-pki rollover --name "Example VPN CA 2027"
      keynote-pki rollover --name "Example VPN CA 2027" --root "Example Root 2027" \\
          --root-key /media/old/root.pem --new-root-key /media/new/root.pem
    """
    if root is None and (new_root_key is not None or root_days is not None):
        raise click.UsageError("--new-root-key and --root-days go with --root")
    where, _ = opened(directory)
    now = current_time()
    asked = passphrases.source(passphrase_file)
    new_root = None if root is None else Root(root, new_root_key, lifetime(root_days), kind)
    made = rollover.roll_over(
        where, name, now, lifetime(days), kind=kind, passphrase=asked, root=new_root, root_key=root_key
    )
    if made.note:
        tell("keynote-pki", "note", [Complaint(made.note)])
    if kind in keys.EXPERIMENTAL:
        tell("keynote-pki", "warning", [Complaint(f"keys of kind {kind} are experimental")])
    if as_json:
        cross = [record_data(it, now) for it in made.cross]
        roots = {}
        if made.root is not None and made.retired_root is not None:
            roots = {"root": record_data(made.root, now), "retired_root": record_data(made.retired_root, now)}
        retired = record_data(made.retired, now)
        print_json({**record_data(made.authority, now), "retired": retired, "cross": cross, **roots})
        return
    if made.root is not None and made.retired_root is not None:
        tables.echo_line(f"{made.root.name}: root made, valid until {made.root.not_after:%Y-%m-%d}")
        tables.echo_line(f"sha256 {made.root.sha256}")
        place = new_root_key or where.key_path(str(made.root.key_file))
        tables.echo_line(f"its private key is in {place}: take it offline, it is needed for rollover and lists only")
        tables.echo_line(
            f"{made.retired_root.name} vouches for no more authorities, and still signs revocation lists"
        )
    tables.echo_line(f"{made.authority.name}: authority made, valid until {made.authority.not_after:%Y-%m-%d}")
    tables.echo_line(f"{made.retired.name} issues no more; {_left(made)}")
    for it in made.cross:
        tables.echo_line(f"cross certificate: {it.name}")
    tables.echo_line(f"policies trust it as DN:{made.authority.subject}; {_with_policies(made)}")
    tables.echo_line(f"sha256 {made.authority.sha256}")


def _left(made: rollover.RolledOver) -> str:
    revoked = _revoked(made)
    return f"what it issued went with `{revoked[0].name}`" if revoked else "what it issued stays valid"


def _with_policies(made: rollover.RolledOver) -> str:
    if _revoked(made):
        return f"take DN:{made.retired.subject} out of them"
    return "while both are in use, let them trust both"


def _revoked(made: rollover.RolledOver) -> list[Record]:
    return [it for it in (made.retired, made.retired_root) if it is not None and it.revoked_at is not None]
