# SPDX-License-Identifier: ISC
"""`init` where there is no room, no right to write, or something left over from another time."""

import ctypes
import os
import signal
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pki import issuance
from pki.directory import Directory
from pki.errors import PkiError, SchemaUnknown
from tests.pki import faults
from tests.pki.factory import NOW
from tests.pki.test_issuance import assert_whole, has_authority, run_init, tree

pytestmark = pytest.mark.usefixtures("small_keys")

_NEW_NAMESPACE, _READ_ONLY, _REMOUNT, _RECURSIVE, _PRIVATE = 0x20000, 1, 32, 0x4000, 1 << 18
_ROOM_ENOUGH = "size=8m"
libc = ctypes.CDLL(None, use_errno=True)


def mount(path: Path, options: str, flags: int = 0) -> None:
    if libc.mount(b"tmpfs", bytes(path), b"tmpfs", flags, options.encode()) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), str(path))


def on_a_file_system_of_its_own(path: Path, work: Callable[[], object]) -> None:
    """Run `work` in a child for which `path` is a small file system; mounts are seen by nobody else."""
    if os.geteuid() != 0:
        pytest.skip("mounting a file system needs root")

    def child() -> None:
        if libc.unshare(_NEW_NAMESPACE) != 0 or libc.mount(None, b"/", None, _RECURSIVE | _PRIVATE, None) != 0:
            os._exit(77)
        mount(path, _ROOM_ENOUGH)
        work()

    status = os.waitstatus_to_exitcode(faults.in_child(child))
    if status == 77:
        pytest.skip("no mount namespaces here")
    assert status == 0


def fails(directory: Directory) -> bool:
    """Whether init fails, and then leaves nothing."""
    before = tree(directory.path.parent)
    try:
        issuance.initialize(directory.path, "Example CA", NOW)
    except PkiError:
        assert tree(directory.path.parent) == before
        return True
    assert_whole(directory)
    return False


@pytest.mark.parametrize("limit", ["size", "nr_inodes"])
def test_a_disk_that_is_really_full(tmp_path: Path, limit: str) -> None:
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def work() -> None:
        outcomes = []
        for number in range(1, 120 if limit == "size" else 14):
            directory = Directory(mounted / f"ca{number}")
            room = f"size={number * 4}k" if limit == "size" else f"{_ROOM_ENOUGH},nr_inodes={number}"
            libc.umount(bytes(mounted))
            mount(mounted, room)
            outcomes.append(fails(directory))
            if outcomes[-1]:
                mount(mounted, _ROOM_ENOUGH + ",nr_inodes=1000", _REMOUNT)
                issuance.initialize(directory.path, "Example CA", NOW)
                assert_whole(directory)
        assert set(outcomes) == {True, False}
        assert outcomes == sorted(outcomes, reverse=True)

    on_a_file_system_of_its_own(mounted, work)


def test_a_disk_that_may_only_be_read(tmp_path: Path) -> None:
    mounted = tmp_path / "disk"
    mounted.mkdir()

    def work() -> None:
        for directory in (Directory(mounted / "ca"), Directory(mounted / "empty")):
            mount(mounted, _ROOM_ENOUGH, _REMOUNT)
            if directory.path.name == "empty":
                directory.path.mkdir()
            mount(mounted, _ROOM_ENOUGH, _REMOUNT | _READ_ONLY)
            assert fails(directory)
            mount(mounted, _ROOM_ENOUGH, _REMOUNT)
            assert not fails(directory)

    on_a_file_system_of_its_own(mounted, work)


def test_a_directory_that_may_only_be_read(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    parent = tmp_path / "parent"
    parent.mkdir(mode=0o500)
    assert fails(Directory(parent / "ca"))
    parent.chmod(0o700)
    assert not fails(Directory(parent / "ca"))


def test_interrupted_by_the_keyboard_it_leaves_nothing(tmp_path: Path) -> None:
    def interrupt(what: str) -> None:
        raise KeyboardInterrupt

    steps = run_init(tmp_path / "count", None, interrupt)
    named = max(at for at, step in enumerate(steps) if step == "rename")  # then it is there
    for step in range(0, named + 1, 5):
        victim = tmp_path / f"interrupt{step}"
        with pytest.raises(KeyboardInterrupt):
            run_init(victim, step, interrupt)
        assert not victim.exists()


def test_a_second_init_removes_the_key_of_the_first_which_was_killed_and_no_other(tmp_path: Path) -> None:
    count, victim = Directory(tmp_path / "count"), Directory(tmp_path / "ca")
    for directory in (count, victim):
        directory.make()
    steps = run_init(count.path, None, faults.kill)
    stranger = victim.key_path("a" * 40 + ".pem")  # of a registry that somebody has lost
    stranger.write_text("precious")
    renamed = max(at for at, step in enumerate(steps) if step == "rename")  # the registry gets its name
    assert faults.in_child(partial(run_init, victim.path, renamed - 3, faults.kill)) == signal.SIGKILL
    assert len([name for name in tree(victim.keys) if name.endswith(".pem")]) == 2
    assert not has_authority(victim)
    issuance.initialize(victim.path, "Other CA", NOW)
    assert stranger.read_text() == "precious"
    stranger.unlink()
    assert_whole(victim)
    assert [record.name for record in victim.registry().certificates()] == ["Other CA"]


def test_the_log_of_a_registry_that_is_gone_is_not_read_as_part_of_the_new_one(tmp_path: Path) -> None:
    victim = Directory(tmp_path / "ca")
    victim.make()
    Path(f"{victim.registry_path}-wal").write_bytes(bytes(range(256)) * 64)
    issuance.initialize(victim.path, "Example CA", NOW)
    assert_whole(victim)


def test_an_empty_registry_of_an_earlier_version_is_filled(tmp_path: Path) -> None:
    victim = Directory(tmp_path / "ca")
    victim.make()
    victim.registry_path.touch()
    with pytest.raises(SchemaUnknown):
        victim.registry()
    issuance.initialize(victim.path, "Example CA", NOW)
    assert_whole(victim)


def test_others_can_read_the_new_registry_at_once(tmp_path: Path) -> None:
    issuance.initialize(tmp_path / "ca", "Example CA", NOW)
    assert sorted(path.name for path in (tmp_path / "ca").iterdir()) == [
        "ca.toml",
        "keys",
        "lock",
        "registry.sqlite",
        "registry.sqlite-shm",
        "registry.sqlite-wal",
    ]
