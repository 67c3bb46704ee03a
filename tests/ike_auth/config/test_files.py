# SPDX-License-Identifier: ISC
"""Reading files that nobody else may have touched."""

import os
from pathlib import Path

import pytest

from ike_auth.config import files
from ike_auth.config.errors import Problems
from ike_auth.config.files import check_file_integrity, check_file_secrecy, read_file, read_secret_file


def said(problems: Problems) -> list[str]:
    return list(map(str, problems.errors))


def file(folder: Path, mode: int) -> Path:
    path = folder / "file"
    path.write_bytes(b"content")
    path.chmod(mode)
    return path


@pytest.mark.parametrize("mode", [0o600, 0o400, 0o700])
def test_secret_files(tmp_path: Path, mode: int) -> None:
    path = file(tmp_path, mode)
    assert read_secret_file(path, problems := Problems()) == b"content"
    assert said(problems) == []


@pytest.mark.parametrize(("mode", "better"), [(0o640, 600), (0o604, 600), (0o601, 600), (0o666, 600), (0o440, 400)])
def test_files_that_are_no_secret(tmp_path: Path, mode: int, better: int) -> None:
    path = file(tmp_path, mode)
    assert read_secret_file(path, problems := Problems()) is None
    assert said(problems) == [
        f"`{path}` is open to other users (mode {mode:04o}), but it holds a secret (chmod {better} {path})"
    ]


def test_integrity_is_about_writing_only(tmp_path: Path) -> None:
    problems = Problems()
    assert check_file_integrity(tmp_path, file(tmp_path, 0o644).stat(), problems)
    assert not check_file_integrity(tmp_path, file(tmp_path, 0o646).stat(), problems)
    assert not check_file_integrity(tmp_path, file(tmp_path, 0o664).stat(), problems)


def of_user(status: os.stat_result, user: int) -> os.stat_result:
    return os.stat_result((*status[:4], user, *status[5:]))


def test_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = file(tmp_path, 0o600)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    for user in (0, 1000):
        assert check_file_secrecy(path, of_user(path.stat(), user), Problems())
    for check in (check_file_secrecy, check_file_integrity):
        assert not check(path, of_user(path.stat(), 1001), problems := Problems())
        assert said(problems) == [f"`{path}` belongs to user 1001, neither to root nor to us (chown 1000 {path})"]


def test_a_fifo_does_not_hold_us(tmp_path: Path) -> None:
    path = tmp_path / "fifo"
    os.mkfifo(path, 0o600)
    assert read_file(path, problems := Problems()) is None
    assert said(problems) == [f"cannot read `{path}`: it is not a regular file"]


def test_folders_are_no_files(tmp_path: Path) -> None:
    assert read_file(tmp_path, problems := Problems()) is None
    assert said(problems) == [f"cannot read `{tmp_path}`: is a directory"]


def test_size_is_bounded(tmp_path: Path) -> None:
    path = file(tmp_path, 0o600)
    os.truncate(path, files.LARGEST + 1)
    assert read_file(path, problems := Problems()) is None
    assert said(problems) == [f"cannot read `{path}`: it has more than 16 MB"]


@pytest.mark.parametrize("name", ["none", "no\0ne", "n" * 300])
def test_names_that_are_no_file(tmp_path: Path, name: str) -> None:
    assert read_file(tmp_path / name, problems := Problems()) is None
    assert said(problems)[0].startswith("cannot read `")
