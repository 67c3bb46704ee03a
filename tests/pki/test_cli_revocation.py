# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Revoking, lists, the audit log and what is listed, as a user types it."""

import datetime
import io
import sys
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from pki import responders, revocation_lists
from pki.cli import common
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.errors import RegistryError
from pki.records import AuthorityRecord, Record
from pki.registry import Registry
from pki.registry_crls import IssuedLists
from pki.revocation import ListRecord
from tests.pki import databases
from tests.pki.factory import DAY
from tests.pki.test_cli import Done, Run, ca, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("quick_keys")


def serial(done: Done) -> str:
    found: str = done.json["serial"]
    return found


@pytest.fixture
def gateway(ca: Run) -> str:
    """The serial number of gw.example.org's certificate."""
    return serial(ca("keynote-pki issue gateway gw.example.org --json"))


def test_a_revocation_says_what_it_does(ca: Run, gateway: str) -> None:
    ca("keynote-pki crl make")
    done = ca("keynote-pki revoke gw.example.org --reason keyCompromise --yes")
    assert done.status == 0
    assert done.out.splitlines()[0] == f"gw.example.org: revoked (keyCompromise), serial {gateway}"
    assert "refuse it from the next handshake on" in done.out
    assert "who goes by list 1 of `Example VPN CA` may accept it until 2" in done.out
    again = ca("keynote-pki revoke gw.example.org --reason superseded --yes")
    assert again.status == 1
    assert ": keyCompromise" in again.err
    assert "was revoked already, on 2" in again.err


def test_a_revocation_without_a_list(ca: Run, gateway: str) -> None:
    out = ca(f"keynote-pki revoke {gateway[:12]} --reason superseded --yes").out
    assert "`Example VPN CA` has no list that holds: make one with `keynote-pki crl make`" in out


def test_nobody_there_to_confirm(ca: Run, gateway: str) -> None:
    done = ca("keynote-pki revoke gw.example.org --reason superseded")
    assert done.status == 1
    assert "hint: add --yes" in done.err
    assert ca("keynote-pki show gw.example.org --json").json["status"] == "valid"


