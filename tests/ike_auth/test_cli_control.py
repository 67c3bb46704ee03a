# SPDX-License-Identifier: ISC
"""`ike-auth up`, `down` and `reload` for machines, against a control socket that answers."""

import json
from pathlib import Path
from typing import Any

import pytest

from ike_auth.cli import main
from tests.ike_auth.daemon.test_control import Serving, path, serving

__all__ = ["path", "serving"]


def typed(capsys: pytest.CaptureFixture[str], path: Path, *arguments: str) -> tuple[Any, Any, str]:
    """Exit status, what is on standard output, and what is on standard error."""
    with pytest.raises(SystemExit) as ended:
        main([*arguments, "--json", "--control", str(path)])
    out, err = capsys.readouterr()
    return ended.value.code, json.loads(out), err


def test_done(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    assert typed(capsys, serving.path, "reload") == (0, {}, "")


def test_not_done(serving: Serving, capsys: pytest.CaptureFixture[str]) -> None:
    status, found, said = typed(capsys, serving.path, "up", "office")
    error = {"message": "there is no connection `office`", "where": None, "hint": "there are home, away"}
    assert (status, found) == (1, {"errors": [error]})
    assert said == "ike-auth: error: there is no connection `office`\nike-auth: hint: there are home, away\n"


@pytest.mark.parametrize("command", [["up", "office"], ["down", "office"], ["reload"]])
def test_nobody_answers(command: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, found, _ = typed(capsys, tmp_path / "nothing", *command)
    assert status == 1
    assert "no daemon listens on" in found["errors"][0]["message"]
