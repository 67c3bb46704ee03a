# SPDX-License-Identifier: ISC
"""The keynote command as it is typed, in this process."""

import shlex
from typing import AnyStr

import pytest

from keynote.cli.main import main


def run(command: str, captured: pytest.CaptureFixture[AnyStr]) -> tuple[int, AnyStr, AnyStr]:
    """The exit status, and what came on standard output and standard error."""
    with pytest.raises(SystemExit) as exit:
        main(shlex.split(command))
    said = captured.readouterr()
    assert isinstance(exit.value.code, int)
    return exit.value.code, said.out, said.err


def run_for_lines(command: str, captured: pytest.CaptureFixture[str]) -> tuple[int, list[str], str]:
    """The same, with standard output in lines."""
    status, out, err = run(command, captured)
    return status, out.splitlines(), err
