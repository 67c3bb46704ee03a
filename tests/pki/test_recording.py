# SPDX-License-Identifier: ISC
"""Every kind of issue is there whole or not at all, wherever it is killed: for keys that are there, below a root, in
the place of another authority, for requests."""

import contextlib
import shutil
import signal
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from pki import issuance, keystore, profiles, renewal, requested, rollover
from pki.authorities import Root
from pki.directory import Directory
from pki.errors import PkiError, RegistryError
from pki.issuance import Issuer, Wanted
from pki.names import identity
from tests.pki import factory, faults
from tests.pki.factory import DAY, NOW
from tests.pki.test_issuance import has_authority, tree

pytestmark = pytest.mark.usefixtures("small_keys")

GATEWAY = (identity("gw.example.org"),)
LATER = NOW + DAY


def renew(directory: Directory) -> object:
    return renewal.renew(Issuer.of(directory), "gw.example.org", LATER)


def supersede(directory: Directory) -> object:
    return renewal.rekey(Issuer.of(directory), "gw.example.org", LATER, supersedes=True)


def for_a_request(directory: Directory) -> object:
    key = factory.ec_key("of a request").public_key()
    wanted = Wanted(profiles.GATEWAY, (identity("other.example.org"),), public_key=key)
    return Issuer.of(directory).issue(wanted, LATER)


def roll_over(directory: Directory) -> object:
    return rollover.roll_over(directory, "/C=XX/O=Test/CN=Next CA", LATER)


@dataclass(frozen=True)
class State:
    """All that a command sees of a directory."""

    certificates: frozenset[tuple[str, str, bool]]  # name, profile, whether revoked
    count: int
    authorities: tuple[tuple[str, bool], ...]  # whether retired
    files: int


def state(directory: Directory) -> State:
    registry = directory.registry()
    records = registry.certificates()
    assert registry.unfinished(directory.settings().id) == ()
    files = {path.name for path in directory.keys.iterdir()}
    assert files == {it.key_file for it in records if it.key_file is not None}
    for record in records:
        if record.key_file is not None:
            key = keystore.load(directory.key_path(record.key_file))
            assert key.public_key() == record.certificate.public_key()
    return State(
        frozenset((it.name, it.profile, it.revoked_at is not None) for it in records),
        len(records),
        tuple((it.name, it.retired_at is not None) for it in registry.authorities()),
        len(files),
    )


@pytest.mark.parametrize("work", [renew, supersede, for_a_request, roll_over])
def test_killed_at_any_step(directory: Directory, scratch: Path, work: Callable[[Directory], object]) -> None:
    issuance.issue(directory, profiles.GATEWAY, GATEWAY, NOW)
    before = state(directory)
    counted = Directory(Path(shutil.copytree(directory.path, scratch / "count")))
    with faults.at_step(None) as steps:
        work(counted)
    after = state(counted)
    assert after != before

    def interrupted(victim: Directory, step: int) -> None:
        with faults.at_step(step, faults.kill):
            work(victim)

    outcomes = []
    for step in range(len(steps)):
        victim = Directory(Path(shutil.copytree(directory.path, scratch / f"kill{step}")))
        assert faults.in_child(partial(interrupted, victim, step)) == signal.SIGKILL
        recovered = issuance.recover_if_idle(victim, victim.registry())
        found = state(victim)
        assert found in (before, after)
        outcomes.append(found == after)
        assert {it.completed for it in recovered} <= {outcomes[-1]}
        if not outcomes[-1]:
            work(victim)
            assert state(victim) == after
    # First nothing, then all, and no going back. Without a key file the commit that counts is the last step.
    assert outcomes == sorted(outcomes)
    assert not outcomes[0]


