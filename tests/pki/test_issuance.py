# SPDX-License-Identifier: ISC
"""A certificate is there whole, with its record and its key file, or not at all: whatever happens, wherever."""

import datetime
import re
import shutil
import signal
import stat
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pki import chain, issuance, keystore, profiles
from pki.directory import Directory
from pki.errors import KeystoreError, LintFailed, NameInvalid, PkiError, RegistryError
from pki.names import identity
from pki.records import Record
from tests.pki import factory, faults
from tests.pki.factory import DAY, NOW


def issue(directory: Directory, *texts: str, now: datetime.datetime = NOW) -> Record:
    return issuance.issue(directory, profiles.GATEWAY, tuple(map(identity, texts or ("gw.example.org",))), now)


def contents(directory: Directory) -> tuple[tuple[Record, ...], list[str]]:
    return directory.registry().certificates(), sorted(path.name for path in (directory.path / "keys").iterdir())


def assert_whole(directory: Directory) -> None:
    """Each certificate has its key file, each file its certificate, nothing is half done."""
    records, files = contents(directory)
    assert directory.registry().unfinished() == ()
    assert files == sorted(str(record.key_file) for record in records)
    for record in records:
        path = directory.key_path(str(record.key_file))
        assert keystore.load(path).public_key() == record.certificate.public_key()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_issued_is_recorded_and_good(directory: Directory) -> None:
    record = issue(directory, "gw.example.org", "192.0.2.1")
    assert (record.name, record.profile) == ("gw.example.org", "gateway")
    assert record.identities == (identity("gw.example.org"), identity("192.0.2.1"))
    assert record.subject == "/C=XX/O=Test/CN=gw.example.org"
    assert record.serial == f"{record.certificate.serial_number:040x}"
    assert record.sha256 == record.certificate.fingerprint(factory.SHA256).hex()
    assert record.not_after == record.certificate.not_valid_after_utc
    assert_whole(directory)
    anchors = chain.TrustAnchors([directory.authority(directory.registry()).certificate.certificate])
    assert chain.validate(record.der, [], anchors, NOW).leaf.names == record.identities


def test_asked_twice(directory: Directory) -> None:
    first = issue(directory)
    before = contents(directory)
    with pytest.raises(RegistryError, match=rf"`gw.example.org` has a certificate already.*{first.serial}"):
        issue(directory, "GW.example.org")
    assert contents(directory) == before


def test_a_name_may_have_a_new_certificate_when_the_old_one_has_expired(directory: Directory) -> None:
    first = issue(directory)
    second = issue(directory, now=first.not_after + DAY)
    assert {record.serial for record in directory.registry().find("gw.example.org")} == {first.serial, second.serial}
    assert_whole(directory)


def test_a_lint_that_fails_changes_nothing(directory: Directory) -> None:
    before = contents(directory)
    with pytest.raises(LintFailed):
        issue(directory, "alice@example.org")
    assert contents(directory) == before
    assert directory.registry().unfinished() == ()


def test_without_the_authoritys_key_nothing_is_issued(directory: Directory) -> None:
    authority = directory.authority(directory.registry()).certificate
    directory.key_path(str(authority.key_file)).unlink()
    with pytest.raises(KeystoreError, match="cannot be read: No such file"):
        issue(directory)
    assert contents(directory)[1] == []


def test_with_a_wrong_authoritys_key_nothing_is_issued(directory: Directory) -> None:
    authority = directory.authority(directory.registry()).certificate
    path = directory.key_path(str(authority.key_file))
    path.unlink()
    keystore.write(path, keystore.pem(factory.rsa_key("wrong")))
    with pytest.raises(PkiError, match="does not hold the private key of `Example CA`"):
        issue(directory)
    assert [record.profile for record in contents(directory)[0]] == ["ca"]
    assert contents(directory)[1] == [path.name]


def test_a_key_file_that_others_can_read_is_not_used(directory: Directory) -> None:
    authority = directory.authority(directory.registry()).certificate
    path = directory.key_path(str(authority.key_file))
    path.chmod(0o640)
    with pytest.raises(KeystoreError, match="can be read by others") as caught:
        issue(directory)
    assert caught.value.hint == f"chmod 600 {path}"


def has_authority(directory: Directory) -> bool:
    """As the next command sees it."""
    try:
        registry = directory.registry()
        issuance.recover_if_idle(directory, registry)
        directory.authority(registry)
    except PkiError:
        return False
    return True


FULL = re.compile("disk is full|No space left")


def run_with(directory: Path, step: int | None, fault: Callable[[str], object]) -> list[str]:
    with faults.at_step(step, fault) as steps:
        issue(Directory(directory))
    return steps


def tree(path: Path) -> dict[str, bytes | None]:
    return {str(it.relative_to(path)): it.read_bytes() if it.is_file() else None for it in sorted(path.rglob("*"))}


def run_init(directory: Path, step: int | None, fault: Callable[[str], object]) -> list[str]:
    with faults.at_step(step, fault) as steps:
        issuance.initialize(directory, "Example CA", NOW)
    return steps


