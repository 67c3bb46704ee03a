# SPDX-License-Identifier: ISC
"""`keynote lint` and `keynote attributes` as a user types them."""

import json
import os
from pathlib import Path

import pytest

from keynote.cli import lint as command
from keynote.lint import CHECKS
from keynote.schemas.ipsec import ATTRIBUTES
from tests.keynote.commands import run

CLEAN = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: app_domain == "mail" -> "yes";\n'
OPEN = 'Authorizer: "POLICY"\nLicensees: "K"\nConditions: mail == "x" -> "yes";\n'
BROKEN = 'Authorizer: "POLICY"\nConditions: a = b;\n'


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("clean.kn", CLEAN),
        ("open.kn", OPEN),
        ("broken.kn", BROKEN + "\n" + OPEN),
        ("soon.kn", CLEAN.replace("&&", "").replace('"mail"', '"mail" && GMTTimeOfDay < "20260610"')),
        ("secret.kn", CLEAN.replace('"K"', '"passphrase:mekmitasdigoat"')),
        ("set/a/policy.kn", CLEAN),
        ("set/a/given.kn", 'Authorizer: "K"\nLicensees: "L"\n'),
        ("set/a/queries.toml", 'credentials = ["given.kn"]\n'),
        ("set/b/policy.kn", CLEAN),
        ("set/b/more.kn", 'Authorizer: "K"\nLicensees: "L"\n'),
        ("set/b/queries.toml", "broken"),
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "empty").mkdir()
    return tmp_path


