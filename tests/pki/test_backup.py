# SPDX-License-Identifier: ISC
"""Backup and restore: nothing lost, nothing believed that is not checked, nothing half done."""

import hashlib
import io
import json
import shutil
import signal
import stat
import tarfile
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pki import backup, issuance, registry_copy, renewal, restoring
from pki.backup import BackupError, Manifest
from pki.directory import Directory
from pki.errors import KeystoreError, PkiError, RegistryError
from pki.issuance import Issuer
from tests.pki import databases, faults
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW
from tests.pki.postgresql import Server
from tests.pki.test_cli import Run, run  # noqa: F401  (a fixture)
from tests.pki.test_issuance import FULL, assert_whole, contents, issue, tree

pytestmark = pytest.mark.usefixtures("small_keys")


@pytest.fixture
def made(url: Url, tmp_path: Path) -> Directory:
    """A CA directory with certificates, its registry in either database."""
    path = tmp_path / "made"
    elsewhere = None if isinstance(url, Path) else url
    issuance.initialize(path, "/C=XX/O=Test/CN=Example CA", NOW, registry_url=elsewhere)
    directory = Directory(path)
    first = issue(directory, "gw.example.org", "192.0.2.1")
    issue(directory, "other.example.org")
    # certificates that point to earlier and to later rows
    place = elsewhere or directory.registry_path
    databases.execute(
        place,
        f"UPDATE certificate SET supersedes = '{first.sha256}' WHERE serial != '{first.serial}'",
        "UPDATE certificate SET revoked_at = not_before, revocation_reason = 'superseded' "
        f"WHERE serial = '{first.serial}'",
    )
    return directory


def written(directory: Directory, name: str = "backup.tar", keys: bool = True) -> Path:
    target = directory.path.parent / name
    backup.write(directory, target, NOW, keys=keys)
    return target


def test_there_and_back(made: Directory, tmp_path: Path) -> None:
    before = contents(made)
    target = tmp_path / "backup.tar"
    manifest = backup.write(made, target, NOW, keys=True)
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {name: table.rows for name, table in manifest.contents.tables.items()} == {
        "authority": 1,
        "certificate": 3,
        "subject_alt_name": 3,
        "crl": 0,
        "audit": 3,
        "delegation": 0,
    }
    assert manifest.contents.head == made.registry().audit.head()
    shutil.rmtree(made.path)
    restored = Directory(tmp_path / "restored")
    assert restoring.restore(target, restored.path) == manifest
    assert contents(restored) == before
    assert_whole(restored)
    assert stat.S_IMODE(restored.keys.stat().st_mode) == 0o700
    issue(restored, "new.example.org")
    assert_whole(restored)
    assert sorted(it.name for it in tmp_path.iterdir() if it.name.startswith(".")) == []


def test_a_key_file_of_two_certificates_is_in_it_once(made: Directory, tmp_path: Path) -> None:
    """What was renewed goes on with the file of its key."""
    other = renewal.renew(Issuer.of(made), "other.example.org", NOW + DAY)
    assert other.record.key_file == other.follows.key_file is not None
    files = made.registry().key_files(made.settings().id)
    assert sorted(files) == sorted({*files})
    made.key_path(other.follows.key_file).rename(tmp_path / "elsewhere.pem")
    assert backup.write(made, tmp_path / "less.tar", NOW, keys=True).missing == (other.follows.key_file,)
    (tmp_path / "elsewhere.pem").rename(made.key_path(other.follows.key_file))
    manifest = backup.write(made, tmp_path / "backup.tar", NOW, keys=True)
    assert (len(manifest.keys), manifest.missing) == (3, ())
    with tarfile.open(tmp_path / "backup.tar") as tar:
        names = tar.getnames()
    assert sorted(names) == sorted({*names})
    restored = Directory(tmp_path / "restored")
    restoring.restore(tmp_path / "backup.tar", restored.path)
    assert contents(restored) == contents(made)
    again = restored.registry().find_one(other.record.sha256)
    assert restored.signer(again).public_key == again.certificate.public_key()
    assert renewal.renew(Issuer.of(restored), "other.example.org", NOW + DAY).record.key_file == again.key_file


