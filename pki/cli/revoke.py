# SPDX-License-Identifier: ISC
"""`keynote-pki revoke`."""

import datetime
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from keynote.cli.program import print_json
from pki import revocation
from pki.cli.common import (
    SERIAL_SHOWN,
    as_json,
    complete_names,
    confirm,
    current_time,
    in_directory,
    opened,
    record_data,
)
from pki.errors import PkiError, RegistryError, shown
from pki.records import AuthorityRecord, Record
from pki.registry import Registry


@click.command("revoke")
@click.argument("names", metavar="NAME...", nargs=-1, required=True, shell_complete=complete_names)
@click.option("--reason", required=True, type=click.Choice(revocation.REASONS), help="Why (RFC 5280 5.3.1).")
@click.option("--every", is_flag=True, help="Every certificate that NAME finds and that is not revoked.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@in_directory
@as_json
def command(names: Sequence[str], reason: str, every: bool, yes: bool, directory: Path, as_json: bool) -> None:
    """Take certificates back, for ever: by name, identity, subject, serial number or SHA-256. What was delegated with
    them goes along.

    \b
    Example:
      keynote-pki revoke gw.example.org --reason keyCompromise
      keynote-pki revoke alice@example.org --every --reason cessationOfOperation --yes
    """
    _, registry = opened(directory)
    now = current_time()
    records = _meant(registry, names, every, now)
    if not yes:
        _confirm(records, reason)
    with_them = {
        it.number
        for it in registry.delegations.all()
        if it.revoked_at is None and it.certificate in _sha256s(records)
    }
    done = registry.revoke_all([(it.authority_id, it.serial) for it in records], reason, now)
    if as_json:
        print_json({"revoked": [record_data(it, now) for it in done], "delegations": sorted(with_them)})
        return
    for record in done:
        click.echo(f"{record.name}: revoked ({reason}), serial {record.serial}")
    for number in sorted(with_them):
        click.echo(f"delegation {number}, which came with it, is revoked too")
    for line in _effects(registry, done, now):
        click.echo(line)


def _sha256s(records: Sequence[Record]) -> set[str]:
    return {record.sha256 for record in records}


def _meant(registry: Registry, names: Sequence[str], every: bool, now: datetime.datetime) -> tuple[Record, ...]:
    """Each once, in the order of the names. Raises RegistryError."""
    records: dict[str, Record] = {}
    for name in names:
        for record in _every(registry, name) if every else (_one(registry, name, now),):
            records[record.sha256] = record
    return tuple(records.values())


def _every(registry: Registry, name: str) -> tuple[Record, ...]:
    left = tuple(record for record in registry.find(name) if record.revoked_at is None)
    return left or (registry.find_one(name),)


def _one(registry: Registry, name: str, now: datetime.datetime) -> Record:
    """The one that holds, where a name also has others, which do not. Raises RegistryError."""
    records = registry.find(name)
    valid = [record for record in records if record.validity(now) in ("valid", "not yet valid")]
    if len(valid) == 1:
        return valid[0]
    if len(valid) > 1:
        candidates = ", ".join(f"{it.serial[:SERIAL_SHOWN]} ({it.name}, {it.not_after:%Y-%m-%d})" for it in valid)
        raise RegistryError(
            f"`{shown(name)}` is {len(valid)} certificates that hold: {candidates}",
            "give the serial number of one, or take --every",
        )
    return registry.find_one(name)


def _confirm(records: Sequence[Record], reason: str) -> None:
    if not sys.stdin.isatty():
        raise PkiError("a revocation is for ever, and nobody is there to confirm it", "add --yes")
    for record in records:
        about = f"{record.profile}, serial {record.serial[:SERIAL_SHOWN]}, until {record.not_after:%Y-%m-%d}"
        click.echo(f"{record.name} ({about})", err=True)
    confirm(f"revoke for ever ({reason})?")


def _effects(registry: Registry, records: Sequence[Record], now: datetime.datetime) -> Iterator[str]:
    """What takes effect where, and when."""
    yield "gateways that ask this registry refuse it from the next handshake on; OCSP says so at once"
    authorities = {it.id: it for it in registry.authorities()}
    revoked = _sha256s(records)
    for below in authorities.values():
        if below.certificate.sha256 in revoked:
            yield f"authority `{below.name}` is refused with everything that it issued"
    for authority_id in dict.fromkeys(record.authority_id for record in records):
        yield _about_list(registry, authorities[authority_id], now)


def _about_list(registry: Registry, issuer: AuthorityRecord, now: datetime.datetime) -> str:
    if issuer.foreign:
        return f"its issuer `{issuer.name}` is not ours: whoever goes by its list or OCSP needs it revoked there too"
    newest = registry.crls.newest(issuer.id)
    if newest is None or now > newest.next_update:
        return f"`{issuer.name}` has no list that holds: make one with `keynote-pki crl make`"
    return (
        f"who goes by list {newest.number} of `{issuer.name}` may accept it until "
        f"{newest.next_update:%Y-%m-%d %H:%M:%SZ}: make the next with `keynote-pki crl make`"
    )
