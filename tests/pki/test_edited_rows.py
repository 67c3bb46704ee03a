# SPDX-License-Identifier: ISC
# ruff: noqa: F811
"""Rows that somebody edited to what is no value at all: every command says which, and an audit goes on."""

from pathlib import Path

import pytest

from tests.pki import databases
from tests.pki.test_cli import Run, ca, run  # noqa: F401

pytestmark = pytest.mark.usefixtures("small_keys")
AUDIT = "keynote-pki audit --last 0 --json"


def edit(ca: Run, statement: str) -> None:
    ca("keynote-pki issue gateway gw.example.org")
    ca("keynote-pki revoke gw.example.org --reason superseded --yes")
    ca("keynote-pki issue gateway other.example.org")
    ca("keynote-pki crl make")
    assert ca(AUDIT).json["findings"] == []
    databases.execute(Path("ca/registry.sqlite"), statement)


def findings(ca: Run) -> list[str]:
    done = ca(AUDIT)
    assert done.status == 1
    return [it["message"] for it in done.json["findings"]]


@pytest.mark.parametrize("value", ["'garbage'", "5", "x'00ff'", "'2026-13-40 25:00:00.000000'"])
def test_the_end_of_a_certificate(ca: Run, value: str) -> None:
    edit(ca, f"UPDATE certificate SET not_after = {value} WHERE name = 'other.example.org'")
    for line in (
        "list --all",
        "show other.example.org",
        "issue gateway other.example.org",
        "renew other.example.org",
    ):
        done = ca(f"keynote-pki {line}")
        assert done.status == 1
        assert "not_after of the certificate with authority_id `1`, serial `" in done.err
        assert "name `other.example.org` is `" in done.err
        assert "hint: somebody has edited the registry" in done.err
    (found,) = findings(ca)
    assert "certificate `other.example.org` (serial" in found
    assert "its not_after is `" in found


def test_the_moment_of_a_revocation(ca: Run) -> None:
    edit(ca, "UPDATE certificate SET revoked_at = 'garbage' WHERE name = 'gw.example.org'")
    for line in ("list --revoked", "crl make", "show gw.example.org"):
        done = ca(f"keynote-pki {line}")
        assert done.status == 1
        assert "revoked_at of the certificate" in done.err
        assert "is `garbage`, which is no moment" in done.err
    (found,) = findings(ca)
    assert "(serial" in found
    assert "is revoked on garbage: superseded, by the log revoked on 2" in found


def test_the_reason_of_a_revocation(ca: Run) -> None:
    edit(ca, "UPDATE certificate SET revocation_reason = 'foo' WHERE name = 'gw.example.org'")
    done = ca("keynote-pki crl make")
    assert done.status == 1
    assert "is revoked with the reason `foo`, which is none: no list is signed" in done.err
    assert ca("keynote-pki crl show --json").json["lists"][0]["number"] == 1


def test_the_moment_of_an_entry(ca: Run) -> None:
    edit(ca, "UPDATE audit SET at = 'garbage' WHERE sequence = 2")
    changed, issued = findings(ca)
    assert changed.startswith("entry 2 (issue, garbage) is not what its hash is of")
    assert "its issued_at is `2" in issued
    assert "entry 2 of the log says `garbage`" in issued
    assert "  issue  " in ca("keynote-pki audit --since 2026-01-01").out


@pytest.mark.parametrize("value", ["x'0000'", "'text'"])
def test_the_certificate_of_an_authority(ca: Run, value: str) -> None:
    edit(ca, f"UPDATE certificate SET der = {value} WHERE profile = 'ca'")
    for line in ("issue gateway new.example.org", "crl make", "export other.example.org --for pem out"):
        done = ca(f"keynote-pki {line}")
        assert done.status == 1
        assert "what the registry has of certificate `Example VPN CA` (serial" in done.err
    found, *_ = findings(ca)
    assert "the certificate in the row is another than the one that was issued" in found


