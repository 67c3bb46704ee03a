# SPDX-License-Identifier: ISC
"""Files as a value, and how they get on the disk: all of them or none, and none in the place of another."""

import contextlib
from dataclasses import dataclass, field
from pathlib import Path

from pki import keystore
from pki.errors import KeystoreError

PUBLIC, SECRET, PROGRAM = 0o644, 0o600, 0o755


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle, by its path below the bundle's directory."""

    path: str
    data: bytes = field(repr=False)
    mode: int = PUBLIC
    shared: bool = False  # may be there already with the same contents, as an authority's certificate


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files, the directories they need (name, mode), and links (name, target) beside them."""

    files: tuple[File, ...]
    directories: tuple[tuple[str, int], ...] = ()
    links: tuple[tuple[str, str], ...] = ()


def write(bundle: Bundle, directory: Path) -> tuple[Path, ...]:
    """Put a bundle below a directory, which is made if need be; the paths written. Overwrites nothing: where a name
    is taken nothing is written at all. Raises KeystoreError."""
    wanted = [file for file in bundle.files if not _is_there(file, directory)]
    for name in (*(file.path for file in wanted), *(link for link, _ in bundle.links)):
        if (path := directory / name).exists() or path.is_symlink():
            raise KeystoreError(f"`{path}` exists and is not overwritten", "export to a new directory")
    made: list[Path] = []
    written: list[Path] = []
    try:
        for path, mode in ((directory, 0o755), *((directory / name, mode) for name, mode in bundle.directories)):
            if not path.is_dir():
                made.append(path)
                keystore.make_directory(path, mode)
        for file in wanted:
            keystore.write(directory / file.path, file.data, file.mode)
            written.append(directory / file.path)
        for name, target in bundle.links:
            _link(directory / name, target)
            written.append(directory / name)
    except BaseException:
        for path in reversed(written):
            with contextlib.suppress(OSError):
                path.unlink()
        for path in reversed(made):
            with contextlib.suppress(OSError):
                path.rmdir()
        raise
    return tuple(written)


def _is_there(file: File, directory: Path) -> bool:
    path = directory / file.path
    try:
        return file.shared and path.is_file() and path.read_bytes() == file.data
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be read: {error.strerror}") from error


def _link(path: Path, target: str) -> None:
    try:
        path.symlink_to(target)
    except OSError as error:
        raise KeystoreError(f"`{path}` cannot be made: {error.strerror}") from error
