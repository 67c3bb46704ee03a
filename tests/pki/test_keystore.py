# SPDX-License-Identifier: ISC
import os
import re
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from pki import keys, keystore
from pki.errors import KeystoreError, PkiError
from tests.pki import factory, faults


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_a_key_file_is_its_owners_alone_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        keystore.write(tmp_path / "key.pem", b"secret")
        keystore.make_directory(tmp_path / "keys", 0o700)
    finally:
        os.umask(before)
    assert mode(tmp_path / "key.pem") == 0o600
    assert mode(tmp_path / "keys") == 0o700


@pytest.mark.parametrize("kind", keys.KINDS)
@pytest.mark.parametrize("passphrase", [None, b"secret"])
def test_a_new_key_comes_back(tmp_path: Path, kind: str, passphrase: bytes | None) -> None:
    key = factory.rsa_key() if kind.startswith("rsa-") else keys.generate(kind)
    assert keys.kind(key) == keys.kind(key.public_key()) == kind or kind.startswith("rsa-")
    path = tmp_path / "key.pem"
    keystore.write(path, keystore.pem(key, passphrase=passphrase))
    assert (b"BEGIN ENCRYPTED PRIVATE KEY" in path.read_bytes()) is (passphrase is not None)
    assert keystore.load(path, lambda asked: b"secret").public_key() == key.public_key()


def test_keys_are_of_the_size_that_was_asked_for() -> None:
    key = keys.generate("rsa-3072")
    assert isinstance(key, rsa.RSAPrivateKey)
    assert (key.key_size, key.public_key().public_numbers().e) == (3072, 65537)
    with pytest.raises(PkiError, match="no kind of key `rsa-1024`"):
        keys.generate("rsa-1024")


def test_the_older_form_of_rsa_keys(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    keystore.write(path, keystore.pem(factory.rsa_key(), traditional=True))
    assert b"BEGIN RSA PRIVATE KEY" in path.read_bytes()
    assert keystore.load(path).public_key() == factory.rsa_key().public_key()
    with pytest.raises(KeystoreError, match="p-256 has no older form"):
        keystore.pem(factory.ec_key(), traditional=True)


@pytest.mark.parametrize(
    ("passphrase", "words"),
    [(None, "is encrypted"), (lambda path: b"", "is encrypted"), (lambda path: b"wrong", "not the passphrase of")],
)
def test_an_encrypted_key_without_its_passphrase(
    tmp_path: Path, passphrase: keystore.Passphrase | None, words: str
) -> None:
    path = tmp_path / "key.pem"
    keystore.write(path, keystore.pem(factory.ec_key(), passphrase=b"right"))
    with pytest.raises(KeystoreError, match=words):
        keystore.load(path, passphrase)


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    keystore.write(path, b"first")
    with pytest.raises(KeystoreError, match="exists and is not overwritten"):
        keystore.write(path, b"second")
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    with pytest.raises(KeystoreError, match="exists and is not overwritten"):
        keystore.write(tmp_path / "dangling", b"second")
    assert path.read_bytes() == b"first"
    assert not (tmp_path / "nowhere").exists()


def test_a_name_is_given_once(tmp_path: Path) -> None:
    temporary, path = tmp_path / ".new", tmp_path / "key.pem"
    keystore.write(temporary, b"key")
    keystore.give_name(temporary, path)
    keystore.give_name(temporary, path)  # done already
    assert [it.name for it in tmp_path.iterdir()] == ["key.pem"]
    keystore.write(temporary, b"other")
    with pytest.raises(KeystoreError, match="exists and is not overwritten"):
        keystore.give_name(temporary, path)
    assert (temporary.read_bytes(), path.read_bytes()) == (b"other", b"key")


def test_a_name_that_was_half_given(tmp_path: Path) -> None:
    """Killed between link(2) and unlink(2)."""
    temporary, path = tmp_path / ".new", tmp_path / "key.pem"
    keystore.write(temporary, b"key")
    os.link(temporary, path)
    keystore.give_name(temporary, path)
    assert [it.name for it in tmp_path.iterdir()] == ["key.pem"]


def test_naming_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeystoreError, match="cannot be moved"):
        keystore.give_name(tmp_path / ".new", tmp_path / "key.pem")


def test_what_was_written_of_a_file_is_removed_when_the_disk_is_full(tmp_path: Path) -> None:
    with faults.at_step(None) as steps:
        keystore.write(tmp_path / "count", b"x")
    for step in range(1, len(steps)):
        with pytest.raises(KeystoreError, match="No space left"), faults.at_step(step, faults.fill_disk):
            keystore.write(tmp_path / "key.pem", b"secret")
        assert [it.name for it in tmp_path.iterdir()] == ["count"]


