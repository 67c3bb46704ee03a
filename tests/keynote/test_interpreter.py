# SPDX-License-Identifier: ISC
"""What depends on the Python that runs: docstrings, and how much time hostile text can take."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import keynote
from keynote import limits
from tests.cpu import at_most

ROOT = Path(__file__).parent.parent.parent
CODE = "import keynote; keynote.parse_policy('Authorizer: a . b\\n', name='p')"


def run(options: list[str], folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *options, "-c", CODE]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder, env=environment)


def test_without_docstrings_there_is_one_clear_error(tmp_path: Path) -> None:
    done = run(["-OO"], tmp_path)
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("keynote.errors.Unsupported: the KeyNote parser needs docstrings")


def test_nothing_is_written_and_nothing_warned_of(tmp_path: Path) -> None:
    done = run(["-W", "error"], tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []


SIZE = limits.ASSERTION_SIZE // 4
HOSTILE = [
    "(" * SIZE,
    "!" * SIZE,
    "?" * SIZE,
    '"' + "\\\n " * (SIZE // 3),
    '"' * SIZE,
    "a . " * (SIZE // 4) + 'a == "x";',
    "1 + " * (SIZE // 4) + "1 == 1;",
    "9" * SIZE + " == 1;",
    "true -> {" * (SIZE // 11) + "};" * (SIZE // 11),
    "a == b;" * (SIZE // 7),
    "a == b && " * (SIZE // 10) + "true;",
    "(a == b || (a != b && " * (SIZE // 24) + "true" + "))" * (SIZE // 24) + ";",
    'a ~= "' + "(a*)*" * (limits.PATTERN_SIZE // 5) + '";',
    "2 ^ 2 ^ " * (SIZE // 8) + "2 == 1;",
    "2 * " * (SIZE // 4) + "2 == 1;",
    "$" * SIZE + "a == b;",
    "#" * SIZE,
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:10])
def test_hostile_conditions_take_seconds_at_most(text: str) -> None:
    with at_most(10):
        try:
            policy = keynote.parse_policy(f'Authorizer: "POLICY"\nLicensees: "K"\nConditions: {text}\n', name="p")
        except keynote.PolicyError as error:
            assert error.problems  # noqa: PT017
            policy = ()
        session = keynote.Session(policy)
        decision = session.query({"a": "x" * 10_000, "b": "y"}, ["K"])
        interval = session.query({"b": "y"}, ["K"], unknown={"a"})
        assert decision.because
        assert decision.survey
        assert interval.because


def test_hostile_licensees_take_seconds_at_most() -> None:
    with at_most(10):
        names = [f'"p{n}"' for n in range(5_000)]
        policy = keynote.parse_policy(
            f'Authorizer: "POLICY"\nLicensees: {" && ".join(names)}\n\n'
            f'Authorizer: "x"\nLicensees: 2500-of({", ".join(names)})\n',
            name="p",
        )
        session = keynote.Session(policy)
        assert session.query({}, [f"p{n}" for n in range(5_000)]).allowed
        assert session.query({}, [f"p{n}" for n in range(4_999)]).because == "p:2: also needs `p4999`"