def test_into_the_other_database(made: Directory, tmp_path: Path, server: Server) -> None:
    target, place = written(made), server.url(server.new_database())
    before = contents(made)
    restored = Directory(tmp_path / "restored")
    manifest = restoring.restore(target, restored.path, place)
    assert registry_copy.contents(place) == manifest.contents
    assert restored.settings().registry == place
    assert not restored.registry_path.exists()
    assert contents(restored) == before
    issue(restored, "new.example.org")
    # numbers that the database gives out go on
    databases.execute(
        place,
        'INSERT INTO authority (name, subject_der, issuer_id, serial, key_sha256, "foreign", crl_number) '
        "VALUES ('next', '', 1, 'x', 'x', true, 0)",
    )
    assert databases.rows(place, "SELECT id FROM authority ORDER BY id") == [(1,), (2,)]


def test_a_database_that_holds_something_is_not_written_to(made: Directory, tmp_path: Path, server: Server) -> None:
    place = server.url(server.new_database())
    target = written(made)
    restoring.restore(target, tmp_path / "one", place)
    restoring.restore(target, tmp_path / "two", place)  # the same: as after an interruption
    issue(Directory(tmp_path / "one"), "new.example.org")
    with pytest.raises(RegistryError, match="holds another registry"):
        restoring.restore(target, tmp_path / "three", place)
    assert not (tmp_path / "three").exists()


def test_without_keys(made: Directory, tmp_path: Path) -> None:
    manifest = backup.write(made, tmp_path / "backup.tar", NOW, keys=False)
    assert manifest.keys == manifest.missing == ()
    assert b"PRIVATE KEY" not in (tmp_path / "backup.tar").read_bytes()
    restored = Directory(tmp_path / "restored")
    restoring.restore(tmp_path / "backup.tar", restored.path)
    assert contents(restored) == (contents(made)[0], [])


def test_a_key_that_is_not_there_is_told(made: Directory, tmp_path: Path) -> None:
    (record,) = made.registry().find("gw.example.org")
    made.key_path(str(record.key_file)).unlink()
    manifest = backup.write(made, tmp_path / "backup.tar", NOW, keys=True)
    assert manifest.missing == (record.key_file,)
    assert len(manifest.keys) == 2


def test_the_url_of_the_registry_is_not_in_it(made: Directory, tmp_path: Path) -> None:
    data = written(made).read_bytes()
    assert b"postgresql:" not in data
    with tarfile.open(fileobj=io.BytesIO(data)) as tar:
        settings = tar.extractfile("ca.toml")
        assert settings is not None
        assert settings.read().decode() == f'id = "{made.settings().id}"\n'


def test_nothing_is_overwritten(made: Directory, tmp_path: Path) -> None:
    target = tmp_path / "backup.tar"
    target.write_text("precious")
    with pytest.raises(KeystoreError, match="exists and is not overwritten"):
        backup.write(made, target, NOW, keys=False)
    assert target.read_text() == "precious"
    whole = written(made, "whole.tar")
    full = tmp_path / "full"
    full.mkdir()
    (full / "letter").write_text("dear")
    with pytest.raises(KeystoreError, match="is not empty"):
        restoring.restore(whole, full)
    with pytest.raises(KeystoreError, match="is not a directory"):
        restoring.restore(whole, full / "letter")
    assert tree(full) == {"letter": b"dear"}
    (tmp_path / "empty").mkdir()
    restoring.restore(whole, tmp_path / "empty")


@pytest.fixture
def archive(directory: Directory) -> Path:
    """A backup of a directory with its registry inside."""
    issue(directory)
    return written(directory)


