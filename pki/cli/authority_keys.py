# SPDX-License-Identifier: ISC
"""The keys of authorities, for commands that sign with several."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import click

from keynote.cli.program import tell
from keynote.complaints import Complaint
from pki import keys, keystore, profiles
from pki.directory import Directory
from pki.errors import KeyMissing, KeystoreError, PkiError, shown
from pki.keys import KeySigner, Signer
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
    root_keys: Sequence[Path],
    *,
    issuing: bool = False,
) -> Sequence[tuple[AuthorityRecord, Signer | None]]:
    """Those that are named, or all of ours, with all keys read: whatever is wrong with one of them is found before
    anything is signed. Without a signer are those that are expired or whose keys are not here: that is said. Raises
    PkiError where a named one has none, and for one of the `root_keys` that is no root's. Those that were revoked go
    on signing lists, and are treated like those that are expired where they are to be `issuing`."""
    given = _of_roots(registry, root_keys, passphrase)
    found: list[tuple[AuthorityRecord, Signer | None]] = []
    for each in chosen(registry, name):
        why, signer = "", None
        if each.certificate.not_after < now and name is None:
            why = f"it expired on {each.certificate.not_after:%Y-%m-%d}"
        elif issuing and name is None and (each.certificate.revoked_at is not None or each.certificate.fallen):
            why = "it is revoked"
        else:
            try:
                signer = given.get(each.certificate.key_sha256) or where.signer(each.certificate, passphrase)
            except PkiError as error:
                if name is not None or not _is_away(error):
                    raise
                why = str(error)
        if why:
            what = "certifies nobody" if issuing else "signs nothing"
            tell("keynote-pki", "note", [Complaint(f"authority `{each.name}` {what}: {why}")])
        found.append((each, signer))
    return found


def _of_roots(registry: Registry, files: Sequence[Path], passphrase: Passphrase) -> dict[str, Signer]:
    """The keys in these files, by their `keys.key_sha256`. Raises PkiError for one that is no root's."""
    roots = {it.certificate.key_sha256: it.name for it in registry.authorities() if _is_root(it)}
    given: dict[str, Signer] = {}
    for path in files:
        key = keystore.unlock(path, passphrase)[0]
        sha256 = keys.key_sha256(key.public_key())
        if sha256 not in roots:
            named = ", ".join(f"`{it}`" for it in roots.values()) or "a root: there is none in this registry"
            raise KeystoreError(f"`{path}` does not hold the private key of {named}")
        given[sha256] = KeySigner(key)
    return given


def _is_root(authority: AuthorityRecord) -> bool:
    return authority.certificate.profile == profiles.ROOT.name and not authority.foreign


def _is_away(error: PkiError) -> bool:
    """Whether it is that the key is elsewhere, and not that it cannot be read."""
    return not isinstance(error, KeystoreError) or isinstance(error, KeyMissing)


def nobody_signs() -> PkiError:
    return PkiError("there is no authority here whose key could sign", "name the directory that has it with --dir")
