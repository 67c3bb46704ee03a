# SPDX-License-Identifier: ISC
"""`keynote-pki list`."""

import datetime
import difflib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import click

from keynote.cli.program import FAILED, Failed, only_reads, print_json
from pki import names, profiles
from pki.cli import authority_keys, tables
from pki.cli.common import (
    SERIAL_SHOWN,
    as_json,
    constrained,
    current_time,
    in_directory,
    opened,
    record_data,
)
from pki.cli.complaints import complaints
from pki.cli.times import Length
from pki.directory import Directory
from pki.errors import NameInvalid, PkiError, shown
from pki.records import Choice, Listed, Record, Standing
from pki.registry import Registry

# As monitoring plugins end.
_OK, _WARNING, _CRITICAL, _UNKNOWN = range(4)
_WORDS: Final = ("OK", "WARNING", "CRITICAL")
_NAMED: Final = 3  # certificates in the line for monitoring


@click.command("list")
@click.option(
    "--expiring",
    type=Length(),
    metavar="LENGTH",
    help="Only what ends within 12h, 30d, 2w, or with a revoked authority, and has no successor.",
)
@click.option(
    "--revoked", is_flag=True, help="Only what is revoked, the last first, and what its authority took along."
)
@click.option("--expired", is_flag=True, help="Only what is expired and not revoked.")
@click.option("--all", "everything", is_flag=True, help="Also what is expired or revoked.")
@click.option("--profile", metavar="NAME", help="Only of this profile.")
@click.option("--identity", metavar="IDENTITY", help="Only what certifies this identity.")
@click.option("--authority", metavar="NAME", help="Only what this authority issued.")
@click.option("--check", is_flag=True, help="For monitoring, with --expiring: one line, ends with 0, 1, 2 or 3.")
@click.option("--critical", type=Length(), metavar="LENGTH", help="With --check: what ends so soon is critical.")
@in_directory
@as_json
def command(
    expiring: datetime.timedelta | None,
    revoked: bool,
    expired: bool,
    everything: bool,
    profile: str | None,
    identity: str | None,
    authority: str | None,
    check: bool,
    critical: datetime.timedelta | None,
    directory: Path,
    as_json: bool,
) -> int:
    """List what is issued and holds; authorities first, then by name.

    With --check the line begins with OK, WARNING (something is listed), CRITICAL (something of it ends within
    --critical, or has a revoked authority) or UNKNOWN (the registry cannot be asked, or has no such profile, identity
    or authority), and the exit status is 0, 1, 2 or 3.

    \b
    Example:
      keynote-pki list --dir ca
      keynote-pki list --expiring 30d --check --critical 7d
      keynote-pki list --all --json | jq '.certificates[] | select(.status == "revoked")'
    """
    if sum((expiring is not None, revoked, expired, everything)) > 1:
        raise click.UsageError("--expiring, --revoked, --expired and --all exclude each other")
    if (check and expiring is None) or (critical is not None and not check):
        raise click.UsageError("--critical goes with --check, and --check with --expiring")
    only_reads(_UNKNOWN if check else FAILED)
    now = current_time()
    try:
        where, registry = opened(directory)
        standing = _standing(now, expiring, revoked, expired, everything)
        issuer = None if authority is None else authority_keys.authority(registry, authority).id
        if profile is not None:
            _check_profile(where, registry, profile)
        certified = None if identity is None else _identity(registry, identity, somebodys=check)
        choice = Choice(now, standing, profile, certified, issuer)
        whole = registry.chosen(choice) if as_json else ()
        records: Sequence[Listed | Record] = whole if as_json else registry.listed(choice)
    except PkiError as error:
        if not check:
            raise
        if not as_json:  # which has the error itself
            tables.echo_line(f"UNKNOWN: {error}")
        raise Failed(complaints(error), _UNKNOWN) from error
    status = _OK
    if check:
        status = _WARNING if records else _OK
        if critical is not None and any(it.fallen or it.not_after <= now + critical for it in records):
            status = _CRITICAL
    if as_json:
        without = constrained(registry)
        print_json({"certificates": [record_data(record, now, without) for record in whole]})
    elif check:
        tables.echo_line(_line(status, records))
    else:
        _print(records, now)
    return status


def _standing(
    now: datetime.datetime, expiring: datetime.timedelta | None, revoked: bool, expired: bool, everything: bool
) -> Standing:
    if expiring is not None:
        return now + expiring
    if everything:
        return "all"
    return "revoked" if revoked else "expired" if expired else "holding"


def _check_profile(where: Directory, registry: Registry, name: str) -> None:
    """Raises PkiError for one that is neither in the directory nor in the registry: a misspelt name would
    find nothing, which to monitoring is all well."""
    known = {*where.profiles(), profiles.OCSP}
    if name in known:
        return
    known |= {*registry.issued_profiles()}
    if name not in known:
        raise PkiError(f"there is no profile `{shown(name)}`", _near(name, known))


def _identity(registry: Registry, text: str, *, somebodys: bool) -> str:
    """As the registry has it, whatever its case. Raises NameInvalid for what can be none, and where it has to be
    `somebodys`, PkiError for one that nobody was ever certified to be."""
    try:
        value = names.identity(text).value
    except NameInvalid as error:
        if registry.find(text):  # of a certificate that others made
            return text
        near = _near(text, registry.issued_names(), otherwise="")
        raise NameInvalid(str(error), near or error.hint) from error
    if somebodys and not any(value == it.value for found in registry.find(value) for it in found.identities):
        raise PkiError(
            f"no certificate for `{shown(value)}` was issued here",
            _near(value, registry.issued_names(), otherwise=""),
        )
    return value


def _near(text: str, known: Iterable[str], otherwise: str = "one of {}") -> str:
    found = sorted(known)
    near = difflib.get_close_matches(text, found, n=1)
    return f"did you mean `{near[0]}`?" if near else otherwise.format(", ".join(found))


def _line(status: int, records: Sequence[Listed | Record]) -> str:
    if not records:
        return "OK: no certificate ends so soon"
    named = ", ".join(
        f"{it.name} ({'revoked authority' if it.fallen else f'{it.not_after:%Y-%m-%d}'})" for it in records[:_NAMED]
    )
    more = f" and {len(records) - _NAMED:,} more" if len(records) > _NAMED else ""
    one = len(records) == 1
    count = f"{len(records):,} certificate{' ends' if one else 's end'} soon"
    if any(it.fallen for it in records):
        count += f" or {'has' if one else 'have'} a revoked authority"
    return f"{_WORDS[status]}: {count}: {named}{more}"


def _print(records: Sequence[Listed | Record], now: datetime.datetime) -> None:
    rows = [("NAME", "PROFILE", "STATUS", "UNTIL", "SERIAL")]
    for record in records:
        until = f"{record.not_after:%Y-%m-%d}"
        rows.append((record.name, record.profile, record.validity(now), until, record.serial[:SERIAL_SHOWN]))
    tables.echo(rows)
