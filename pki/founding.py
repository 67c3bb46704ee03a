# SPDX-License-Identifier: ISC
"""A new authority's directory: there whole, or as if nothing had been tried.

The registry is made under a hidden name, `.<serial>.registry`, and gets its own when everything else is there: until
then the directory holds no authority. What fails takes back what it made. What is killed cannot, and leaves a hidden
registry whose name tells which key files are its own; the next `init` removes them, and nothing else. Of a key file
outside of the directory its rows tell.

A registry elsewhere has no hidden name: there the pending row tells, by the id in `ca.toml`, which stays for as long
as such a row may be there. The next command undoes it, and the next `init` begins anew.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from pki import keystore, recording, settings
from pki.directory import Directory
from pki.errors import KeystoreError, PkiError, RegistryUnreachable
from pki.registry import Registry
from pki.registry_database import beside


@contextlib.contextmanager
def whole_or_nothing(directory: Directory) -> Iterator[None]:
    """Make a directory and hold its lock; what was made of it goes again if this block fails. Raises PkiError."""
    is_new = not directory.path.exists()
    before = _names(directory.path)
    try:
        directory.make()
        with directory.changing():
            try:
                yield
            except BaseException:
                if not _counts(directory):
                    # The lock is ours while we hold it: whoever waits for it looks whether it is still there.
                    written = directory.settings_path
                    for path in (written, settings.hidden_path(written), directory.lock_path):
                        if path.name not in before:
                            with contextlib.suppress(OSError):
                                path.unlink()
                raise
    except BaseException:
        with contextlib.suppress(OSError):  # not made yet, or in use
            if directory.keys.name not in before:
                directory.keys.rmdir()
        with contextlib.suppress(OSError):
            if is_new:
                directory.path.rmdir()
        raise


def _counts(directory: Directory) -> bool:
    """Whether a registry knows of this directory, or may."""
    if directory.registry_path.exists():
        return True
    try:
        own = directory.settings()
        return own.registry is not None and Registry.open(own.registry).knows(own.id)
    except PkiError:
        return True


@contextlib.contextmanager
def hidden_registry(directory: Directory, *serials: str) -> Iterator[Path]:
    """Where to make the registry of the authorities with these serial numbers. It gets its name when this block has
    ended, or vanishes with their keys. The caller holds the directory's lock. Raises PkiError."""
    for left in directory.hidden_registries():
        _discard(directory, left)
    hidden = directory.hidden_registry_path(serials)
    try:
        yield hidden
        _check_whole(hidden)
        for path in (hidden, directory.registry_path):
            _discard_beside(path)  # of a registry that is gone, they would be read as part of this one
        keystore.reveal(hidden, directory.registry_path)
    except BaseException:
        with contextlib.suppress(KeystoreError):
            _discard(directory, serials)
        raise


def _names(path: Path) -> frozenset[str]:
    return frozenset(it.name for it in path.iterdir()) if path.is_dir() else frozenset()


def _check_whole(registry: Path) -> None:
    """The last connection that closes writes everything into the database itself, unless the disk is full."""
    log = Path(f"{registry}-wal")
    if log.exists() and log.stat().st_size > 0:
        raise RegistryUnreachable(f"the registry `{registry}` could not be written", "is the disk full?")


def _discard(directory: Directory, serials: Sequence[str]) -> None:
    """Remove what is left of authorities that did not come to be; the name that tells of it goes last."""
    hidden = directory.hidden_registry_path(serials)
    if hidden.exists():
        for path in _keys_elsewhere(directory, hidden):
            keystore.discard(path)
        for serial in serials:
            for file in directory.key_files(serial):
                keystore.discard(directory.key_path(file))
    _discard_beside(hidden)
    keystore.discard(hidden)


def _keys_elsewhere(directory: Directory, hidden: Path) -> list[Path]:
    """Key files outside of the directory that are not to be there without this registry."""
    try:
        unfinished = Registry.open(hidden).unfinished(directory.settings().id)
    except PkiError:  # so young that it has no tables, or so broken that it tells nothing
        return []
    paths = [recording.left_by(directory, it) for it in unfinished]
    return [path for path in paths if path is not None and path.parent != directory.keys and path.parent.is_dir()]


def _discard_beside(registry: Path) -> None:
    for path in beside(registry):
        if path.exists():
            keystore.discard(path)
