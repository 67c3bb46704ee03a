# SPDX-License-Identifier: ISC
"""Nothing but what a demo wrote is ever replaced."""

import os
from pathlib import Path

import pytest

from ike_auth.demo import directory
from ike_auth.demo.failures import CannotBegin


def make(path: Path) -> None:
    with directory.renewed(path):
        directory.write(path / "3-certificate/gw-a.log", "old")


def test_new_directory_is_private(tmp_path: Path) -> None:
    make(tmp_path / "demo")
    assert (tmp_path / "demo").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "demo/3-certificate/gw-a.log").stat().st_mode & 0o777 == 0o600


def test_directory_of_a_demo_is_emptied(tmp_path: Path) -> None:
    make(tmp_path / "demo")
    with directory.renewed(tmp_path / "demo"):
        assert [path.name for path in (tmp_path / "demo").iterdir()] == ["README.txt"]


def test_empty_directory_is_used(tmp_path: Path) -> None:
    make(tmp_path)
    assert (tmp_path / "README.txt").exists()


def test_what_no_demo_wrote_stays(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years")
    with pytest.raises(CannotBegin, match="no demo made it; choose another directory with --dir"):
        make(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_readme_of_somebody_else_is_no_mark(tmp_path: Path) -> None:
    (tmp_path / "README.txt").write_text("Mine.\n" + directory.MARK)
    (tmp_path / "5-impostor").mkdir()
    with pytest.raises(CannotBegin, match="no demo made it"):
        make(tmp_path)
    assert (tmp_path / "5-impostor").exists()


@pytest.mark.parametrize("name", ["notes.txt", ".git"])
def test_one_more_file_keeps_all_of_it(tmp_path: Path, name: str) -> None:
    make(tmp_path)
    (tmp_path / name).write_text("mine")
    with pytest.raises(CannotBegin, match=f"{name}` is not of the demo"):
        make(tmp_path)
    assert (tmp_path / "3-certificate/gw-a.log").read_text() == "old"
    assert (tmp_path / name).read_text() == "mine"


def test_links_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/file").write_text("mine")
    make(tmp_path / "demo")
    os.rename(tmp_path / "demo/3-certificate", tmp_path / "elsewhere")
    (tmp_path / "demo/3-certificate").symlink_to(tmp_path / "mine")
    with pytest.raises(CannotBegin, match="3-certificate` is not of the demo"):
        make(tmp_path / "demo")
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(CannotBegin, match="cannot write to"):
        make(tmp_path / "link")
    assert (tmp_path / "mine/file").read_text() == "mine"


def test_a_file_in_its_place(tmp_path: Path) -> None:
    (tmp_path / "demo").write_text("mine")
    with pytest.raises(CannotBegin, match="not a directory"):
        make(tmp_path / "demo")
    assert (tmp_path / "demo").read_text() == "mine"


def test_parents_are_not_made(tmp_path: Path) -> None:
    with pytest.raises(CannotBegin, match="no such file or directory"):
        make(tmp_path / "typo/demo")
