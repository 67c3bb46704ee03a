# SPDX-License-Identifier: ISC
"""`keynote-pki audit`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from keynote.cli.program import FAILED, only_reads, print_json, tell
from keynote.cli.progress import tracked
from keynote.complaints import Complaint
from pki import auditing, whole_files
from pki.audit import AuditEntry, Head
from pki.auditing import KeptList
from pki.cli import inputs, tables
from pki.cli.common import as_json, in_directory
from pki.directory import Directory
from pki.errors import shown


@click.command("audit")
@click.option("--action", metavar="ACTION", help="Print only entries of this action: issue, revoke, crl, ….")
@click.option("--subject", metavar="BEGIN", help="Print only entries whose subject begins so: a SHA-256, a number.")
@click.option("--actor", metavar="USER@HOST", help="Print only what this one did.")
@click.option(
    "--since",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    metavar="TIME",
    help="Print only later ones (UTC).",
)
@click.option("--last", type=click.IntRange(0), metavar="N", help="Print only the last N of these; 0: none.")
@click.option("--head", "heads", multiple=True, metavar="SEQ:HASH", help="A head of the log that you noted.")
@click.option(
    "--crl",
    "lists",
    multiple=True,
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="A revocation list that was kept elsewhere, PEM or DER.",
)
@in_directory
@as_json
def command(
    action: str | None,
    subject: str | None,
    actor: str | None,
    since: Any,
    last: int | None,
    heads: Sequence[str],
    lists: Sequence[Path],
    directory: Path,
    as_json: bool,
) -> None:
    """Print the log of what was done, and check it: that no entry was changed, removed, inserted or moved, that the
    tables are what it says, that it is the one whose head is signed with each revocation list. Ends with 1 if not.

    What is checked is everything, whatever is printed.

    \b
    Example:
      keynote-pki audit --last 20
      keynote-pki audit --action revoke --since 2026-11-01
      keynote-pki audit --last 0 --crl /mnt/elsewhere/example-vpn-ca.crl.pem
    """
    noted = [(Head.parse(text), f"the head {text.partition(':')[0]} that you noted") for text in heads]
    kept = [_kept(path) for path in lists]
    only_reads()
    registry = Directory(directory).registry()  # as it is: to recover what was interrupted would change it
    with registry.audit.reading() as snapshot:
        head = snapshot.head()
        findings = list(auditing.check(snapshot, tracked, noted, kept))
        entries = [
            entry
            for entry in snapshot.entries()
            if (action is None or entry.action == action)
            and (subject is None or entry.subject.startswith(subject))
            and (actor is None or entry.actor == actor)
            and (since is None or entry.at.replace(tzinfo=None) >= since)
        ]
    if last is not None:
        entries = entries[len(entries) - min(last, len(entries)) :]
    if as_json:
        print_json(
            {
                "entries": [_data(entry) for entry in entries],
                "head": str(head),
                "intact": not findings,
                "findings": [{"message": it.message, "entry": it.sequence} for it in findings],
            }
        )
    else:
        for entry in entries:
            tables.echo_line(_line(entry))
        tables.echo_line(f"{head.sequence:,} entries, audit head {head}")
        if not findings:
            tables.echo_line("the log is whole, and the registry is what it says")
    if findings:
        tell("keynote-pki", "error", [Complaint(it.message) for it in findings])
        click.get_current_context().exit(FAILED)


def _kept(path: Path) -> KeptList:
    return auditing.kept_list(inputs.content(path, whole_files.LIST), f"`{path}`")


def _line(entry: AuditEntry) -> str:
    told = " ".join(f"{name}={value}" for name, value in entry.told.items() if value is not None)
    columns = (entry.actor, entry.action, entry.subject, told)
    return "  ".join((str(entry.sequence), f"{entry.at:%Y-%m-%d %H:%M:%SZ}", *map(shown, columns))).rstrip()


def _data(entry: AuditEntry) -> dict[str, Any]:
    return {
        "sequence": entry.sequence,
        "at": f"{entry.at:%Y-%m-%dT%H:%M:%S.%fZ}",
        "actor": entry.actor,
        "action": entry.action,
        "subject": entry.subject,
        "details": entry.told,
        "hash": entry.hash,
    }
