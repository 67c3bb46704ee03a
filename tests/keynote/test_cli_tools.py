# SPDX-License-Identifier: ISC
"""What `test`, `graph`, `who` and `diff` promise alike."""

import json
import os
import shlex
from datetime import UTC, datetime
from pathlib import Path

import pytest

from keynote import parse_policy
from keynote.lint import lint
from keynote.lint.sarif import sarif
from keynote.recorded import Recorded, Seal, line
from tests.keynote.commands import run

COMMANDS = ["test", "graph", "who", "diff"]


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_an_example_and_says_what_the_exit_status_means(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, text, _ = run(f"{command} --help", capsys)
    assert status == 0
    assert "Example:" in text
    assert f"keynote {command} " in text.partition("Example:")[2]
    assert "exit status is 0 if" in " ".join(text.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_errors_are_json_too(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.kn").write_text('Authorizer: "POLICY"\nConditions: a = b;\n')
    (tmp_path / "log").write_bytes(line(Recorded({}, ("K",), "false", ""), Seal(bytes(32))))
    (tmp_path / "bad.toml").write_text("query = 5\n")
    arguments = {"test": "bad.toml", "graph": "bad.kn", "who": "bad.kn", "diff": "bad.kn bad.kn --inputs log"}
    status, text, message = run(f"{command} {arguments[command]} --json", capsys)
    assert status == 1
    (error,) = json.loads(text)["errors"]
    assert error["where"]["file"] in ("bad.kn", "bad.toml")
    assert error["message"] in message


@pytest.mark.parametrize("output", ["p.kn", "./p.kn", "link", "hard", "c.kn", "action", "who"])
def test_a_graph_is_not_written_over_what_it_is_of(
    output: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (("p.kn", 'Authorizer: "POLICY"\n'), ("c.kn", ""), ("action", "a=b\n"), ("who", "K\n")):
        Path(name).write_text(text)
    Path("link").symlink_to("p.kn")
    Path("hard").hardlink_to("p.kn")
    before = Path(output).read_text()
    error = f"keynote: error: {Path(output)}: would be written over, and is read here\n"
    assert run(f"graph p.kn -c c.kn --action action -k @who -o {output}", capsys) == (1, "", error)
    assert Path(output).read_text() == before
    assert run("graph p.kn -o new.dot", capsys)[0] == 0
    assert run("graph p.kn -o new.dot", capsys)[0] == 0
    assert Path("new.dot").read_text().startswith("digraph")


HOSTILE = os.fsdecode(b"\x1b[31mre\nd\xff\xe2\x82\xac.kn")
SHOWN = r"\x1b[31mre\nd\udcff€.kn"


@pytest.mark.parametrize(
    "command",
    [
        "eval -p FILE -k K",
        "eval -p FILE -k L",
        "why -p FILE -k K",
        "why -p FILE -k L",
        "who FILE",
        "graph FILE",
        "graph FILE --format html",
        "lint FILE",
        "fmt --check FILE",
        "fmt --diff FILE",
        "test . --coverage",
        "diff p.kn p.kn --inputs FILE",
        "sigver FILE",
    ],
)
def test_names_of_files_are_escaped(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(HOSTILE).write_text('Authorizer: "POLICY"\nLicensees:   "K"\nConditions: false; true;\n')
    Path("p.kn").write_text('Authorizer: "POLICY"\n')
    Path("a.jsonl").write_text(json.dumps({"id": HOSTILE, "expect": "true"}))
    _, out, err = run(command.replace("FILE", shlex.quote(HOSTILE)), capsysbinary)
    told = (out + err).decode().replace("\\\\", "\\")
    assert SHOWN in told
    assert not any(c in told for c in "\x1b\udcff")
    assert "re\nd" not in told


def test_a_name_that_is_no_utf_8_has_a_uri(tmp_path: Path) -> None:
    (finding, *_) = lint(
        parse_policy('Authorizer: "POLICY"\nLicensees: "K"\n', name=HOSTILE), now=datetime(2026, 1, 1, tzinfo=UTC)
    )
    (result, *_) = sarif([finding])["runs"][0]["results"]
    assert result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "%1B%5B31mre%0Ad%FF%E2%82%AC.kn"