def changed(archive: Path, change: Callable[[dict[str, bytes]], None]) -> Path:
    """A copy of the archive whose members were changed."""
    with tarfile.open(archive) as tar:
        members = {it.name: tar.extractfile(it).read() for it in tar}  # type: ignore[union-attr]
    change(members)
    copy = archive.with_name("changed.tar")
    with tarfile.open(copy, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return copy


def replaced(name: str, old: bytes, new: bytes) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        (found,) = [it for it in members if it.startswith(name)][:1]
        assert old in members[found]
        members[found] = members[found].replace(old, new)

    return change


def renamed(old: str, new: str) -> Callable[[dict[str, bytes]], None]:
    def change(members: dict[str, bytes]) -> None:
        (found,) = [it for it in members if it.startswith(old)][:1]
        members[new] = members.pop(found)

    return change


def registry_altered(statement: str) -> Callable[[dict[str, bytes]], None]:
    """Somebody who knows the form of it: the registry and its SHA-256 changed together."""

    def change(members: dict[str, bytes]) -> None:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "registry.sqlite")
            path.write_bytes(members["registry.sqlite"])
            databases.execute(path, statement)
            members["registry.sqlite"] = path.read_bytes()
        manifest = json.loads(members["manifest.json"])
        manifest["files"]["registry.sqlite"] = hashlib.sha256(members["registry.sqlite"]).hexdigest()
        members["manifest.json"] = json.dumps(manifest).encode()

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (replaced("registry.sqlite", b"gw.example.org", b"xx.example.org"), "`registry.sqlite` is not what it was"),
        (replaced("keys/", b"PRIVATE", b"PRIVAT3"), ".pem` is not what it was"),
        (replaced("ca.toml", b"id", b"ib"), "`ca.toml` is not what it was"),
        (replaced("manifest.json", b'"rows": 2', b'"rows": 3'), "its registry is not what it was"),
        (replaced("manifest.json", b'"format": 1', b'"format": 2'), "was made by another version"),
        (replaced("manifest.json", b'"schema": "0005"', b'"schema": "0006"'), "registry with schema 0006"),
        (replaced("manifest.json", b'"head"', b'"heads"'), "`manifest.json` cannot be read"),
        (lambda members: members.update({"manifest.json": b"[]"}), "`manifest.json` cannot be read"),
        (lambda members: members.update({"manifest.json": b"\xff"}), "`manifest.json` cannot be read"),
        (renamed("manifest.json", "ca.toml.x"), "is no backup: it holds `ca.toml.x`"),
        (lambda members: members.pop("manifest.json"), "is no backup: it has no `manifest.json`"),
        (lambda members: members.pop("registry.sqlite"), "does not hold the files that it should"),
        (renamed("keys/", "keys/../../evil"), r"is no backup: it holds `keys/../../evil`"),
        (renamed("keys/", "keys/" + "0" * 40 + ".pem"), "does not hold the files that it should"),
        (lambda members: members.update({"/etc/evil": b""}), "is no backup: it holds `/etc/evil`"),
        (registry_altered("UPDATE certificate SET name = 'evil'"), "its registry is not what it was"),
        (registry_altered("UPDATE certificate SET der = x'00'"), "is another certificate"),
        (registry_altered("UPDATE audit SET actor = 'somebody'"), "audit log is not whole: entry 1"),
        (registry_altered("DELETE FROM audit WHERE sequence = 1"), "audit log is not whole: entry 1 is missing"),
        (registry_altered("DELETE FROM authority"), "registry is damaged"),
        (registry_altered("UPDATE alembic_version SET version_num = '0001'"), "has schema 0001"),
    ],
)
def test_what_was_changed_is_not_restored(
    archive: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], message: str
) -> None:
    with pytest.raises(PkiError) as caught:
        restoring.restore(changed(archive, change), tmp_path / "restored")
    assert message in str(caught.value)
    assert not (tmp_path / "restored").exists()
    assert not list(tmp_path.glob(".*"))


def test_a_link_in_the_archive_is_not_followed(archive: Path, tmp_path: Path) -> None:
    with tarfile.open(archive, "a") as tar:
        info = tarfile.TarInfo("keys/" + "a" * 40 + ".pem")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(BackupError, match="is no backup: it holds `keys/a"):
        restoring.restore(archive, tmp_path / "restored")


