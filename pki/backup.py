# SPDX-License-Identifier: ISC
"""A CA directory as one file, and that file read again: a tar archive, 0600, which any tar unpacks.

manifest.json      what is in it: SHA-256 of each file, rows and SHA-256 of each table, the head of the audit log
registry.sqlite    the registry, whatever database it was in (`registry_copy`)
ca.toml            without the registry's URL, which may hold a password
profiles.toml      where there is one, as it is
keys/              only where they were asked for, each as it is: encrypted, if it has a passphrase
"""

import contextlib
import dataclasses
import datetime
import hashlib
import json
import os
import re
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

from pki import keystore, registry_copy, settings, whole_files
from pki.audit import Head
from pki.directory import Directory
from pki.errors import KeystoreError, PkiError, shown
from pki.registry_copy import Contents, Table
from pki.registry_database import SCHEMA

MANIFEST, REGISTRY, SETTINGS, KEYS = "manifest.json", "registry.sqlite", "ca.toml", "keys/"
PROFILES: Final = "profiles.toml"
_FORMAT: Final = 1
_MEMBER: Final = re.compile(r"manifest\.json|registry\.sqlite|(?:ca|profiles)\.toml|keys/[0-9a-f]{40}\.pem")
_SMALL: Final = 64 << 20  # what is read as a whole: a manifest has some 100 bytes for each key
_PIECE: Final = 1 << 20


class BackupError(PkiError):
    """A backup that cannot be written, or is not what it should be."""


class _OtherVersion(BackupError):
    """Of this software."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup holds."""

    made_at: datetime.datetime
    schema: str
    contents: Contents
    files: Mapping[str, str]  # name in the archive → SHA-256, in hex
    missing: tuple[str, ...] = ()  # key files that were asked for and are not in the directory

    @property
    def keys(self) -> tuple[str, ...]:
        """File names of the private keys in it."""
        return tuple(name.removeprefix(KEYS) for name in self.files if name.startswith(KEYS))


def write(directory: Directory, target: Path, now: datetime.datetime, *, keys: bool) -> Manifest:
    """Back a directory up to a new file, which is read again before it gets its name. The caller has brought to an
    end what was interrupted. Raises PkiError; then there is no such file."""
    if target.exists() or target.is_symlink():
        raise KeystoreError(f"`{target}` exists and is not overwritten")
    with directory.changing(), keystore.work_beside(target) as work:
        registry, archive = work / REGISTRY, work / "archive"
        contents = registry_copy.snapshot(directory.existing_registry(), registry)
        members = {REGISTRY: registry}
        own = directory.settings()
        if own.id:
            settings.write(work / SETTINGS, dataclasses.replace(own, registry=None))
            members[SETTINGS] = work / SETTINGS
        if (profiles := _profiles(directory)) is not None:
            keystore.write(work / PROFILES, profiles)
            members[PROFILES] = work / PROFILES
        wanted = directory.registry().key_files(own.id) if keys else ()
        there = [name for name in wanted if directory.key_path(name).is_file()]
        members |= {KEYS + name: directory.key_path(name) for name in there}
        manifest = Manifest(
            now.replace(microsecond=0),
            SCHEMA,
            contents,
            {name: _sha256(path) for name, path in members.items()},
            tuple(sorted(set(wanted) - set(there))),
        )
        _write_archive(archive, manifest, members)
        with reading(archive) as (found, unpack):
            check = work / "check"
            keystore.make_directory(check, 0o700)
            unpack(check)
            if found != manifest or registry_copy.contents(check / REGISTRY) != contents:
                raise BackupError(f"`{target}` is not what was written to it", "is the disk damaged?")
        keystore.give_name(archive, target)
        return manifest


@contextlib.contextmanager
def reading(archive: Path) -> "Iterator[tuple[Manifest, Unpack]]":
    """What a backup says that it holds, and a function that unpacks and checks it. Raises BackupError."""
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as tar:
            members = _members(archive, tar)
            manifest = _manifest(archive, _content(tar, members[MANIFEST]).read(_SMALL))
            if {*members} != {MANIFEST, *manifest.files} or REGISTRY not in members:
                raise BackupError(f"`{archive}` is damaged: it does not hold the files that it should")
            yield manifest, Unpack(archive, tar, members, manifest)
    except OSError as error:
        raise BackupError(f"`{archive}` cannot be read: {error.strerror or error}") from error
    except tarfile.TarError as error:
        raise BackupError(f"`{archive}` is no backup: {error}") from error


