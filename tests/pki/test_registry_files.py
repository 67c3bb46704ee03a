# SPDX-License-Identifier: ISC
"""The registry in a file of SQLite's: who may read it, what is no registry, and odd names."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pki.errors import RegistryError, RegistryUnreachable, SchemaUnknown
from pki.records import Status
from pki.registry import Registry
from tests.pki import databases, faults
from tests.pki.factory import NOW
from tests.pki.test_registry import SHA256, issue, reservation, with_authority


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "registry.sqlite"


@pytest.fixture
def there(path: Path) -> tuple[Registry, int]:
    return with_authority(path)


def test_a_reader_sees_a_file_that_took_the_others_place(there: tuple[Registry, int], path: Path) -> None:
    reader = Registry.open_read_only(path)
    backup = path.with_name("backup")
    shutil.copy(path, backup)
    issue(there)
    assert reader.status(SHA256) is Status.ISSUED
    backup.replace(path)
    assert reader.status(SHA256) is Status.UNKNOWN


@pytest.fixture
def open_directory() -> Iterator[Path]:
    """One that everybody can look into, unlike pytest's."""
    path = Path(tempfile.mkdtemp())
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_the_right_to_read_is_enough(open_directory: Path) -> None:
    path = open_directory / "registry.sqlite"
    made = Registry.create(path)
    authority = made.reserve_authority(reservation("ca.example.org", 99))
    issue((made, authority))

    def as_nobody() -> None:
        os.setgroups([])
        os.setgid(65534)
        os.setuid(65534)
        assert not os.access(open_directory, os.W_OK)
        assert Registry.open_read_only(path).status(SHA256) is Status.ISSUED

    assert faults.in_child(as_nobody) == 0


def test_no_file(path: Path) -> None:
    for use in (Registry.open, Registry.open_read_only):
        with pytest.raises(RegistryUnreachable, match="unable to open"):
            use(path)
    assert not path.exists()


def test_a_file_that_went_away(there: tuple[Registry, int], path: Path) -> None:
    reader = Registry.open_read_only(path)
    path.unlink()
    with pytest.raises(RegistryUnreachable):
        reader.status(SHA256)


def test_a_file_that_is_no_database(path: Path) -> None:
    path.write_bytes(b"x" * 5000)
    with pytest.raises(RegistryUnreachable, match="not a database"):
        Registry.open_read_only(path)


def test_opening_never_migrates(path: Path) -> None:
    databases.execute(path, "CREATE TABLE other (id INTEGER)")
    before = path.read_bytes()
    for use in (Registry.open, Registry.open_read_only):
        with pytest.raises(SchemaUnknown):
            use(path)
    assert databases.rows(path, "SELECT name FROM sqlite_master") == [("other",)]
    assert len(path.read_bytes()) == len(before)


def test_pragmas(there: tuple[Registry, int], path: Path) -> None:
    assert databases.rows(path, "PRAGMA journal_mode") == [("wal",)]
    with pytest.raises(RegistryError, match="FOREIGN KEY"):
        there[0].reserve(4711, reservation(), NOW)


@pytest.mark.parametrize("url", ["nonsense://", "postgresql+nodriver://user:secret@host/db"])
def test_urls_that_cannot_be_used(url: str) -> None:
    with pytest.raises(RegistryUnreachable) as caught:
        Registry.open_read_only(url)
    assert "secret" not in str(caught.value)


def test_a_path_with_odd_characters(tmp_path: Path) -> None:
    odd = tmp_path / "50% off? #1 ü"
    odd.mkdir()
    Registry.create(odd / "registry.sqlite")
    assert Registry.open_read_only(odd / "registry.sqlite").authorities() == ()
    assert Registry.open_read_only(f"sqlite:///{odd / 'registry.sqlite'}").authorities() == ()
