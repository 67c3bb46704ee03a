# SPDX-License-Identifier: ISC
"""All three programs complete their command lines, by click's protocol, as their scripts ask for it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from pki import issuance, keys, profiles
from pki.directory import Directory
from pki.names import identity
from tests.pki import factory
from tests.pki.factory import NOW

HERE = Path(sys.executable).parent
PROGRAMS = ["keynote", "keynote-pki", "ike-auth"]


def run(*words: str, **environment: str) -> str:
    command = [str(HERE / words[0]), *words[1:]]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, **environment}
    )
    return done.stdout


@pytest.mark.parametrize("program", PROGRAMS)
@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_script_for_each_shell(program: str, shell: str) -> None:
    variable = f"_{program}_complete".replace("-", "_").upper()
    script = run(program, "completion", shell)
    assert f"{variable}={shell}_complete" in script
    assert json.loads(run(program, "completion", shell, "--json")) == {"shell": shell, "script": script[:-1]}


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("keynote ev", "eval"),
        ("ike-auth che", "check"),
        ("keynote-pki rol", "rollover"),
        ("keynote-pki issue leg", "legacy-isakmpd"),
        ("keynote-pki issue gateway x --sub", "--subject"),
    ],
)
def test_commands_and_options(line: str, found: str) -> None:
    assert completed(line) == [found]


def completed(line: str, **environment: str) -> list[str]:
    """What bash would offer for the last word."""
    words = line.split(" ")
    variable = f"_{words[0]}_complete".replace("-", "_").upper()
    asked = {variable: "bash_complete", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return [it.split(",", 1)[1] for it in run(words[0], **asked, **environment).splitlines() if it]


def test_names_of_certificates_and_profiles_of_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "generate", lambda kind: factory.ec_key(kind))
    directory = Directory(tmp_path / "ca")
    issuance.initialize(directory.path, "Example CA", NOW)
    for name in ("gw.example.org", "gw2.example.org", "other.example.org"):
        issuance.issue(directory, profiles.GATEWAY, (identity(name),), NOW)
    (directory.path / "profiles.toml").write_text('[short-lived]\nlike = "gateway"\ndays = 7\n')
    where = {"KEYNOTE_PKI_DIR": str(directory.path)}
    for command in ("show", "export", "renew", "rekey", "supersede"):
        assert completed(f"keynote-pki {command} gw", **where) == ["gw.example.org", "gw2.example.org"]
    assert completed(f"keynote-pki show --dir {directory.path} ot") == ["other.example.org"]
    assert completed("keynote-pki show gw", KEYNOTE_PKI_DIR=str(tmp_path)) == []
    assert completed("keynote-pki issue sho", **where) == ["short-lived"]
