# SPDX-License-Identifier: ISC
"""What a peer is handed: files as its software expects them. A bundle is a value; `write` puts it on disk."""

import contextlib
import re
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.serialization import Encoding

from pki import keystore
from pki.errors import KeystoreError
from pki.keys import PrivateKey
from pki.records import AuthorityRecord, Record

PUBLIC, SECRET = 0o644, 0o600


@dataclass(frozen=True, slots=True)
class File:
    """One file of a bundle, by its path below the bundle's directory."""

    path: str
    data: bytes = field(repr=False)
    mode: int = PUBLIC
    shared: bool = False  # may be there already with the same contents, as an authority's certificate


@dataclass(frozen=True, slots=True)
class Bundle:
    """Files, the directories they need, and links (name, target) beside them."""

    directories: tuple[tuple[str, int], ...]
    files: tuple[File, ...]
    links: tuple[tuple[str, str], ...] = ()


def isakmpd(record: Record, authority: AuthorityRecord, key: PrivateKey) -> Bundle:
    """`ca/ certs/ private/ crls/`, as isakmpd finds them below /etc/isakmpd.

    It looks for its private key as private/<identity>, then as private/local.key: the second is a link to the first,
    so that there is one copy of the key to guard and to replace.
    """
    identity = record.identities[0].value
    own_key = f"private/{identity}"
    return Bundle(
        directories=(("ca", 0o755), ("certs", 0o755), ("crls", 0o755), ("private", 0o700)),
        files=(
            File(
                f"ca/{_file_name(authority.name)}.crt",
                pem(authority.certificate).encode(),
                shared=True,
            ),
            File(f"certs/{identity}.crt", pem(record).encode()),
            File(own_key, keystore.pem(key, traditional=True), SECRET),
        ),
        links=() if identity == "local.key" else (("private/local.key", identity),),
    )


def pem(record: Record) -> str:
    """The certificate in PEM."""
    return record.certificate.public_bytes(Encoding.PEM).decode("ascii")


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
    except KeystoreError:
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


def _file_name(name: str) -> str:
    """An authority's name as a file name; two that come out alike are told apart by whoever writes them."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "authority"
