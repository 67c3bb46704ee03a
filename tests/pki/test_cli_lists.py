# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Lists of revocations, as a user makes, publishes and reads them."""

import datetime
import shutil
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from pki import responders, revocation_lists
from pki.directory import Directory
from pki.errors import RegistryError
from pki.records import AuthorityRecord, Record
from pki.registry import Registry
from pki.registry_crls import IssuedLists
from pki.revocation import ListRecord
from tests.pki import databases
from tests.pki.factory import DAY
from tests.pki.test_cli import Done, Run, ca, run  # noqa: F401
from tests.pki.test_cli_revocation import gateway, serial  # noqa: F401

pytestmark = pytest.mark.usefixtures("quick_keys")


def test_lists_are_written_for_web_servers_and_gateways(ca: Run, gateway: str, tmp_path: Path) -> None:
    ca("keynote-pki revoke gw.example.org --reason keyCompromise --yes")
    done = ca("keynote-pki crl publish --out www")
    assert done.status == 0
    first, *files, head = done.out.splitlines()
    assert first.startswith("Example VPN CA: list 1, 1 certificate, until 2")
    assert files == ["www/example-vpn-ca.crl", "www/example-vpn-ca.crl.pem"]
    assert head.startswith("audit head 4:")
    assert [it.serial_number for it in x509.load_der_x509_crl(Path(files[0]).read_bytes())] == [int(gateway, 16)]
    assert f"Audit-Head: {head.removeprefix('audit head ')}\n" in Path(files[1]).read_text()
    assert revocation_lists.read(Path(files[1]).read_bytes()).number == 1
    assert Path(files[0]).stat().st_mode & 0o777 == 0o644

    assert "list 1," in ca("keynote-pki crl publish --out www").out  # nothing new to say
    serial(ca("keynote-pki issue gateway other.example.org --json"))
    ca("keynote-pki revoke other.example.org --reason superseded --yes")
    assert "list 2, 2 certificates" in ca("keynote-pki crl publish --out www").out
    assert revocation_lists.read(Path(files[0]).read_bytes()).number == 2