@pytest.mark.parametrize(("answer", "status", "then"), [("y\n", 0, "revoked"), ("n\n", 1, "valid")])
def test_it_asks_on_a_terminal(
    ca: Run,
    gateway: str,
    answer: str,
    status: int,
    then: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.StringIO(answer)
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", terminal)
    done = ca("keynote-pki revoke gw.example.org --reason superseded")
    assert done.status == status
    assert "revoke for ever (superseded)?" in done.err
    assert ("error: declined: nothing was changed" in done.err) is bool(status)
    assert ca("keynote-pki show gw.example.org --json").json["status"] == then


def test_unknown_reasons_and_names(ca: Run, gateway: str) -> None:
    assert ca("keynote-pki revoke gw.example.org --reason certificateHold --yes").status == 2
    assert ca("keynote-pki revoke gw.example.org --yes").status == 2
    done = ca("keynote-pki revoke gw.example.org gw.exmple.org --reason superseded --yes")
    assert done.status == 1
    assert "did you mean `gw.example.org`?" in done.err
    assert ca("keynote-pki show gw.example.org --json").json["status"] == "valid"  # nor the first


def two(ca: Run) -> list[str]:
    """Two certificates of one name, as after a renewal."""
    first = serial(ca("keynote-pki issue gateway gw.example.org --json"))
    databases.execute(
        Path("ca/registry.sqlite"),
        "UPDATE certificate SET revoked_at = '2020-01-01', revocation_reason = 'x' WHERE profile = 'gateway'",
    )
    second = serial(ca("keynote-pki issue gateway gw.example.org --json"))
    databases.execute(
        Path("ca/registry.sqlite"), "UPDATE certificate SET revoked_at = NULL, revocation_reason = NULL"
    )
    return [first, second]


def test_a_name_of_two_is_ambiguous(ca: Run) -> None:
    first, second = two(ca)
    done = ca("keynote-pki revoke gw.example.org --reason superseded --yes")
    assert done.status == 1
    assert "`gw.example.org` is 2 certificates that hold: " in done.err
    assert first[:12] in done.err
    assert second[:12] in done.err
    assert ca(f"keynote-pki revoke {first} --reason superseded --yes").status == 0
    # The name means the one that is left.
    assert second in ca("keynote-pki revoke gw.example.org --reason superseded --yes").out


def test_every_one_of_a_name(ca: Run) -> None:
    both = two(ca)
    done = ca("keynote-pki revoke gw.example.org --every --reason superseded --yes --json").json
    assert sorted(it["serial"] for it in done["revoked"]) == sorted(both)
    assert {it["revocation_reason"] for it in done["revoked"]} == {"superseded"}


def test_an_authority_is_revoked_with_everything_below(ca: Run, gateway: str) -> None:
    done = ca('keynote-pki revoke "Example VPN CA" --reason cACompromise --yes')
    assert done.status == 0
    assert "authority `Example VPN CA` is refused with everything that it issued" in done.out
    made = ca("keynote-pki crl make --json").json["lists"][0]
    assert [it["reason"] for it in made["revoked"]] == ["cACompromise"]


# --- lists


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
    assert "keynote-pki crl make --number 3" in done.err
    assert Path("ca.crl").read_bytes() == before
    assert "list 3," in ca("keynote-pki crl make --number 3 --out ca.crl").out
    Path("note.txt").write_text("mine")
    assert "`note.txt` is no revocation list" in ca("keynote-pki crl make --out note.txt").err
    assert Path("note.txt").read_text() == "mine"


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


# --- the log


def test_the_log_is_printed_and_checked(ca: Run, gateway: str) -> None:
    ca("keynote-pki revoke gw.example.org --reason keyCompromise --yes")
    ca("keynote-pki crl make --out ca.pem")
    done = ca("keynote-pki audit")
    assert done.status == 0
    lines = done.out.splitlines()
    assert [line.split("  ")[3] for line in lines[:4]] == ["issue", "issue", "revoke", "crl"]
    assert lines[4].startswith("4 entries, audit head 4:")
    assert lines[5] == "the log is whole, and the registry is what it says"
    head = lines[4].split()[-1]
    assert ca(f"keynote-pki audit --head {head} --crl ca.pem").status == 0

    data = ca("keynote-pki audit --action revoke --json").json
    assert (data["head"], data["intact"], data["findings"]) == (head, True, [])
    assert [(it["action"], it["details"]["reason"]) for it in data["entries"]] == [("revoke", "keyCompromise")]
    (sha256,) = {it["subject"] for it in data["entries"]}
    assert len(ca(f"keynote-pki audit --subject {sha256[:12]} --json").json["entries"]) == 2
    assert [it["sequence"] for it in ca("keynote-pki audit --last 1 --json").json["entries"]] == [4]
    assert ca("keynote-pki audit --last 0 --json").json["entries"] == []
    assert ca("keynote-pki audit --since 2999-01-01 --json").json["entries"] == []
    assert ca("keynote-pki audit --actor nobody --json").json["entries"] == []


def test_a_log_that_was_changed_ends_with_1(ca: Run, gateway: str) -> None:
    ca("keynote-pki crl make --out ca.pem")
    databases.execute(Path("ca/registry.sqlite"), "UPDATE audit SET actor = 'x' WHERE sequence = 2")
    done = ca("keynote-pki audit --json")
    assert done.status == 1
    assert done.json["intact"] is False
    assert [it["entry"] for it in done.json["findings"]] == [2]
    assert "keynote-pki: error: entry 2 (issue, " in done.err
    assert "the log is whole" not in ca("keynote-pki audit").out
    cut = ca(f"keynote-pki audit --last 0 --head 9:{'0' * 64}")
    assert "the log ends at entry 3, but the head 9 that you noted knows entry 9: it was cut" in cut.err
    assert ca("keynote-pki audit --head 9").status == 1
    Path("ca.pem").write_text("nothing")
    assert ca("keynote-pki audit --crl ca.pem").status == 1


def test_control_characters_of_a_log_stay_off_the_terminal(ca: Run) -> None:
    databases.execute(Path("ca/registry.sqlite"), "UPDATE audit SET actor = char(27) || '[31m'")
    done = ca("keynote-pki audit")
    assert "\\x1b[31m" in done.out
    assert "\x1b" not in done.out + done.err


def test_every_way_of_issuing_is_what_the_log_says(ca: Run) -> None:
    for line in (
        "issue gateway gw.example.org --ip 192.0.2.1 --mail gw@example.org --dn /C=DE/CN=gw",
        "issue road-warrior alice@example.org",
        "renew gw.example.org",
        "rekey alice@example.org",
        "supersede gw.example.org",
        'rollover --name "Example VPN CA 2"',
        "ocsp certify",
        "crl make",
    ):
        assert ca(f"keynote-pki {line}").status == 0, line
    done = ca("keynote-pki audit --last 0")
    assert (done.status, done.err) == (0, "")


# --- what is listed and shown


@pytest.fixture
def several(ca: Run, monkeypatch: pytest.MonkeyPatch) -> Run:
    """One that ends soon, one that does not, one that is revoked, one that is expired."""
    ca("keynote-pki issue gateway soon.example.org --days 5 --ip 192.0.2.1")
    ca("keynote-pki issue gateway later.example.org --days 90")
    ca("keynote-pki issue road-warrior gone@example.org")
    ca("keynote-pki revoke gone@example.org --reason superseded --yes")
    ca("keynote-pki issue gateway old.example.org --days 1")
    databases.execute(
        Path("ca/registry.sqlite"),
        "UPDATE certificate SET not_after = '2020-01-01 00:00:00.000000' WHERE name = 'old.example.org'",
    )
    return ca


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ("", ["Example VPN CA", "later.example.org", "soon.example.org"]),
        ("--all", ["Example VPN CA", "gone@example.org", "later.example.org", "old.example.org", "soon.example.org"]),
        ("--revoked", ["gone@example.org"]),
        ("--expired", ["old.example.org"]),
        ("--expiring 30d", ["soon.example.org"]),
        ("--expiring 99h", []),
        ("--expiring 20w", ["soon.example.org", "later.example.org"]),
        ("--profile gateway", ["later.example.org", "soon.example.org"]),
        ("--identity SOON.example.org", ["soon.example.org"]),
        ("--identity 192.0.2.1", ["soon.example.org"]),
        ("--identity nobody", []),
        ('--authority "Example VPN CA" --profile ca', ["Example VPN CA"]),
    ],
)
def test_what_is_listed(several: Run, options: str, names: list[str]) -> None:
    done = several(f"keynote-pki list --json {options}")
    assert done.status == 0
    assert [it["name"] for it in done.json["certificates"]] == names
    table = several(f"keynote-pki list {options}").out.splitlines()[1:]
    assert len(table) == len(names)


