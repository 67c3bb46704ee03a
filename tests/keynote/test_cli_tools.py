# SPDX-License-Identifier: ISC
"""What `test`, `graph`, `who` and `diff` promise alike."""

import json
from pathlib import Path

import pytest

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
