# SPDX-License-Identifier: ISC
"""Commands are where they are said to be, and loaded when they are asked for."""

import subprocess
import sys

import click
import pytest

from ike_auth.cli import cli as of_daemon
from keynote.cli.groups import Commands
from keynote.cli.main import commands as of_keynote
from pki.cli.main import cli as of_pki

PROGRAMS = [of_keynote, of_pki, of_daemon]


@pytest.mark.parametrize("group", PROGRAMS, ids=["keynote", "keynote-pki", "ike-auth"])
def test_every_command_goes_by_its_own_name(group: Commands) -> None:
    context = click.Context(group)
    names = group.list_commands(context)
    assert "completion" in names
    assert [command.name for name in names if (command := group.get_command(context, name))] == names
    assert group.get_command(context, "no-such-command") is None
    assert sorted(group.commands) == names


@pytest.mark.parametrize(
    ("arguments", "unwanted"),
    [
        ("keynote.cli eval --help", ["keynote.lint", "keynote.graph", "keynote.layout"]),
        ("pki.cli init --help", ["keynote.lint", "pki.web", "starlette"]),
        ("ike_auth.cli status --help", ["ike_auth.config", "ike_auth.manual", "sqlalchemy"]),
        ("ike_auth.cli run -c no-such-file", ["pyroute2", "sqlalchemy"]),
    ],
)
def test_a_command_loads_nothing_of_others(arguments: str, unwanted: list[str]) -> None:
    module, *words = arguments.split()
    script = f"""
import sys
from {module} import main
try:
    main({words})
except SystemExit:
    print([name for name in {unwanted} if name in sys.modules])
"""
    shown = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    assert shown.stdout.splitlines()[-1] == "[]"