@pytest.mark.parametrize("work", [renew, supersede, for_a_request, roll_over])
def test_the_disk_full_at_any_step(directory: Directory, scratch: Path, work: Callable[[Directory], object]) -> None:
    issuance.issue(directory, profiles.GATEWAY, GATEWAY, NOW)
    before = state(directory)
    counted = Directory(Path(shutil.copytree(directory.path, scratch / "count")))
    with faults.at_step(None) as steps:
        work(counted)
    after = state(counted)
    for step in range(len(steps)):
        victim = Directory(Path(shutil.copytree(directory.path, scratch / f"full{step}")))
        with pytest.raises(PkiError), faults.at_step(step, faults.fill_disk):
            work(victim)
        issuance.recover_if_idle(victim, victim.registry())
        assert state(victim) in (before, after)


def below_a_root(path: Path, root_key: Path | None) -> object:
    return issuance.initialize(path, "Example CA", NOW, root=Root("Example Root", root_key))


@pytest.mark.parametrize("elsewhere", [False, True])
def test_killed_at_any_step_of_an_init_below_a_root(scratch: Path, elsewhere: bool) -> None:
    stick = scratch / "stick"
    stick.mkdir()
    root_key = stick / "root.pem" if elsewhere else None

    def interrupted(path: Path, step: int | None) -> list[str]:
        with faults.at_step(step, faults.kill) as steps:
            below_a_root(path, root_key)
        return steps

    count = len(interrupted(scratch / "count", None))
    if root_key is not None:
        root_key.unlink()
    for step in range(count):
        victim = Directory(scratch / f"kill{step}")
        assert faults.in_child(partial(interrupted, victim.path, step)) == signal.SIGKILL
        if not has_authority(victim):
            with pytest.raises(PkiError, match="holds no authority"):
                victim.registry()
            # The root's key is asked for in another file, so that nothing but cleaning up removes the first one.
            again = stick / "again.pem" if elsewhere else None
            below_a_root(victim.path, again)
            assert root_key is None or not root_key.exists()
            assert [path.name for path in stick.iterdir()] == (["again.pem"] if elsewhere else [])
        assert [it.name for it in victim.registry().authorities()] == ["Example Root", "Example CA"]
        assert len(list(victim.keys.iterdir())) == (1 if elsewhere else 2)
        assert not [name for name in tree(victim.path) if name.rpartition("/")[2].startswith(".")]
        issuance.issue(victim, profiles.GATEWAY, GATEWAY, NOW)
        for path in stick.iterdir():
            path.unlink()


def test_an_init_below_a_root_that_fails_leaves_nothing(scratch: Path) -> None:
    root_key = scratch / "root.pem"
    with faults.at_step(None) as steps:
        below_a_root(scratch / "count", root_key)
    root_key.unlink()
    for step in range(len(steps)):
        victim = scratch / f"full{step}"
        with contextlib.suppress(PkiError), faults.at_step(step, faults.fill_disk):
            below_a_root(victim, root_key)
            # What fails when everything is there is done by the next command.
            issuance.recover_if_idle(Directory(victim), Directory(victim).registry())
            assert state(Directory(victim)).count == 2
            root_key.unlink()
            continue
        assert not victim.exists()
        assert not root_key.exists()


ROOT = factory.authority("External Root", key="external")


def answer(directory: Directory) -> list[bytes]:
    """What somebody else's root makes of a request."""
    key = keystore.load(directory.requested_key_path)
    signed = factory.authority("Example CA", ROOT, key=key, constraints=factory.IS_AUTHORITY)  # type: ignore[arg-type]
    return [signed.der, ROOT.der]