def test_a_list_is_due_when_half_of_its_time_is_over(
    ca: Run,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ca("keynote-pki crl publish --out www --days 2")
    later = datetime.datetime.now(datetime.UTC) + datetime.timedelta(hours=25)
    monkeypatch.setattr("pki.cli.crl.current_time", lambda: later)
    assert "list 2," in ca("keynote-pki crl publish --out www --days 2").out


def test_a_list_never_takes_the_place_of_a_later_one(ca: Run) -> None:
    ca("keynote-pki crl make")
    ca("keynote-pki crl make --out ca.crl")
    databases.execute(
        Path("ca/registry.sqlite"), "DELETE FROM crl WHERE number = 2", "UPDATE authority SET crl_number = 1"
    )
    before = Path("ca.crl").read_bytes()
    done = ca("keynote-pki crl make --out ca.crl --days 5")
    assert done.status == 1
    assert "`ca.crl` has list 2 already, and this is list 2: was the registry restored from a backup?" in done.err
    assert "keynote-pki crl make --after ca.crl" in done.err
    assert Path("ca.crl").read_bytes() == before
    assert "list 3," in ca("keynote-pki crl make --after ca.crl --out ca.crl").out
    Path("note.txt").write_text("mine")
    assert "`note.txt` is no revocation list" in ca("keynote-pki crl make --out note.txt").err
    assert Path("note.txt").read_text() == "mine"


def listed(path: str) -> dict[str, str]:
    """The reasons by serial number."""
    return {
        f"{it:040x}": found.reason for it, found in revocation_lists.read(Path(path).read_bytes()).revoked.items()
    }


LIST = "www/example-vpn-ca.crl"
GO_ON = f"keynote-pki crl make --after {LIST}"


def restored(ca: Run) -> None:
    shutil.rmtree("ca")
    done = ca("keynote-pki restore b.tar ca")
    assert "what was issued or revoked since is not in it" in done.out
    assert "keynote-pki crl make --after FILE" in done.out


@pytest.mark.parametrize("first", ["publish --out www", "make --number 7"])
def test_a_restored_registry_unrevokes_nothing(ca: Run, gateway: str, first: str) -> None:
    ca("keynote-pki backup --keys b.tar")
    new = serial(ca("keynote-pki issue gateway new.example.org --json"))
    ca("keynote-pki revoke gw.example.org --reason keyCompromise --yes")
    ca("keynote-pki revoke new.example.org --reason superseded --yes")
    ca("keynote-pki crl publish --out www")
    before = Path(LIST).read_bytes()
    assert listed(LIST) == {gateway: "keyCompromise", new: "superseded"}
    restored(ca)

    ca(f"keynote-pki crl {first}")
    for _ in range(2):  # whatever was made meanwhile
        refused = ca("keynote-pki crl publish --out www")
        assert refused.status == 1
        both = ", ".join(sorted((gateway, new)))
        assert f"2 serial numbers, {both}, are revoked in `{LIST}`, and not in list " in refused.err
        assert "was the registry restored from a backup?" in refused.err
        again = f"keynote-pki revoke {gateway} --reason keyCompromise"
        assert f"hint: revoke again: {again}; then go on after it: {GO_ON}" in refused.err
        assert Path(LIST).read_bytes() == before
        ca("keynote-pki crl make")

    early = ca(f"keynote-pki crl make --after {LIST}")
    assert early.status == 1
    assert f"serial number {gateway} is revoked in the list to go on after, and not in this registry" in early.err
    assert f"hint: revoke again what it lacks first: {again}" in early.err
    assert ca(f"{again} --yes").status == 0
    unknown = ca("keynote-pki crl publish --out www")
    assert f"error: serial number {new} is revoked in `{LIST}`, and not in list " in unknown.err
    assert f"hint: go on after it: {GO_ON}" in unknown.err
    assert ca(f"keynote-pki crl make --after {LIST} --after {LIST}.pem").status == 0
    assert ca("keynote-pki crl publish --out www").status == 0
    assert listed(LIST) == {gateway: "keyCompromise", new: "superseded"}
    ca("keynote-pki crl make --out www")
    assert listed(LIST) == {gateway: "keyCompromise", new: "superseded"}  # for ever
    assert ca("keynote-pki crl show --check").status == 0
    assert ca(f"keynote-pki audit --last 0 --crl {LIST}").status == 0


def test_what_has_ended_may_leave_the_list_that_is_there(
    ca: Run, gateway: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ca("keynote-pki backup --keys b.tar")
    ca("keynote-pki revoke gw.example.org --reason keyCompromise --yes")
    ca("keynote-pki crl publish --out www")
    restored(ca)
    monkeypatch.setattr("pki.cli.crl.current_time", lambda: datetime.datetime.now(datetime.UTC) + 1000 * DAY)
    assert ca("keynote-pki crl make --number 2 --out www").status == 0
    assert listed(LIST) == {}


def test_a_list_of_another_key_is_nothing_to_go_on_after(ca: Run) -> None:
    ca('keynote-pki init other --name "Example VPN CA"')
    ca("keynote-pki crl make --out other.crl -d other")
    ca("keynote-pki crl make")
    head = ca("keynote-pki audit --json").json["head"]
    done = ca("keynote-pki crl make --after other.crl")
    assert done.status == 1
    assert "`other.crl` is signed by no authority that makes a list now: it is of `/CN=Example VPN CA`" in done.err
    assert ca("keynote-pki audit --json").json["head"] == head
    there = ca("keynote-pki crl make --out other.crl")
    assert (
        "`other.crl` is signed with another key than that of `Example VPN CA`, so it is not overwritten" in there.err
    )


def test_numbers_are_not_used_up(ca: Run) -> None:
    ca("keynote-pki crl make")
    for number in (1_000_003, (1 << 31) - 1, (1 << 63) - 1, 1 << 63, 1 << 159):
        done = ca(f"keynote-pki crl make --number {number}")
        assert done.status == 1
        assert f"error: list {number} is too far above the newest list of `Example VPN CA`, which is 1" in done.err
        assert "hint: at most 1000002; " in done.err
    assert "list 1000002," in ca("keynote-pki crl make --number 1000002").out
    assert ca("keynote-pki crl make --number 0").status == 2


def test_the_list_of_another_authority_stays(ca: Run) -> None:
    ca("keynote-pki crl make --out ca.crl")
    ca('keynote-pki init other --name "Other CA"')
    done = ca("keynote-pki crl make --out ca.crl -d other")
    assert "is the list of another authority, `/CN=Example VPN CA`" in done.err


def test_lists_are_shown_and_checked(ca: Run, gateway: str, monkeypatch: pytest.MonkeyPatch) -> None:
    none = ca("keynote-pki crl show --check")
    assert (none.status, "`Example VPN CA` has no list yet" in none.err) == (1, True)
    ca("keynote-pki crl make --out ca.pem")
    assert ca("keynote-pki crl show --check").status == 0
    assert Path("ca.pem").read_text().startswith("Audit-Head: ")
    ca("keynote-pki revoke gw.example.org --reason keyCompromise --yes")
    lacking = ca("keynote-pki crl show --check")
    assert (lacking.status, "lacks what was revoked since" in lacking.err) == (1, True)
    assert ca("keynote-pki crl show").status == 0
    made = ca("keynote-pki crl make --json").json["lists"][0]
    assert [it["serial"] for it in made["revoked"]] == [gateway]
    assert ca("keynote-pki crl show --json").json["lists"] == [made]
    assert f"  {gateway}  2" in ca("keynote-pki crl show").out
    assert "/CN=Example VPN CA: list 1, from 2" in ca("keynote-pki crl show ca.pem").out
    assert ca("keynote-pki crl show ca.pem --json").json["number"] == 1
    assert ca("keynote-pki crl show ca.pem --check").status == 2
    assert ca("keynote-pki crl show none.pem").status == 1
    later = datetime.datetime.now(datetime.UTC) + 8 * DAY
    monkeypatch.setattr("pki.cli.crl.current_time", lambda: later)
    stale = ca("keynote-pki crl show --check")
    assert (stale.status, "is stale since 2" in stale.err) == (1, True)


def test_a_key_that_is_not_here_is_said(ca: Run) -> None:
    for path in Path("ca/keys").iterdir():
        path.unlink()
    done = ca("keynote-pki crl make")
    assert done.status == 1
    assert "`Example VPN CA` signs nothing: private key `ca/keys/" in done.err
    assert "there is no authority here whose key could sign" in done.err
    named = ca('keynote-pki crl make --authority "Example VPN CA"')
    assert named.err.startswith("keynote-pki: error: private key `ca/keys/")
    assert "no authority `Nobody` is in this registry" in ca("keynote-pki crl make --authority Nobody").err


def test_a_root_that_is_offline_and_its_authority(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run('keynote-pki init ca --name "Example VPN CA" --root "Example Root" --root-key root.pem')
    monkeypatch.setenv("KEYNOTE_PKI_DIR", "ca")
    first = run("keynote-pki crl publish --out www")
    assert first.status == 0
    assert "authority `Example Root` signs nothing" in first.err
    assert [path.name for path in sorted(Path("www").iterdir())] == ["example-vpn-ca.crl", "example-vpn-ca.crl.pem"]
    run('keynote-pki revoke "Example VPN CA" --reason cACompromise --yes')
    made = run('keynote-pki crl make --authority "Example Root" --root-key root.pem --json').json["lists"]
    assert [(it["authority"], len(it["revoked"])) for it in made] == [("Example Root", 1)]
    run("keynote-pki crl publish --out www")  # that of the root too, though its key is away
    assert len(revocation_lists.read(Path("www/example-root.crl").read_bytes()).revoked) == 1
    assert run("keynote-pki audit --last 0").status == 0


@pytest.fixture
def two_roots(run: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """After a rollover with its root: both roots' keys are elsewhere."""
    run('keynote-pki init ca --name "CA 1" --root "Root 1" --root-key old.pem')
    monkeypatch.setenv("KEYNOTE_PKI_DIR", "ca")
    made = run('keynote-pki rollover --name "CA 2" --root "Root 2" --root-key old.pem --new-root-key new.pem')
    assert made.status == 0
    return run


ALL = ["Root 1", "CA 1", "Root 2", "CA 2"]


def authorities(done: Done) -> list[str]:
    return [it["authority"] for it in done.json["lists"]]


@pytest.mark.parametrize(("key", "other"), [("old", "Root 2"), ("new", "Root 1")])
@pytest.mark.parametrize("what", ["make", "publish --out www"])
def test_the_key_of_one_of_two_roots(two_roots: Run, key: str, other: str, what: str) -> None:
    done = two_roots(f"keynote-pki crl {what} --root-key {key}.pem --json")
    assert done.status == 0
    assert sorted(authorities(done)) == sorted({*ALL} - {other})
    assert done.err.count(": note: ") == 1
    assert f"authority `{other}` signs nothing: the private key of `{other}` is not kept here" in done.err


def test_the_keys_of_two_roots(two_roots: Run) -> None:
    done = two_roots("keynote-pki crl make --root-key new.pem --root-key old.pem --json")
    assert (done.status, done.err) == (0, "")
    assert sorted(authorities(done)) == sorted(ALL)
    certified = two_roots("keynote-pki ocsp certify --root-key new.pem --root-key old.pem --json")
    assert certified.status == 0
    assert len(certified.json["certificates"]) == 4


@pytest.mark.parametrize("options", ["", ' --authority "CA 2"', " --out www"])
def test_the_key_of_no_root_is_told_before_anything_is_signed(two_roots: Run, options: str) -> None:
    two_roots("keynote-pki init other --name Other")
    Path("www").mkdir()
    (key,) = Path("other/keys").glob("*.pem")
    before = two_roots("keynote-pki audit --json").json["head"]
    for file in (key, "old.pem --root-key nowhere.pem"):
        done = two_roots(f"keynote-pki crl make --root-key {file}{options}")
        assert done.status == 1
        assert f"`{key}` does not hold the private key of `Root 1`, `Root 2`" in done.err or "nowhere.pem" in done.err
    assert two_roots("keynote-pki audit --json").json["head"] == before
    assert list(Path("www").iterdir()) == []


def test_a_key_that_cannot_be_read_is_told_before_anything_is_signed(two_roots: Run) -> None:
    (serial,) = (
        it["serial"] for it in two_roots("keynote-pki list --json").json["certificates"] if it["name"] == "CA 2"
    )
    Path(f"ca/keys/{serial}.pem").write_text("garbage")
    before = two_roots("keynote-pki audit --json").json["head"]
    done = two_roots("keynote-pki crl make")
    assert (done.status, done.out) == (1, "")
    assert two_roots("keynote-pki audit --json").json["head"] == before


def test_a_file_that_is_in_the_way_stops_no_other(two_roots: Run) -> None:
    assert two_roots("keynote-pki crl publish --out www --root-key old.pem --root-key new.pem").status == 0
    for it in Path("www").iterdir():
        it.unlink()
    Path("www/root-1.crl").write_text("garbage")
    said = two_roots("keynote-pki crl publish --out www")
    assert said.status == 1
    assert "keynote-pki: error: `www/root-1.crl` is no revocation list, so it is not overwritten" in said.err
    assert "Root 1: list 1, " in said.out
    assert "www/ca-2.crl.pem" in said.out.splitlines()
    assert Path("www/root-1.crl").read_text() == "garbage"
    assert len(list(Path("www").iterdir())) == 8
    told = two_roots("keynote-pki crl publish --out www --json")
    assert told.status == 1
    assert sorted(authorities(told)) == sorted(ALL)
    files = {it["authority"]: it["files"] for it in told.json["lists"]}
    assert files["Root 1"] == ["www/root-1.crl.pem"]
    assert files["CA 2"] == ["www/ca-2.crl", "www/ca-2.crl.pem"]
    (error,) = told.json["errors"]
    assert "root-1.crl` is no revocation list" in error["message"]


def test_a_list_that_cannot_be_made_stops_no_other(two_roots: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    make = IssuedLists.make

    def making(lists: IssuedLists, authority: AuthorityRecord, *how: Any) -> ListRecord:
        if authority.name == "CA 1":
            raise RegistryError("no list for you")
        return make(lists, authority, *how)

    monkeypatch.setattr(IssuedLists, "make", making)
    done = two_roots("keynote-pki crl make --root-key old.pem --json")
    assert done.status == 1
    assert authorities(done) == ["Root 1", "CA 2"]
    assert [it["message"] for it in done.json["errors"]] == ["no list for you"]
    certify = responders.certify

    def certifying(where: Directory, registry: Registry, authority: AuthorityRecord, *how: Any) -> Record:
        if authority.name == "Root 1":
            raise RegistryError("no responder for you")
        return certify(where, registry, authority, *how)

    monkeypatch.setattr(responders, "certify", certifying)
    certified = two_roots("keynote-pki ocsp certify --root-key old.pem --json")
    assert (certified.status, len(certified.json["certificates"])) == (1, 2)
    assert [it["message"] for it in certified.json["errors"]] == ["no responder for you"]
    said = two_roots("keynote-pki ocsp certify --root-key old.pem")
    assert (said.status, said.out.count("certificate made"), "error: no responder" in said.err) == (1, 2, True)
    alone = two_roots('keynote-pki crl make --authority "CA 1" --json')
    assert (alone.status, list(alone.json)) == (1, ["errors"])


def test_a_retired_authority_goes_on_making_lists(ca: Run, gateway: str) -> None:
    assert ca('keynote-pki rollover --name "Example VPN CA 2"').status == 0
    ca(f"keynote-pki revoke {gateway} --reason superseded --yes")
    lists = ca("keynote-pki crl make --json").json["lists"]
    assert [(it["authority"], len(it["revoked"])) for it in lists] == [("Example VPN CA", 1), ("Example VPN CA 2", 0)]
    assert ca("keynote-pki audit --last 0").status == 0


def test_an_encrypted_key_signs_lists(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("secret").write_text("open sesame\n")
    Path("secret").chmod(0o600)
    run('keynote-pki init ca --name "Example VPN CA" --passphrase-file secret')
    assert run("keynote-pki crl make -d ca").status == 1
    assert run("keynote-pki crl make -d ca --passphrase-file secret").status == 0
