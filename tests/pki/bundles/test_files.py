# SPDX-License-Identifier: ISC
from pathlib import Path

import pytest

from pki import keystore
from pki.bundles import files
from pki.bundles.files import Bundle, File
from pki.errors import KeystoreError
from tests.pki import faults
from tests.pki.bundles.handovers import listing

BUNDLE = Bundle(
    (
        File("ca/authority.crt", b"authority", shared=True),
        File("certs/own.crt", b"certificate"),
        File("private/own", b"secret", files.SECRET),
    ),
    (("ca", 0o755), ("certs", 0o755), ("crls", 0o755), ("private", 0o700)),
    (("private/local.key", "own"),),
)


def test_a_bundle_on_disk(tmp_path: Path) -> None:
    out = tmp_path / "out"
    written = files.write(BUNDLE, out)
    assert listing(out) == {
        "ca": "755",
        "ca/authority.crt": "644",
        "certs": "755",
        "certs/own.crt": "644",
        "crls": "755",
        "private": "700",
        "private/local.key": "-> own",
        "private/own": "600",
    }
    assert [str(it.relative_to(out)) for it in written] == [
        "ca/authority.crt",
        "certs/own.crt",
        "private/own",
        "private/local.key",
    ]


@pytest.mark.parametrize("taken", ["private/own", "certs/own.crt", "private/local.key"])
def test_nothing_is_written_where_a_name_is_taken(tmp_path: Path, taken: str) -> None:
    out = tmp_path / "out"
    (out / taken).parent.mkdir(parents=True)
    (out / taken).write_text("mine")
    before = listing(out)
    with pytest.raises(KeystoreError, match=f"{taken}` exists and is not overwritten"):
        files.write(BUNDLE, out)
    assert listing(out) == before
    assert (out / taken).read_text() == "mine"


def test_an_authority_that_is_there_already_is_kept(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir(parents=True)
    (tmp_path / "ca/authority.crt").write_bytes(b"authority")
    assert tmp_path / "ca/authority.crt" not in files.write(BUNDLE, tmp_path)


def test_another_authority_of_that_file_name_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "ca").mkdir(parents=True)
    (tmp_path / "ca/authority.crt").write_text("another")
    with pytest.raises(KeystoreError, match="exists and is not overwritten"):
        files.write(BUNDLE, tmp_path)


def test_a_full_disk_leaves_nothing(tmp_path: Path) -> None:
    with faults.at_step(None) as steps:
        files.write(BUNDLE, tmp_path / "count")
    for step in range(1, len(steps)):
        with pytest.raises(KeystoreError, match="No space left"), faults.at_step(step, faults.fill_disk):
            files.write(BUNDLE, tmp_path / "full")
        assert not (tmp_path / "full").exists()
    assert len(steps) > 10


def test_an_interrupt_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, data: bytes, mode: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(keystore, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        files.write(BUNDLE, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_secrets_are_not_shown() -> None:
    assert "secret" not in repr(BUNDLE.files)