def test_killed_at_any_step_of_a_request_and_its_answer(scratch: Path) -> None:
    def request(path: Path, step: int | None) -> list[str]:
        with faults.at_step(step, faults.kill) as steps:
            requested.request(path, "Example CA", path.with_suffix(".csr"), NOW)
        return steps

    for step in range(len(request(scratch / "count", None))):
        victim = scratch / f"request{step}"
        assert faults.in_child(partial(request, victim, step)) == signal.SIGKILL
        if not Directory(victim).requested_key_path.exists():
            requested.request(victim, "Example CA", victim.with_suffix(".again.csr"), NOW)
        assert requested.complete(victim, answer(Directory(victim)), NOW).name == "Example CA"
        assert len(list(Directory(victim).keys.iterdir())) == 1

    awaiting = Directory(scratch / "count")
    certificates = answer(awaiting)

    def complete(path: Path, step: int | None) -> list[str]:
        with faults.at_step(step, faults.kill) as steps:
            requested.complete(path, certificates, NOW)
        return steps

    counted = Path(shutil.copytree(awaiting.path, scratch / "complete"))
    outcomes = []
    for step in range(len(complete(counted, None))):
        victim = Path(shutil.copytree(awaiting.path, scratch / f"kill{step}"))
        assert faults.in_child(partial(complete, victim, step)) == signal.SIGKILL
        outcomes.append(has_authority(Directory(victim)))
        if not outcomes[-1]:
            complete(victim, None)
        assert state(Directory(victim)) == state(Directory(counted))
        issuance.issue(Directory(victim), profiles.GATEWAY, GATEWAY, NOW)
    assert outcomes == sorted(outcomes)
    assert set(outcomes) == {False, True}


def test_an_authority_certified_by_somebody_else(tmp_path: Path) -> None:
    directory = Directory(tmp_path / "ca")
    requested.request(directory.path, "Example CA", tmp_path / "ca.csr", NOW)
    record = requested.complete(directory.path, answer(directory), NOW)
    registry = directory.registry()
    root, own = registry.authorities()
    assert (root.foreign, own.foreign, own.issuer_id) == (True, False, root.id)
    assert record.key_file is not None
    assert [it.sha256 for it in registry.above(own.id).anchors] == [root.certificate.sha256]
    assert registry.above(own.id).intermediates == (record,)
    assert root.certificate.certificate.public_bytes(Encoding.DER) == ROOT.der


def interrupted_and_edited(directory: Directory, step: int, temporary_file: str, key_file: str | None) -> None:
    """An issue that was interrupted at a step, in a registry that somebody has edited afterwards."""

    def interrupted() -> None:
        with faults.at_step(step, faults.kill):
            issuance.issue(directory, profiles.GATEWAY, GATEWAY, NOW)

    assert faults.in_child(interrupted) == signal.SIGKILL
    with contextlib.closing(sqlite3.connect(directory.path / "registry.sqlite")) as registry:
        edited = registry.execute(
            "UPDATE certificate SET temporary_file = ?, key_file = ? WHERE temporary_file IS NOT NULL",
            (temporary_file, key_file),
        )
        assert edited.rowcount == 1
        registry.commit()


PENDING, ISSUED = 5, 12  # steps: the key file is written; it gets its name


@pytest.mark.parametrize(
    ("step", "file", "key_file"),
    [
        (PENDING, "{}/precious", None),
        (PENDING, "../../precious", "mine.pem"),
        (ISSUED, "{}/precious", "mine.pem"),
        (ISSUED, "../../precious", "mine.pem"),
    ],
)
def test_no_file_is_touched_because_a_registry_names_it(
    directory: Directory, tmp_path: Path, step: int, file: str, key_file: str | None
) -> None:
    precious = tmp_path / "precious"
    precious.write_text("-----BEGIN CERTIFICATE-----\n")
    interrupted_and_edited(directory, step, file.format(tmp_path), key_file)
    with pytest.raises(RegistryError, match="is not the file that its key was to be in"):
        issuance.recover_if_idle(directory, directory.registry())
    assert precious.read_text() == "-----BEGIN CERTIFICATE-----\n"
    assert not (directory.keys / "mine.pem").exists()


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIV", b"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII"])
def test_a_key_elsewhere_goes_as_far_as_it_was_written(directory: Directory, tmp_path: Path, content: bytes) -> None:
    root_key = tmp_path / "root.pem"
    root_key.write_bytes(content)
    interrupted_and_edited(directory, PENDING, str(root_key), None)
    assert len(issuance.recover_if_idle(directory, directory.registry())) == 1
    assert not root_key.exists()