def test_findings_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lint open.kn", capsys) == (
        2,
        "open.kn:3:13: warning: app_domain is not tested: this holds in whatever application [KN501]\n"
        '    Conditions: mail == "x" -> "yes";\n'
        "                ^\n"
        '    hint: begin with `app_domain == "IPsec policy" &&`\n'
        "1 assertion, 1 finding: 1 warning\n",
        "",
    )


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("lint clean.kn", 0),
        ("lint clean.kn open.kn", 2),
        ("lint open.kn --fail-on error", 0),
        ("lint open.kn --fail-on never", 0),
        ("lint broken.kn --fail-on error", 2),
        ("lint soon.kn --now 20260601000000", 0),
        ("lint soon.kn --now 20260601000000 --strict", 2),
        ("lint soon.kn --now 2026-06-01T00:00:00+02:00 --fail-on info", 2),
        ("lint soon.kn --now 20270101000000", 2),
        ("lint soon.kn --now 20260101000000 --strict", 0),
        ("lint open.kn --select KN4,KN101", 0),
        ("lint open.kn --select kn5", 2),
        ("lint open.kn --ignore KN501", 0),
        ("lint -c set/a/given.kn", 2),
        ("lint set/b", 0),
        ("lint set", 2),
        ("lint --explain kn101", 0),
    ],
)
def test_exit_status(line: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(line, capsys)[0] == status


@pytest.mark.parametrize(
    ("line", "error", "hint"),
    [
        ("lint", "nothing to look at", "name policy files, or credentials with -c"),
        ("lint none.kn", "none.kn: No such file or directory", ""),
        (
            "lint -",
            "-: No such file or directory",
            "`/dev/stdin` reads standard input, and `./-` a file of this name",
        ),
        ("lint clean.kn --select KN9", "no check has the code `KN9`", "`--explain all` has them all"),
        ("lint clean.kn --now soon", "--now `soon` is no time", "write `20260101000000`"),
        ("lint --explain KN9", "there is no check `KN9`", "`--explain all` has them all"),
        ("lint empty", "empty: no *.kn file in this folder", ""),
    ],
)
def test_errors(line: str, error: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = run(line, capsys)
    assert status == 1
    assert err == f"keynote: error: {error}\n" + (f"keynote: hint: {hint}\n" if hint else "")


def test_what_is_broken_is_told_and_the_rest_is_looked_at(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = run("lint broken.kn", capsys)
    assert "broken.kn:2:15: error: unknown operator `=` [KN001]\n" in out
    assert "broken.kn:6:13: warning: app_domain is not tested" in out
    assert err == ""


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = run("lint open.kn --json", capsys)
    (finding,) = json.loads(out)["findings"]
    assert (status, err, json.loads(out)["assertions"]) == (2, "", 1)
    assert finding == {
        "code": "KN501",
        "severity": "warning",
        "message": "app_domain is not tested: this holds in whatever application",
        "where": {"file": "open.kn", "line": 3, "column": 13},
        "hint": 'begin with `app_domain == "IPsec policy" &&`',
    }
    assert json.loads(run("lint clean.kn --json", capsys)[1]) == {"assertions": 1, "findings": []}


@pytest.mark.parametrize("output", ["set/a/policy.kn", "set/a/given.kn", "set/a/queries.toml", "open.kn"])
def test_sarif_is_not_written_over_what_is_looked_at(
    output: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    before = (folder / output).read_text()
    error = f"keynote: error: {output}: would be written over, and is read here\n"
    assert run(f"lint set clean.kn -c open.kn --sarif {output}", capsys) == (1, "", error)
    assert (folder / output).read_text() == before


def test_sarif(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    status, out, _ = run("lint open.kn --sarif out.sarif", capsys)
    assert (status, out.splitlines()[-1]) == (2, "1 assertion, 1 finding: 1 warning")
    written = json.loads((folder / "out.sarif").read_text())
    assert json.loads(run("lint open.kn --sarif -", capsys)[1]) == written
    assert [result["ruleId"] for result in written["runs"][0]["results"]] == ["KN501"]


def test_credentials_of_a_folder_are_those_of_its_queries(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run("lint set", capsys)
    assert "set/a/given.kn:1:13: error: a credential without a signature, which is set aside [KN305]" in out
    assert "set/b" not in out


def test_exposed_passphrases_are_warned_of(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    os.chmod(folder / "secret.kn", 0o644)
    status, _, err = run("lint secret.kn", capsys)
    assert status == 0
    assert err.startswith("keynote: warning: secret.kn: holds a passphrase, and others than its owner may read it")


def test_explain(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lint --explain KN104", capsys)[1].startswith("### KN104 numbers compared as strings (warning)\n")
    assert all(f"### {code} " in run("lint --explain all", capsys)[1] for code in CHECKS)


def test_progress_is_shown_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "_MANY", 1)
    assert run("lint clean.kn", capsys)[2] == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    assert run("lint clean.kn", capsys)[1] == "1 assertion, no findings\n"


# -- attributes ------------------------------------------------------------------------------------------------------


def test_all_attributes(capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = run("attributes", capsys)
    assert status == 0
    assert [line.split()[0] for line in out.splitlines()] == list(ATTRIBUTES)


def test_one_attribute(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("attributes phase_1", capsys)[1].splitlines() == [
        "phase_1: the Phase 1 exchange",
        "  values     `main`, `aggressive`",
        "  undefined  where it does not apply, which is the empty string",
        "  known      in both phases",
    ]
    status, _, err = run("attributes esp_en_alg", capsys)
    assert status == 1
    assert err.endswith("hint: did you mean `esp_enc_alg`?\n")


def test_attributes_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    everything = json.loads(run("attributes --json", capsys)[1])
    assert [attribute["name"] for attribute in everything] == list(ATTRIBUTES)
    one = json.loads(run("attributes pfs --json", capsys)[1])
    assert one in everything
    assert one == {
        "name": "pfs",
        "meaning": "whether Quick Mode exchanges new Diffie-Hellman values",
        "kind": "choice",
        "words": ["yes", "no"],
        "domain": "`yes`, `no`",
        "may_be_empty": False,
        "phase1": False,
    }


def test_a_file_is_looked_at_once(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "link.kn").symlink_to(folder / "open.kn")
    once = run("lint open.kn --json", capsys)
    assert run("lint open.kn ./open.kn -p open.kn link.kn --json", capsys) == once
    assert json.loads(run("lint set set/a/policy.kn set/a --json", capsys)[1])["assertions"] == 4
    credentials = run("lint -c set/a/given.kn --json", capsys)
    assert run("lint -c set/a/given.kn -c ./set/a/given.kn --json", capsys) == credentials


def test_policies_by_option(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("lint -p open.kn", capsys) == run("lint open.kn", capsys)
    assert run("lint -p set", capsys) == run("lint set", capsys)


def test_documentation_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    check = json.loads(run("lint --explain kn101 --json", capsys)[1])
    assert set(check) == {"code", "severity", "title", "why", "example", "mend"}
    assert (check["code"], check["severity"], check["title"]) == ("KN101", "error", "unknown attribute")
    everything = json.loads(run("lint --explain all --json", capsys)[1])
    assert [each["code"] for each in everything] == list(CHECKS)
    status, out, _ = run("lint --explain KN9 --json", capsys)
    assert (status, json.loads(out)["errors"][0]["message"]) == (1, "there is no check `KN9`")
