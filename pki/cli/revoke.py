# SPDX-License-Identifier: ISC
"""`keynote-pki revoke`."""

import datetime
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from keynote.cli.program import print_json
from pki import candidates, revocation
from pki.cli import tables
from pki.cli.common import (
    SERIAL_SHOWN,
    as_json,
    complete_names,
    confirm,
    constrained,
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
    where, registry = opened(directory)
    now = current_time()
    own = where.settings().id
    records = _meant(registry, own, names, every, now)
    asked = [(it.authority_id, it.serial) for it in records]
    if not yes:
        _confirm(records, registry.reached(asked, reason, now), reason)
    bound = {it.number: it.certificate for it in registry.delegations.all() if it.revoked_at is None}
    done = registry.revoke_all(asked, reason, now)
    with_them = sorted(number for number, sha256 in bound.items() if sha256 in _sha256s(done))
    also = done[len(asked) :]
    if as_json:
        without = constrained(registry)
        revoked = [record_data(it, now, without) for it in done]
        print_json({"revoked": revoked, "same_key": [it.serial for it in also], "delegations": with_them})
        return
    for record in done[: len(asked)]:
        tables.echo_line(f"{record.name}: revoked ({reason}), serial {record.serial}")
    for record in also:
        tables.echo_line(f"{record.name}: revoked too, since it has the same key, serial {record.serial}")
    for number in with_them:
        tables.echo_line(f"delegation {number}, which came with it, is revoked too")
    for line in _effects(registry, own, done, now):
        tables.echo_line(line)


def _sha256s(records: Sequence[Record]) -> set[str]:
    return {record.sha256 for record in records}


def _meant(
    registry: Registry, own: str, names: Sequence[str], every: bool, now: datetime.datetime
) -> tuple[Record, ...]:
    """Each once, in the order of the names. Raises RegistryError."""
    records: dict[str, Record] = {}
    for name in names:
        found = _found(registry, own, name)
        for record in _every(registry, name, found) if every else (_one(registry, name, found, now),):
            records[record.sha256] = record
    return tuple(records.values())


def _found(registry: Registry, own: str, name: str) -> tuple[Record, ...]:
    """What the directory of the id `own` has issued, and of others what is meant by its number and nothing less: whom
    they know by a name is their affair, and so is the list that has to have it. Raises RegistryError."""
    found = registry.find(name)
    numbered = tuple(it for it in found if it.directory != own and candidates.has_number(it, name))
    if numbered:
        return (*(it for it in found if it.directory == own), *numbered)
    try:
        return candidates.issued_in(own, name, found, registry)
    except RegistryError as error:
        raise RegistryError(str(error), f"{error.hint}; or give its serial number if you mean it") from error


def _every(registry: Registry, name: str, found: Sequence[Record]) -> tuple[Record, ...]:
    return tuple(record for record in found if record.revoked_at is None) or (_last(registry, name, found),)


def _one(registry: Registry, name: str, found: Sequence[Record], now: datetime.datetime) -> Record:
    """The one that holds, where a name also has others, which do not. Raises RegistryError."""
    good = [record for record in found if candidates.holds(record, now)]
    if len(good) == 1:
        return good[0]
    if len(good) > 1:
        raise RegistryError(
            f"`{shown(name)}` is {len(good)} certificates that hold: {candidates.listed(good, registry, now)}",
            "give the serial number of one, or take --every",
        )
    return _last(registry, name, found)


def _last(registry: Registry, name: str, found: Sequence[Record]) -> Record:
    """The only one, whatever it is. Raises RegistryError."""
    if len(found) > 1 and all(record.revoked_at is not None for record in found):
        last = max(found, key=lambda record: record.revoked_at or record.issued_at)
        raise RegistryError(
            f"`{shown(name)}` was revoked already: {len(found)} certificates, the last on "
            f"{last.revoked_at:%Y-%m-%d %H:%M:%SZ}: {last.revocation_reason}"
        )
    return candidates.only(name, found, registry)


def _confirm(records: Sequence[Record], also: Sequence[Record], reason: str) -> None:
    if not sys.stdin.isatty():
        raise PkiError("a revocation is for ever, and nobody is there to confirm it", "add --yes")
    for record in (*records, *also):
        about = f"{record.profile}, serial {record.serial[:SERIAL_SHOWN]}, until {record.not_after:%Y-%m-%d}"
        why = ", since it has the same key" if record in also else ""
        tables.echo_line(f"{record.name} ({about}){why}", err=True)
    confirm(f"revoke for ever ({reason})?")


def _effects(registry: Registry, own: str, records: Sequence[Record], now: datetime.datetime) -> Iterator[str]:
    """What takes effect where, and when. `own` is the id of the directory."""
    yield "gateways that ask this registry refuse it from the next handshake on; OCSP says so at once"
    authorities = {it.id: it for it in registry.authorities()}
    revoked = _sha256s(records)
    for below in authorities.values():
        if below.certificate.sha256 in revoked:
            yield from _about_authority(registry, below, authorities[below.issuer_id], now)
    for authority_id in dict.fromkeys(record.authority_id for record in records):
        yield _about_list(registry, own, authorities[authority_id], now)


def _about_authority(
    registry: Registry, revoked: AuthorityRecord, issuer: AuthorityRecord, now: datetime.datetime
) -> Iterator[str]:
    left = [
        it
        for it in registry.with_key(revoked.certificate.key_sha256)
        if it.validity(now) in ("valid", "not yet valid")
    ]
    if not left:
        yield f"authority `{revoked.name}` is refused with everything that it issued"
    for cross in left:
        yield (
            f"`{cross.name}` stays valid, since the key of `{revoked.name}` is not said to be bad: whoever goes that "
            f"way still believes what it issued; to end that, revoke serial {cross.serial[:SERIAL_SHOWN]} as well"
        )
    if revoked.retired_at is None and not revoked.foreign:
        how = "keynote-pki init NEWDIR --request FILE" if issuer.foreign else "keynote-pki rollover"
        yield f"`{revoked.name}` issues no more: put another in its place with `{how}`"


def _about_list(registry: Registry, own: str, issuer: AuthorityRecord, now: datetime.datetime) -> str:
    if issuer.foreign:
        return f"its issuer `{issuer.name}` is not ours: whoever goes by its list or OCSP needs it revoked there too"
    newest = registry.crls.newest(issuer.id)
    there = "" if issuer.certificate.directory == own else ", in the directory of that authority"
    if newest is None or now > newest.next_update:
        return f"`{issuer.name}` has no list that holds: make one with `keynote-pki crl make`{there}"
    return (
        f"who goes by list {newest.number} of `{issuer.name}` may accept it until "
        f"{newest.next_update:%Y-%m-%d %H:%M:%SZ}: make the next with `keynote-pki crl make`{there}"
    )