@pytest.mark.parametrize(
    ("edited", "told"),
    [
        ("authority SET name = x'ff00'", "name of the authority 1 is X'FF00', which is no text"),
        ("authority SET crl_number = 'many'", "crl_number of the authority 1 is 'many', which is no integer"),
        ("audit SET actor = x'ff00' WHERE sequence = 2", "actor of the audit 2 is X'FF00', which is no text"),
    ],
)
def test_no_text_and_no_number(ca: Run, edited: str, told: str) -> None:
    edit(ca, f"UPDATE {edited}")
    assert findings(ca) == [told]


def test_a_list(ca: Run) -> None:
    edit(ca, "UPDATE crl SET der = x'3000', next_update = 'soon'")
    done = ca("keynote-pki crl show")
    assert done.status == 1
    assert "next_update of the crl with authority_id `1`, number `1` is `soon`" in done.err
    assert any("revocation list 1 of authority 1: its next_update is `soon`" in it for it in findings(ca))
    databases.execute(Path("ca/registry.sqlite"), "UPDATE crl SET next_update = this_update")
    done = ca("keynote-pki crl show")
    assert done.status == 1
    assert "what the registry has of revocation list 1 of authority 1 is none" in done.err


@pytest.mark.parametrize("more", ["", ", der = NULL, sha256 = NULL"])
def test_what_was_issued_is_not_undone_as_if_it_were_interrupted(ca: Run, more: str) -> None:
    edit(ca, f"UPDATE certificate SET state = 'pending'{more} WHERE name = 'other.example.org'")
    for _ in range(2):
        (found,) = findings(ca)
        assert "certificate `other.example.org`" in found
        assert "is not there any more" in found
        done = ca("keynote-pki list")
        assert done.status == 1
        assert "is not finished, but entry 4 of the log has it issued" in done.err
        assert "hint: somebody has edited the registry" in done.err
    databases.execute(Path("ca/registry.sqlite"), "DELETE FROM audit WHERE sequence = 4")
    assert "an interrupted issue of `other.example.org` was undone" in ca("keynote-pki list").err


def test_an_audit_completes_nothing(ca: Run) -> None:
    serial = ca("keynote-pki issue gateway gw.example.org --json").json["serial"]
    temporary = f".{serial}.new"
    Path(f"ca/keys/{serial}.pem").rename(f"ca/keys/{temporary}")
    databases.execute(
        Path("ca/registry.sqlite"),
        f"UPDATE certificate SET temporary_file = '{temporary}' WHERE name = 'gw.example.org'",
    )
    assert ca(AUDIT).err == ""
    assert Path(f"ca/keys/{temporary}").exists()
    assert "was completed" in ca("keynote-pki list").err


@pytest.mark.parametrize("name", ["nothing.pem", "../ca.toml", "/etc/passwd"])
@pytest.mark.parametrize("state", ["issued", "pending"])
def test_where_a_key_was_written(ca: Run, name: str, state: str) -> None:
    edit(ca, f"UPDATE certificate SET temporary_file = '{name}' WHERE name = 'other.example.org'")
    if state == "pending":  # as an issue that was interrupted leaves it
        undone = "UPDATE certificate SET state = 'pending', der = NULL, sha256 = NULL"
        databases.execute(
            Path("ca/registry.sqlite"),
            "DELETE FROM audit WHERE sequence >= 4",
            f"{undone} WHERE name = 'other.example.org'",
        )
    for line in ("list", "issue gateway new.example.org"):
        done = ca(f"keynote-pki {line}")
        assert done.status == 1
        assert "is not the file that its key was to be in" in done.err
        assert "hint: somebody has edited the registry" in done.err
    told = [it for it in findings(ca) if "temporary_file" in it]
    assert len(told) == 1
    assert told[0].startswith("certificate `other.example.org` (serial ")
    assert f"its temporary_file is `{name}`, which is not the file that its key was to be in" in told[0]
