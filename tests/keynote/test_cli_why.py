# SPDX-License-Identifier: ISC
"""`keynote why` as a user types it: output, exit status, and colours on a terminal."""

import contextlib
import json
import os
import pty
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.keynote.commands import run_for_lines as run


def on_a_terminal(command: str, folder: Path, variables: dict[str, str]) -> str:
    """What the command writes where its output is a terminal."""
    ours, theirs = pty.openpty()
    environment = {
        "TERM": "xterm-256color",
        "COLUMNS": "200",
        "LANG": "C.UTF-8",
        "PATH": "/usr/bin:/bin",
        **variables,
    }
    argv = [str(Path(sys.executable).parent / "keynote"), *shlex.split(command)]
    with subprocess.Popen(argv, stdout=theirs, stderr=theirs, cwd=folder, env=environment) as process:
        os.close(theirs)
        written = b""
        with contextlib.suppress(OSError):  # the terminal is gone when the command is
            while piece := os.read(ours, 65536):
                written += piece
    os.close(ours)
    assert process.returncode in (0, 2)
    return written.decode()


@pytest.mark.usefixtures("folder")
class TestWhy:
    def test_allowed(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("why -p policy.kn -k gw --action action.txt", capsys)
        assert status == 0
        assert lines == [
            "true",
            "POLICY → CA → gw, policy.kn:3",
            "  POLICY",
            "  + policy.kn:1",
            '    + policy.kn:3: holds: enc == "aes" -> "true";',
            "      CA",
            '      + policy.kn:5 licenses "gw" || "Zoë"',
            "        + no conditions",
            "        + gw requests it",
        ]

    def test_denied(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("why -p policy.kn -k gw -a enc=null", capsys)
        assert status == 2
        assert lines[:2] == ["false", "policy.kn:3: app_domain is empty, needs `IPsec policy`"]
        assert lines[-2:] == [
            "nearest first:",
            "  2 changes away: policy.kn:3: app_domain is empty, needs `IPsec policy`",
        ]

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("why -p policy.kn -k gw --json", capsys)
        data = json.loads("\n".join(lines))
        assert status == 2
        assert data["tree"][0] == {"depth": 0, "text": "POLICY", "good": None}
        assert data["reasons"][0]["distance"] == 2

    def test_one_attribute_away(self, capsys: pytest.CaptureFixture[str]) -> None:
        (Path.cwd() / "p.kn").write_text(
            'Authorizer: "POLICY"\nLicensees: "gw"\nConditions: enc == "aes" || enc == "3des";\n'
        )
        _, lines, _ = run("why -p p.kn -k gw -a enc=null", capsys)
        assert lines[-1] == "  one attribute away: p.kn:3: enc is `null`, needs `aes` or `3des`"

    def test_what_is_allowed_may_have_more_to_wish_for(self, capsys: pytest.CaptureFixture[str]) -> None:
        _, lines, _ = run("why -p policy.kn -k gw --action action.txt -a enc=3des --values false,maybe,true", capsys)
        assert lines[0] == "maybe"
        assert lines[-2:] == [
            "why not more, nearest first:",
            "  one attribute away: policy.kn:3: enc is `3des`, needs `aes`",
        ]

    @pytest.mark.parametrize("options", ["--action action.txt", ""])
    def test_on_a_terminal_there_are_branches_in_colour(self, options: str, folder: Path) -> None:
        text = on_a_terminal(f"why -p policy.kn -k gw {options}", folder, {})
        assert "└── " in text
        assert "\x1b[32m" in text  # green
        assert ("\x1b[31m" in text) == (not options)  # red

    def test_without_colour_if_nobody_wants_it(self, folder: Path) -> None:
        text = on_a_terminal("why -p policy.kn -k gw", folder, {"NO_COLOR": "1"})
        assert "└── " in text
        assert "\x1b[3" not in text
