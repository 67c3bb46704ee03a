# SPDX-License-Identifier: ISC
"""Revocation lists as files, for web servers and gateways: `<authority>.crl` (DER, as its URL serves it) and
`<authority>.crl.pem`, which has the head of the audit log too.

A file gets its name when it is whole, and never takes the place of a later list.
"""

import datetime
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pki import auditing, keystore, revocation_lists, whole_files
from pki.errors import KeystoreError, PkiError, RevocationListInvalid
from pki.records import AuthorityRecord
from pki.registry import Registry
from pki.revocation import ListRecord

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


def published(authority: AuthorityRecord, made: ListRecord, out: Path | None, below: str = "") -> Published:
    """Its list in a file, PEM where the name ends so, else DER; or in both files that begin `below` in a directory,
    which is made if need be. A file that cannot be written, or has a later list, does not stop the other."""
    targets = [] if out is None else [out]
    if out is not None and below:
        targets = [out / f"{below}.crl", out / f"{below}.crl.pem"]
    files, errors = [], []
    for target in targets:
        try:
            if below and not target.parent.is_dir():
                keystore.make_directory(target.parent, 0o755)
            _write(made, target)
            files.append(target)
        except PkiError as error:
            errors.append(error)
    return Published(authority, made, tuple(files), tuple(errors))


def _write(made: ListRecord, target: Path) -> None:
    _check_not_later(made, target)
    keystore.replace(target, auditing.pem(made) if target.suffix == ".pem" else made.der, _MODE)


def _check_not_later(made: ListRecord, path: Path) -> None:
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
    if there.number is not None and (
        there.number > made.number or (there.number == made.number and there.crl != made.crl)
    ):
        raise PkiError(
            f"`{path}` has list {there.number} already, and this is list {made.number}: "
            "was the registry restored from a backup?",
            f"go on after it: keynote-pki crl make --number {there.number + 1}",
        )
