# SPDX-License-Identifier: ISC
"""Disks that are really full, and file systems that may only be read: a clear error, and nothing half done."""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ike_auth.authorization.recorded import Recorded
from ike_auth.authorization.strict import Refused
from pki import backup, issuance, registry_database, restoring
from pki.directory import Directory
from pki.errors import PkiError
from pki.registry_migration import migrate
from tests.pki import databases
from tests.pki.factory import NOW
from tests.pki.old_registries import make_0001
from tests.pki.test_founding import _READ_ONLY, _REMOUNT, _ROOM_ENOUGH, mount, on_a_file_system_of_its_own
from tests.pki.test_issuance import assert_whole, issue

pytestmark = pytest.mark.usefixtures("quick_keys")

CLEAR = ("cannot be written", "cannot be made", "cannot be used", "cannot be opened", "cannot be moved")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    mounted = tmp_path / "disk"
    mounted.mkdir()
    return mounted


def fill(disk: Path) -> None:
    """To the last page."""
    with (disk / "ballast").open("ab", buffering=0) as ballast, contextlib.suppress(OSError):
        while True:
            ballast.write(bytes(4096))
    assert os.statvfs(disk).f_bavail == 0


def with_room(disk: Path, kilobytes: int, work: Callable[[], object]) -> bool:
    """Whether it can be done where so much is left; else it has to say why it cannot."""
    ballast = disk / "ballast"
    free = os.statvfs(disk)
    with ballast.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, free.f_bavail * free.f_frsize - kilobytes * 1024)
    try:
        work()
    except PkiError as error:
        said = str(error)
    else:
        said = ""
    finally:
        ballast.unlink()
    assert said == "" or any(words in said for words in CLEAR), said
    return said == ""


def test_issuing(disk: Path) -> None:
    def work() -> None:
        directory = Directory(disk / "ca")
        issuance.initialize(directory.path, "Example CA", NOW)
        outcomes = []
        for room in range(4, 160, 8):
            name = f"gw{room}.example.org"
            outcomes.append(with_room(disk, room, lambda name=name: issue(directory, name)))  # type: ignore[misc]
            issuance.recover_if_idle(directory, directory.registry())
            assert_whole(directory)
        assert set(outcomes) == {True, False}

    on_a_file_system_of_its_own(disk, work)


def test_migrating(disk: Path) -> None:
    def work() -> None:
        path = disk / "registry.sqlite"
        make_0001(path)
        for room in range(4, 1000, 24):
            done = with_room(disk, room, lambda: migrate(path))
            (revision,) = databases.rows(path, "SELECT version_num FROM alembic_version")
            assert revision == ((registry_database.SCHEMA,) if done else ("0001",))
            assert len(list(disk.glob("registry-before-*"))) == done
            if done:
                break
        assert done
        assert room > 4

    on_a_file_system_of_its_own(disk, work)


def test_backing_up_and_restoring(disk: Path) -> None:
    def work() -> None:
        directory = Directory(disk / "ca")
        issuance.initialize(directory.path, "Example CA", NOW)
        for name, ask in (
            ("backup.tar", lambda: backup.write(directory, disk / "backup.tar", NOW, keys=True)),
            ("restored", lambda: restoring.restore(disk / "backup.tar", disk / "restored")),
        ):
            for room in range(4, 2000, 48):
                done = with_room(disk, room, ask)
                assert (disk / name).exists() == done
                assert not list(disk.glob(".*"))
                if done:
                    break
            assert done
            assert room > 4
        assert_whole(Directory(disk / "restored"))

    on_a_file_system_of_its_own(disk, work)


def test_a_full_disk_stops_no_reader_but_a_gateways_which_says_why(disk: Path, tmp_path: Path) -> None:
    def work() -> None:
        directory = Directory(disk / "ca")
        issuance.initialize(directory.path, "Example CA", NOW)
        record = issue(directory)
        chain = (directory.authority(directory.registry()).certificate.read(), record.read())
        recorded = Recorded.at(str(directory.registry_path))
        recorded(chain)
        directory.registry().authorities()  # the last to close takes away what the daemon's reading has left
        fill(disk)
        assert [it.name for it in directory.registry().certificates()] == ["Example CA", record.name]
        with directory.registry().audit.reading() as snapshot:
            assert len(list(snapshot.entries())) == 2
        backup.write(directory, tmp_path / "backup.tar", NOW, keys=True)
        with pytest.raises(PkiError, match="cannot be used: its disk is full") as caught:
            issue(directory, "other.example.org")
        assert "make room on the disk of `" in caught.value.hint
        fill(disk)
        with pytest.raises(
            Refused, match="the registry cannot be asked: the registry cannot be used: its disk is full"
        ):
            recorded(chain)
        (disk / "ballast").unlink()
        recorded(chain)
        issue(directory, "other.example.org")
        assert_whole(directory)

    on_a_file_system_of_its_own(disk, work)
    restoring.restore(tmp_path / "backup.tar", tmp_path / "restored")


def test_where_nothing_may_be_written(disk: Path) -> None:
    def work() -> None:
        directory, old = Directory(disk / "ca"), disk / "old.sqlite"
        issuance.initialize(directory.path, "Example CA", NOW)
        backup.write(directory, disk / "backup.tar", NOW, keys=True)
        make_0001(old)
        mount(disk, _ROOM_ENOUGH, _REMOUNT | _READ_ONLY)
        asks: list[Callable[[], object]] = [
            lambda: issue(directory),
            lambda: migrate(old),
            lambda: backup.write(directory, disk / "again.tar", NOW, keys=True),
            lambda: restoring.restore(disk / "backup.tar", disk / "restored"),
        ]
        for ask in asks:
            with pytest.raises(PkiError) as caught:
                ask()
            assert any(words in str(caught.value) for words in CLEAR), caught.value
            assert "ead-only" in str(caught.value) or "may only be read" in caught.value.hint
        mount(disk, _ROOM_ENOUGH, _REMOUNT)
        for ask in asks:
            ask()

    on_a_file_system_of_its_own(disk, work)
