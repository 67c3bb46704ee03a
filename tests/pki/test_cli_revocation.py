# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Revoking, the audit log and what is listed, as a user types it."""

import io
import sys
from pathlib import Path

import pytest

from pki.cli import common
from pki.delegation_records import Draft
from pki.directory import Directory
from tests.pki import databases
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
    told = several("keynote-pki list --expiring 1d --check --json --dir nowhere")
    assert (told.status, [it["message"] for it in told.json["errors"]]) == (3, ["`nowhere` holds no authority"])


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
