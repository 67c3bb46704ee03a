# SPDX-License-Identifier: ISC
"""Revocation lists as files, for web servers and gateways: `<authority>.crl` (DER, as its URL serves it) and
`<authority>.crl.pem`, which has the head of the audit log too.

A file gets its name when it is whole, and never takes the place of a later list, or of one that has more revoked.
"""

import datetime
import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pki import auditing, keystore, registry_crls, revocation_lists, whole_files
from pki.errors import KeystoreError, PkiError, RevocationListInvalid
from pki.records import AuthorityRecord
from pki.registry import Registry
from pki.revocation import ListRecord
from pki.revocation_lists import RevocationList

_MODE = 0o644


def is_due(registry: Registry, newest: ListRecord | None, now: datetime.datetime) -> bool:
    """Whether another list is wanted: there is none, half of its time is over, or it lacks something.

    Raises RegistryUnreachable."""
    if newest is None:
        return True
    half = newest.this_update + (newest.next_update - newest.this_update) / 2
    return now >= half or registry.crls.lacks(newest, now)


@dataclass(frozen=True, slots=True)
class Published:
    """A list, and where it was written."""

    authority: AuthorityRecord
    made: ListRecord
    files: tuple[Path, ...] = ()
    errors: tuple[PkiError, ...] = ()  # of the files that could not be written


def file_names(authorities: Sequence[AuthorityRecord]) -> dict[int, str]:
    """One for each authority, by its name; those that come out alike have their number too."""
    names = {it.id: re.sub(r"[^a-z0-9]+", "-", it.name.lower()).strip("-") or "authority" for it in authorities}
    found = list(names.values())
    return {id: name if found.count(name) == 1 else f"{name}-{id}" for id, name in names.items()}


def published(
    registry: Registry, authority: AuthorityRecord, made: ListRecord, out: Path | None, below: str = ""
) -> Published:
    """Its list in a file, PEM where the name ends so, else DER; or in both files that begin `below` in a directory,
    which is made if need be. A file that cannot be written, or has a list that is later or has certificates revoked
    that this one lacks, does not stop the other."""
    targets = [] if out is None else [out]
    if out is not None and below:
        targets = [out / f"{below}.crl", out / f"{below}.crl.pem"]
    files, errors = [], []
    for target in targets:
        try:
            if below and not target.parent.is_dir():
                keystore.make_directory(target.parent, 0o755)
            _check_follows(registry, authority, made, target)
            keystore.replace(target, auditing.pem(made) if target.suffix == ".pem" else made.der, _MODE)
            files.append(target)
        except PkiError as error:
            errors.append(error)
    return Published(authority, made, tuple(files), tuple(errors))


def _check_follows(registry: Registry, authority: AuthorityRecord, made: ListRecord, path: Path) -> None:
    try:
        there = revocation_lists.read(whole_files.content(path, whole_files.LIST))
    except FileNotFoundError:
        return
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be read: {error.strerror}") from error
    except RevocationListInvalid as error:
        raise PkiError(f"`{path}` is no revocation list, so it is not overwritten: {error}") from error
    if there.crl.issuer != made.crl.issuer:
        raise PkiError(f"`{path}` is the list of another authority, `{there.issuer}`, so it is not overwritten")
    if not there.signed_with(authority.certificate.certificate.public_key()):
        raise PkiError(
            f"`{path}` is signed with another key than that of `{authority.name}`, so it is not overwritten",
            "move it away if it is of an authority of the same name that is no more",
        )
    if there.crl == made.crl:
        return
    _check_has_all(registry, made, there, path)
    if there.number is not None and there.number >= made.number:
        raise PkiError(
            f"`{path}` has list {there.number} already, and this is list {made.number}: "
            "was the registry restored from a backup?",
            f"go on after it: {_go_on(path)}",
        )


def _check_has_all(registry: Registry, made: ListRecord, there: RevocationList, path: Path) -> None:
    """Whoever fetched that list has refused these certificates, and would take them again."""
    found = registry.crls.unlisted(there, made)
    if not found.all:
        return
    again = registry_crls.revoke_commands((it, there.revoked[it].reason) for it in found.good)
    raise PkiError(
        f"{registry_crls.named(found.all)} revoked in `{path}`, and not in list {made.number}, so it is not "
        "overwritten: was the registry restored from a backup?",
        (f"revoke again: {again}; then " if again else "") + f"go on after it: {_go_on(path)}",
    )


def _go_on(path: Path) -> str:
    return f"keynote-pki crl make --after {shlex.quote(str(path))}"