@pytest.mark.usefixtures("small_keys")
def test_killed_at_any_step_of_an_issue(directory: Directory, scratch: Path) -> None:
    count = len(run_with(Path(shutil.copytree(directory.path, scratch / "count")), None, faults.kill))
    outcomes = []
    for step in range(count):
        victim = Directory(Path(shutil.copytree(directory.path, scratch / f"kill{step}")))
        assert faults.in_child(partial(run_with, victim.path, step, faults.kill)) == signal.SIGKILL
        recovered = issuance.recover_if_idle(victim, victim.registry())
        assert_whole(victim)
        names = [record.name for record in contents(victim)[0]]
        outcomes.append("gw.example.org" in names)
        assert [it.completed for it in recovered] in ([], [outcomes[-1]])
        if not outcomes[-1]:
            issue(victim)
            assert_whole(victim)
    # first nothing, then all, and in between no going back
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


@pytest.mark.usefixtures("small_keys")
def test_killed_at_any_step_of_an_init(scratch: Path) -> None:
    count = len(run_init(scratch / "count", None, faults.kill))
    for step in range(count):
        victim = Directory(scratch / f"kill{step}")
        assert faults.in_child(partial(run_init, victim.path, step, faults.kill)) == signal.SIGKILL
        if not has_authority(victim):
            with pytest.raises(PkiError, match="holds no authority"):
                victim.registry()
            issuance.initialize(victim.path, "Example CA", NOW)
        assert_whole(victim)
        assert [record.name for record in contents(victim)[0]] == ["Example CA"]
        assert not [name for name in tree(victim.path) if name.rpartition("/")[2].startswith(".")]
        issue(victim)


@pytest.mark.usefixtures("small_keys")
def test_the_disk_full_at_any_step_of_an_issue(directory: Directory, scratch: Path) -> None:
    steps = run_with(Path(shutil.copytree(directory.path, scratch / "count")), None, faults.fill_disk)
    for step in range(len(steps)):
        victim = Directory(Path(shutil.copytree(directory.path, scratch / f"full{step}")))
        with pytest.raises(PkiError, match=FULL):
            run_with(victim.path, step, faults.fill_disk)
        issuance.recover_if_idle(victim, victim.registry())
        assert_whole(victim)


@pytest.mark.usefixtures("small_keys")
@pytest.mark.parametrize("existing", [False, True])
def test_the_disk_full_at_any_step_of_an_init(scratch: Path, existing: bool) -> None:
    def place(name: str) -> Directory:
        directory = Directory(scratch / name)
        if existing:
            directory.path.mkdir()
        return directory

    for step in range(len(run_init(place("count").path, None, faults.fill_disk))):
        victim = place(f"full{step}")
        with pytest.raises(PkiError, match=FULL):
            run_init(victim.path, step, faults.fill_disk)
        assert victim.path.exists() == existing
        assert tree(victim.path) == {}
        issuance.initialize(victim.path, "Example CA", NOW)
        assert_whole(victim)


def test_what_somebody_is_at_work_on_is_left_alone(directory: Directory) -> None:
    with faults.at_step(None) as steps:
        issue(directory, "first.example.org")
    named = steps.index("link")
    with pytest.raises(PkiError), faults.at_step(named, faults.fill_disk):
        issue(directory, "second.example.org")
    with directory.changing():
        assert issuance.recover_if_idle(directory, directory.registry()) == ()
    (recovered,) = issuance.recover_if_idle(directory, directory.registry())
    assert (recovered.name, recovered.completed) == ("second.example.org", True)
    assert_whole(directory)


def test_the_next_issue_finishes_the_last_one(directory: Directory) -> None:
    with faults.at_step(None) as steps:
        issue(directory, "first.example.org")
    with pytest.raises(PkiError), faults.at_step(steps.index("link"), faults.fill_disk):
        issue(directory, "second.example.org")
    issue(directory, "third.example.org")
    assert_whole(directory)
    assert len(contents(directory)[0]) == 4


@pytest.mark.usefixtures("quick_keys")
@pytest.mark.parametrize("name", ["", "a\nb", "/CN"])
def test_a_malformed_name_makes_no_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(NameInvalid):
        issuance.initialize(tmp_path / "ca", name, NOW)
    assert not (tmp_path / "ca").exists()


def test_init_where_there_is_an_authority(directory: Directory) -> None:
    before = contents(directory)
    with pytest.raises(PkiError, match="holds the authority `Example CA` already"):
        issuance.initialize(directory.path, "Another CA", NOW)
    assert contents(directory) == before


@pytest.mark.usefixtures("quick_keys")
def test_init_where_there_is_something_else(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with pytest.raises(PkiError, match=r"is not empty: it holds `letter\.txt`"):
        issuance.initialize(tmp_path, "Example CA", NOW)
    assert [path.name for path in tmp_path.iterdir()] == ["letter.txt"]


@pytest.mark.usefixtures("quick_keys")
def test_init_in_an_empty_directory_or_where_none_can_be(tmp_path: Path) -> None:
    issuance.initialize(tmp_path, "Example CA", NOW)
    with pytest.raises(KeystoreError, match="cannot be made"):
        issuance.initialize(tmp_path / "no" / "such" / "ca", "Example CA", NOW)
    (tmp_path / "file").write_text("")
    with pytest.raises(KeystoreError, match="is not a directory"):
        issuance.initialize(tmp_path / "file", "Example CA", NOW)