def test_monitoring(several: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = several("keynote-pki list --expiring 30d --check")
    assert warning.status == 1
    assert warning.out.startswith("WARNING: 1 certificate ends soon: soon.example.org (2")
    assert several("keynote-pki list --expiring 30d --check --critical 1d").status == 1
    critical = several("keynote-pki list --expiring 30d --check --critical 7d")
    assert (critical.status, critical.out[:8]) == (2, "CRITICAL")
    fine = several("keynote-pki list --expiring 1d --check")
    assert (fine.status, fine.out) == (0, "OK: no certificate ends so soon\n")
    unknown = several("keynote-pki list --expiring 1d --check --dir nowhere")
    assert (unknown.status, unknown.out) == (3, "UNKNOWN: `nowhere` holds no authority\n")
    assert several("keynote-pki list --expiring 30d --check --json").status == 1


@pytest.mark.parametrize(
    ("options", "told", "hint"),
    [
        ("--profile gatewy", "there is no profile `gatewy`", "did you mean `gateway`?"),
        ("--profile nothing-like-it", "there is no profile `nothing-like-it`", "one of ca, cross, dual, gateway, "),
        ("--identity 'soon.example.org '", "is not a host name", "did you mean `soon.example.org`?"),
        ("--identity bob@", "`bob@` is not a mail address", ""),
        ("--authority Nobody", "no authority `Nobody`", "one of `Example VPN CA`"),
    ],
)
def test_what_is_misspelt_is_not_all_well(ca: Run, options: str, told: str, hint: str) -> None:
    ca("keynote-pki issue gateway soon.example.org --days 5")
    for line, status in (("list", 1), ("list --expiring 1d --check", 3)):
        done = ca(f"keynote-pki {line} {options}")
        assert (done.status, told in done.err, hint in done.err) == (status, True, True)
    assert done.out.startswith("UNKNOWN: ")


def test_monitoring_an_identity_that_nobody_has(ca: Run) -> None:
    ca("keynote-pki issue gateway soon.example.org --days 5")
    assert ca("keynote-pki list --identity son.example.org").status == 0
    done = ca("keynote-pki list --expiring 1d --check --identity son.example.org")
    assert (done.status, done.out) == (3, "UNKNOWN: no certificate for `son.example.org` was issued here\n")
    assert "did you mean `soon.example.org`?" in done.err
    assert ca("keynote-pki list --expiring 1d --check --identity SOON.example.org").status == 0


def test_a_profile_that_is_in_the_registry_only(ca: Run, gateway: str) -> None:
    databases.execute(
        Path("ca/registry.sqlite"), f"UPDATE certificate SET profile = 'old' WHERE serial = '{gateway}'"
    )
    assert [it["serial"] for it in ca("keynote-pki list --profile old --json").json["certificates"]] == [gateway]


def test_a_responder_that_was_replaced_does_not_alarm(ca: Run) -> None:
    ca("keynote-pki ocsp certify --days 10")
    assert ca("keynote-pki list --expiring 30d --check").status == 1
    later = ca("keynote-pki ocsp certify --days 90 --json").json["certificates"][0]
    assert ca("keynote-pki list --expiring 30d --check --profile ocsp").status == 0
    assert ca("keynote-pki list --expiring 99d --json").json["certificates"] == [later]
    ca(f"keynote-pki revoke {later['serial']} --reason superseded --yes")
    assert ca("keynote-pki list --expiring 30d --check").status == 1


@pytest.mark.parametrize(
    "options", ["--check", "--critical 7d", "--all --revoked", "--expiring 7", "--expiring 7d --critical 1d"]
)
def test_wrong_usage_of_list(ca: Run, options: str) -> None:
    assert ca(f"keynote-pki list {options}").status == 2


def test_what_has_a_successor_does_not_alarm(several: Run) -> None:
    soon, later = (several(f"keynote-pki show {name}.example.org --json").json for name in ("soon", "later"))
    databases.execute(
        Path("ca/registry.sqlite"),
        f"UPDATE certificate SET supersedes = '{soon['sha256']}' WHERE serial = '{later['serial']}'",
    )
    assert several("keynote-pki list --expiring 30d --check").status == 0
    assert several("keynote-pki show soon.example.org --json").json["superseded_by"] == [later["sha256"]]
    assert (
        f"follows   {soon['serial']} (soon.example.org, until 2" in several("keynote-pki show later.example.org").out
    )
    assert f"followed  by {later['serial']} (" in several("keynote-pki show soon.example.org").out
    several("keynote-pki revoke later.example.org --reason superseded --yes")
    assert several("keynote-pki list --expiring 30d --check").status == 1


def test_show_tells_of_a_revocation_and_of_delegations(ca: Run, gateway: str) -> None:
    registry = Directory(Path("ca")).registry()
    draft = Draft("POLICY", "DN:/CN=gw.example.org", "true", "", 'Authorizer: "POLICY"\n', None)
    registry.delegations.add(draft, common.current_time())
    ca(f"keynote-pki revoke {gateway} --reason affiliationChanged --yes")
    out = ca(f"keynote-pki show {gateway}").out
    assert "\nrevoked   2" in out
    assert ": affiliationChanged\n" in out
    assert "by Example VPN CA\n" in out
    assert "delegated 1 from POLICY to DN:/CN=gw.example.org, in force, no end\n" in out
    data = ca(f"keynote-pki show {gateway} --json").json
    assert (data["status"], data["revocation_reason"], data["issuer"]) == (
        "revoked",
        "affiliationChanged",
        "Example VPN CA",
    )
    assert [it["number"] for it in data["delegations"]] == [1]


# --- OCSP


def test_a_certificate_that_answers_is_made(ca: Run) -> None:
    done = ca("keynote-pki ocsp certify --days 30")
    assert done.status == 0
    assert done.out.startswith("OCSP of Example VPN CA: certificate made, answers until 2")
    key = Path(done.out.splitlines()[1].removeprefix("its private key is "))
    assert key.stat().st_mode & 0o777 == 0o600
    made = ca('keynote-pki ocsp certify --authority "Example VPN CA" --key rsa-2048 --json').json["certificates"]
    assert [(it["name"], it["profile"], it["identities"]) for it in made] == [("OCSP of Example VPN CA", "ocsp", [])]
    assert [it["name"] for it in ca("keynote-pki list --profile ocsp --json").json["certificates"]] == [
        "OCSP of Example VPN CA",
        "OCSP of Example VPN CA",
    ]
    assert ca("keynote-pki audit --last 0").status == 0
    assert ca("keynote-pki ocsp certify --key ed25519").status == 2


def test_serve_where_it_cannot(ca: Run) -> None:
    assert "is no address and port" in ca("keynote-pki serve --listen localhost").err
    assert "`nowhere` holds no authority" in ca("keynote-pki serve --dir nowhere").err
