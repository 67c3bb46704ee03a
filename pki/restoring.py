# SPDX-License-Identifier: ISC
"""A CA directory out of its backup: checked first, then there whole, under its name, or not at all."""

import dataclasses
import os
from pathlib import Path

from pki import backup, keystore, registry_copy, settings
from pki.backup import BackupError, Manifest
from pki.directory import Directory
from pki.errors import KeystoreError
from pki.registry import Registry


def restore(archive: Path, path: Path, registry_url: str | None = None) -> Manifest:
    """Make the directory that was backed up, its registry inside or in the database of this URL, which has to be
    empty. Raises PkiError; then there is no such directory, but for a database that may hold the registry already:
    done again, it is taken as it is, if it is the same."""
    try:
        if found := sorted(it.name for it in path.iterdir()):
            raise KeystoreError(f"`{path}` is not empty: it holds `{found[0]}`", "choose a new directory")
    except FileNotFoundError:
        pass
    except NotADirectoryError:
        raise KeystoreError(f"`{path}` is not a directory") from None
    path = path.absolute()
    with keystore.work_beside(path) as work, backup.reading(archive) as (manifest, unpack):
        made = Directory(work / "ca")
        keystore.make_directory(made.path, 0o755)
        unpack(made.path)
        _check(archive, manifest, made)
        if registry_url is not None:
            own = settings.Settings.new(registry_url)
            kept = dataclasses.replace(made.settings(), registry=own.registry)
            registry_copy.put(made.registry_path, registry_url)
            for file in (made.registry_path, made.settings_path):
                keystore.discard(file)
            settings.write(made.settings_path, kept)
        Registry.open(made.registry_url)
        try:
            os.rename(made.path, path)  # which takes the place of an empty directory, and of nothing else
        except OSError as error:
            raise KeystoreError(f"`{path}` cannot be made: {error.strerror}") from error
        keystore.sync_directory(path.parent)
        return manifest


def _check(archive: Path, manifest: Manifest, made: Directory) -> None:
    if registry_copy.contents(made.registry_path) != manifest.contents:
        raise BackupError(f"`{archive}` is damaged: its registry is not what it was")
    stranger = {*manifest.keys} - {*Registry.open_read_only(made.registry_path).key_files(made.settings().id)}
    if stranger:
        raise BackupError(f"`{archive}` is damaged: no certificate goes with its key `{min(stranger)}`")
