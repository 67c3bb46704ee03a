# SPDX-License-Identifier: ISC
"""The keys of authorities, for commands that sign with several."""

import datetime
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from keynote.cli.program import tell
from keynote.complaints import Complaint
from pki.directory import Directory
from pki.errors import KeystoreError, PkiError, shown
from pki.keys import Signer
from pki.keystore import Passphrase
from pki.records import AuthorityRecord
from pki.registry import Registry

which = click.option(
    "--authority", "name", metavar="NAME", help="Only this authority. Default: all whose keys are here."
)


def passphrase() -> Passphrase | None:
    """Asks on a terminal, once for each file."""
    if not sys.stdin.isatty():
        return None
    answers: dict[Path, bytes] = {}

    def asked(path: Path) -> bytes:
        if path not in answers:
            answers[path] = click.prompt(f"passphrase of {path}", hide_input=True, err=True).encode()
        return answers[path]

    return asked


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


def signing(
    where: Directory, registry: Registry, name: str | None, now: datetime.datetime
) -> Iterator[tuple[AuthorityRecord, Signer]]:
    """Those that are named, or all whose keys are here and that are not expired; of the others it is said that they
    are left out. Raises PkiError where none is left."""
    unlock = passphrase()
    left = 0
    for each in chosen(registry, name):
        why = ""
        if each.certificate.not_after < now and name is None:
            why = f"it expired on {each.certificate.not_after:%Y-%m-%d}"
        else:
            try:
                signer = where.signer(each.certificate, unlock)
            except KeystoreError:
                raise
            except PkiError as error:
                if name is not None:
                    raise
                why = str(error)
        if why:
            tell("keynote-pki", "note", [Complaint(f"authority `{each.name}` is left out: {why}")])
            continue
        left += 1
        yield each, signer
    if not left:
        raise PkiError("there is no authority here whose key could sign", "name the directory that has it with --dir")