@pytest.mark.parametrize("size", [0, 100, 5_000, 60_000])
def test_an_archive_that_is_cut_short(archive: Path, tmp_path: Path, size: int) -> None:
    archive.write_bytes(archive.read_bytes()[:size])
    with pytest.raises(PkiError, match=r"is no backup|is damaged"):
        restoring.restore(archive, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_what_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("dear" * 1000)
    for name, message in (("text", "is no backup"), ("none", "cannot be read"), (".", "cannot be read")):
        with pytest.raises(BackupError, match=message):
            restoring.restore(tmp_path / name, tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_registry_whose_log_was_changed_is_not_backed_up_in_silence(directory: Directory, tmp_path: Path) -> None:
    databases.execute(directory.registry_path, "UPDATE audit SET actor = 'somebody else'")
    with pytest.raises(RegistryError, match="audit log is not whole: entry 1"):
        written(directory)
    assert not (tmp_path / "backup.tar").exists()


def backup_with(directory: Path, target: Path, step: int | None, fault: Callable[[str], object]) -> list[str]:
    with faults.at_step(step, fault) as steps:
        backup.write(Directory(directory), target, NOW, keys=True)
    return steps


def restore_with(archive: Path, target: Path, step: int | None, fault: Callable[[str], object]) -> list[str]:
    with faults.at_step(step, fault) as steps:
        restoring.restore(archive, target)
    return steps


def test_killed_at_any_step(directory: Directory, archive: Path, scratch: Path) -> None:
    for step in range(0, len(backup_with(directory.path, scratch / "count.tar", None, faults.kill)), 3):
        target = scratch / f"kill{step}.tar"
        assert faults.in_child(partial(backup_with, directory.path, target, step, faults.kill)) == signal.SIGKILL
        if target.exists():
            restoring.restore(target, scratch / f"backup{step}")
    for step in range(0, len(restore_with(archive, scratch / "count", None, faults.kill)), 3):
        made = Directory(scratch / f"restored{step}")
        assert faults.in_child(partial(restore_with, archive, made.path, step, faults.kill)) == signal.SIGKILL
        if not made.path.exists():
            restoring.restore(archive, made.path)
        assert_whole(made)


def test_no_room_at_any_step(directory: Directory, archive: Path, scratch: Path) -> None:
    for step in range(0, len(backup_with(directory.path, scratch / "count.tar", None, faults.fill_disk)), 3):
        target = scratch / f"full{step}.tar"
        with pytest.raises(PkiError, match=FULL):
            backup_with(directory.path, target, step, faults.fill_disk)
    for step in range(0, len(restore_with(archive, scratch / "count", None, faults.fill_disk)), 3):
        with pytest.raises(PkiError, match=FULL):
            restore_with(archive, scratch / f"full{step}", step, faults.fill_disk)
        assert not (scratch / f"full{step}").exists()


def test_the_commands(run: Run, tmp_path: Path) -> None:  # noqa: F811
    run("keynote-pki init ca --name CA")
    run("keynote-pki issue gateway gw.example.org -d ca")
    done = run("keynote-pki backup --keys one.tar -d ca")
    assert (done.status, done.err) == (0, "")
    assert done.out.startswith("one.tar: made at 20")
    assert "certificate: 2 rows\n" in done.out
    assert "private keys: 2\n" in done.out
    assert "audit log: head 2:" in done.out
    as_data = run("keynote-pki backup two.tar -d ca --json").json
    assert as_data["rows"]["certificate"] == 2
    assert as_data["keys"] == as_data["missing"] == []
    assert as_data["head"] in done.out
    restored = run("keynote-pki restore one.tar new")
    assert restored.status == 0
    assert restored.out.startswith("new: restored from a backup made at 20")
    assert run("keynote-pki issue gateway gw2.example.org -d new").status == 0
    assert "put the private keys" in run("keynote-pki restore two.tar bare").out
    assert run("keynote-pki restore two.tar other --json").json["registry"] == "other/registry.sqlite"
    again = run("keynote-pki restore two.tar new")
    assert (again.status, again.err.splitlines()[0]) == (
        1,
        "keynote-pki: error: `new` is not empty: it holds `ca.toml`",
    )


def test_profiles_of_its_own_are_in_it(run: Run) -> None:  # noqa: F811
    run("keynote-pki init ca --name CA")
    text = '[visitor]\nlike = "road-warrior"\ndays = 3\n'
    Path("ca/profiles.toml").write_text(text)
    assert run("keynote-pki issue visitor a@example.org -d ca").status == 0
    run("keynote-pki backup --keys one.tar -d ca")
    run("keynote-pki restore one.tar new")
    assert Path("new/profiles.toml").read_text() == text
    assert run("keynote-pki issue visitor b@example.org -d new").status == 0
    bad = changed(Path("one.tar"), replaced("profiles.toml", b"days = 3", b"days = 9"))
    done = run(f"keynote-pki restore {bad} another")
    assert done.status == 1
    assert "is damaged: `profiles.toml` is not what it was" in done.err
    assert not Path("another").exists()


def test_the_manifest_says_what_it_was(archive: Path) -> None:
    with backup.reading(archive) as (manifest, _):
        assert isinstance(manifest, Manifest)
        assert manifest.made_at == NOW
        assert len(manifest.keys) == 2
