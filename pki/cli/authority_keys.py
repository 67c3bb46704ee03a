# SPDX-License-Identifier: ISC
"""The keys of authorities, for commands that sign with several."""

import datetime
from collections.abc import Iterator
from pathlib import Path

import click

from keynote.cli.program import tell
from keynote.complaints import Complaint
from pki import profiles
from pki.directory import Directory
from pki.errors import KeystoreError, PkiError, shown
from pki.keys import Signer
from pki.keystore import Passphrase
from pki.records import AuthorityRecord
from pki.registry import Registry

which = click.option(
    "--authority", "name", metavar="NAME", help="Only this authority. Default: all whose keys are here."
)


def authority(registry: Registry, name: str) -> AuthorityRecord:
    """By its name, or by what its certificate is found by. Raises PkiError."""
    authorities = registry.authorities()
    found = [it for it in authorities if it.name == name]
    if not found:
        meant = {record.sha256 for record in registry.find(name)}
        found = [it for it in authorities if it.certificate.sha256 in meant]
    if len(found) != 1:
        raise PkiError(
            f"no authority `{shown(name)}` is in this registry" if not found else f"`{shown(name)}` is several",
            f"one of {', '.join(f'`{it.name}`' for it in authorities)}",
        )
    return found[0]


def chosen(registry: Registry, name: str | None) -> tuple[AuthorityRecord, ...]:
    """The one that is named, or all of ours. Raises PkiError."""
    if name is not None:
        return (authority(registry, name),)
    return tuple(it for it in registry.authorities() if not it.foreign)


def signers(
    where: Directory,
    registry: Registry,
    name: str | None,
    now: datetime.datetime,
    passphrase: Passphrase,
    root_key: Path | None,
    *,
    issuing: bool = False,
) -> Iterator[tuple[AuthorityRecord, Signer | None]]:
    """Those that are named, or all of ours. Without a signer are those that are expired or whose keys are not here:
    that is said. Raises PkiError where a named one has none. Those that were revoked go on signing lists, and are
    treated like those that are expired where they are to be `issuing`."""
    for each in chosen(registry, name):
        why, signer = "", None
        if each.certificate.not_after < now and name is None:
            why = f"it expired on {each.certificate.not_after:%Y-%m-%d}"
        elif issuing and name is None and (each.certificate.revoked_at is not None or each.certificate.fallen):
            why = "it is revoked"
        else:
            key_file = root_key if each.certificate.profile == profiles.ROOT.name else None
            try:
                signer = where.signer(each.certificate, passphrase, key_file=key_file)
            except PkiError as error:
                if name is not None or not _is_away(error):
                    raise
                why = str(error)
        if why:
            what = "certifies nobody" if issuing else "signs nothing"
            tell("keynote-pki", "note", [Complaint(f"authority `{each.name}` {what}: {why}")])
        yield each, signer


def _is_away(error: PkiError) -> bool:
    """Whether it is that the key is elsewhere, and not that it cannot be read."""
    return not isinstance(error, KeystoreError) or isinstance(error.__cause__, FileNotFoundError)


def nobody_signs() -> PkiError:
    return PkiError("there is no authority here whose key could sign", "name the directory that has it with --dir")