def test_several_files_are_written_all_or_none(tmp_path: Path) -> None:
    files = [(tmp_path / name, name.encode()) for name in ("one", "other")]
    with faults.at_step(None) as steps:
        keystore.write_all(files)
    assert steps.count("fsync") == 3  # each file, and their directory once
    assert {it.name: it.read_bytes() for it in tmp_path.iterdir()} == {"one": b"one", "other": b"other"}
    for path, _ in files:
        path.unlink()
    for step in range(len(steps)):
        with pytest.raises(KeystoreError, match="No space left"), faults.at_step(step, faults.fill_disk):
            keystore.write_all(files)
        assert list(tmp_path.iterdir()) == []
    files[1][0].write_text("precious")
    with pytest.raises(KeystoreError, match=r"other` exists and is not overwritten"):
        keystore.write_all(files)
    assert [it.read_text() for it in tmp_path.iterdir()] == ["precious"]


def test_several_names_are_given_wherever_that_was_interrupted(tmp_path: Path) -> None:
    def moves(folder: Path) -> list[tuple[Path, Path]]:
        folder.mkdir()
        for name in ("one", "other"):
            (folder / f".{name}").write_text(name)
        return [(folder / f".{name}", folder / name) for name in ("one", "other")]

    counted = moves(tmp_path / "count")
    with faults.at_step(None) as steps:
        keystore.give_names(counted)
    assert steps == ["link", "link", "fsync", "unlink", "unlink", "fsync"]
    for step in range(len(steps)):
        victim = moves(folder := tmp_path / str(step))
        with pytest.raises(KeystoreError, match="cannot be moved"), faults.at_step(step, faults.fill_disk):
            keystore.give_names(victim)
        keystore.give_names(victim)
        assert {it.name: it.read_text() for it in folder.iterdir()} == {"one": "one", "other": "other"}


def test_discarding_twice(tmp_path: Path) -> None:
    keystore.write(tmp_path / "key.pem", b"x")
    keystore.discard(tmp_path / "key.pem")
    keystore.discard(tmp_path / "key.pem")
    with pytest.raises(KeystoreError, match="cannot be removed"):
        keystore.discard(tmp_path / "nowhere" / "key.pem")


@pytest.mark.parametrize("permissions", [0o640, 0o604, 0o660, 0o601])
def test_a_key_that_others_can_reach_is_not_loaded(tmp_path: Path, permissions: int) -> None:
    path = tmp_path / "key.pem"
    keystore.write(path, keystore.pem(factory.rsa_key()))
    path.chmod(permissions)
    with pytest.raises(KeystoreError, match="can be read by others"):
        keystore.load(path)


@pytest.mark.parametrize("data", [b"", b"garbage", factory.authority().pem])
def test_what_holds_no_key(tmp_path: Path, data: bytes) -> None:
    keystore.write(tmp_path / "key.pem", data)
    with pytest.raises(KeystoreError, match="does not hold a private key in PEM"):
        keystore.load(tmp_path / "key.pem")


def test_what_holds_another_kind_of_key(tmp_path: Path) -> None:
    ed448 = Ed448PrivateKey.generate()
    keystore.write(tmp_path / "key.pem", ed448.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    with pytest.raises(KeystoreError, match="kind of key that is not used here"):
        keystore.load(tmp_path / "key.pem")


def test_the_lock_is_held_by_one(tmp_path: Path) -> None:
    with (
        keystore.exclusive(tmp_path / "lock"),
        pytest.raises(KeystoreError, match="is held"),
        keystore.exclusive(tmp_path / "lock", wait=False),
    ):
        pass
    with keystore.exclusive(tmp_path / "lock", wait=False):
        pass
    with pytest.raises(KeystoreError, match="cannot be opened"), keystore.exclusive(tmp_path / "no" / "lock"):
        pass


def test_a_lock_that_its_holder_removes_is_taken_anew(tmp_path: Path) -> None:
    """Who waited holds a file without a name then, which would keep out nobody."""
    path = tmp_path / "lock"
    held, hold = os.pipe()
    child = os.fork()  # before there is a lock, for a child inherits it
    if child == 0:
        try:
            os.close(hold)
            os.read(held, 1)  # until the other end is closed
            with keystore.exclusive(path):
                os._exit(0 if path.exists() else 1)
        finally:
            os._exit(2)
    with keystore.exclusive(path):
        os.close(hold)
        while not waits_for_lock(child):
            assert os.waitpid(child, os.WNOHANG) == (0, 0)
        path.unlink()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def waits_for_lock(process: int) -> bool:
    return re.search(rf"-> FLOCK .* {process} ", Path("/proc/locks").read_text()) is not None