@dataclass(frozen=True, slots=True)
class Unpack:
    """The files of an archive into a directory that is empty; each whole and on the disk, or BackupError."""

    _archive: Path
    _tar: tarfile.TarFile
    _members: Mapping[str, tarfile.TarInfo]
    _manifest: Manifest

    def __call__(self, directory: Path) -> None:
        keystore.make_directory(directory / KEYS, 0o700)
        for name, sha256 in self._manifest.files.items():
            mode = 0o600 if name.startswith(KEYS) else 0o644
            with _content(self._tar, self._members[name]) as content:
                if _copy(content, directory / name, mode) != sha256:
                    raise BackupError(f"`{self._archive}` is damaged: `{name}` is not what it was")


def _members(archive: Path, tar: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    members: dict[str, tarfile.TarInfo] = {}
    for member in tar:
        if not _MEMBER.fullmatch(member.name) or not member.isreg() or member.name in members:
            raise BackupError(f"`{archive}` is no backup: it holds `{shown(member.name)}`")
        members[member.name] = member
    if MANIFEST not in members:
        raise BackupError(f"`{archive}` is no backup: it has no `{MANIFEST}`")
    return members


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> IO[bytes]:
    content = tar.extractfile(member)
    assert content is not None  # it is a regular file
    return content


def _copy(content: IO[bytes], path: Path, mode: int) -> str:
    """The SHA-256, in hex, of what was written."""
    digest = hashlib.sha256()
    keystore.write(path, b"", mode)
    try:
        with path.open("wb") as file:
            while piece := content.read(_PIECE):
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BackupError(f"`{path}` cannot be written: {error.strerror}") from error
    return digest.hexdigest()


def _profiles(directory: Directory) -> bytes | None:
    """What stands in the CA's own profiles, read once, for somebody may be at work on them; None: it has none."""
    path = directory.profiles_path
    try:
        return whole_files.content(path)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise BackupError(f"`{path}` cannot be read: {error.strerror}") from error


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise BackupError(f"`{path}` cannot be read: {error.strerror}") from error


def _write_archive(path: Path, manifest: Manifest, members: Mapping[str, Path]) -> None:
    text = path.with_name(MANIFEST)
    keystore.write(text, _text(manifest))
    keystore.write(path, b"")
    try:
        with path.open("wb") as file:
            with tarfile.open(fileobj=file, mode="w") as tar:
                for name, source in {MANIFEST: text, **members}.items():
                    with source.open("rb") as content:
                        info = tar.gettarinfo(arcname=name, fileobj=content)
                        info.mode, info.uid, info.gid, info.uname, info.gname = 0o600, 0, 0, "", ""
                        tar.addfile(info, content)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise BackupError(f"the backup cannot be written: {error.strerror}") from error


def _text(manifest: Manifest) -> bytes:
    contents = manifest.contents
    data = {
        "format": _FORMAT,
        "made_at": f"{manifest.made_at:%Y-%m-%dT%H:%M:%SZ}",
        "schema": manifest.schema,
        "tables": {name: dataclasses.asdict(table) for name, table in contents.tables.items()},
        "head": str(contents.head),
        "files": dict(manifest.files),
        "missing": list(manifest.missing),
    }
    return json.dumps(data, indent=1).encode() + b"\n"


def _manifest(archive: Path, text: bytes) -> Manifest:
    try:
        data: Any = json.loads(text)
        if data["format"] != _FORMAT or data["schema"] != SCHEMA:
            raise _OtherVersion(
                f"`{archive}` was made by another version, of a registry with schema {shown(str(data['schema']))}",
                "restore it with that version, then migrate",
            )
        tables = {str(name): Table(int(it["rows"]), str(it["sha256"])) for name, it in data["tables"].items()}
        return Manifest(
            datetime.datetime.strptime(data["made_at"], "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=datetime.UTC),
            SCHEMA,
            Contents(tables, Head.parse(data["head"])),
            {str(name): str(sha256) for name, sha256 in data["files"].items()},
            tuple(map(str, data["missing"])),
        )
    except _OtherVersion:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, PkiError) as error:
        raise BackupError(f"`{archive}` is damaged: its `{MANIFEST}` cannot be read") from error
