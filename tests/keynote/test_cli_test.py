# SPDX-License-Identifier: ISC
"""`keynote test` as a user types it: what is selected, covered, written and shown."""

import contextlib
import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from xml.etree import ElementTree

import pytest

import keynote
from keynote.cli.progress import tracked
from tests.keynote.commands import run_for_lines as run

POLICY = """Authorizer: "POLICY"
Licensees: "gw"
Conditions: enc == "aes"; enc == "3des" -> "true"; enc == "never";
"""
QUERIES = """
[[query]]
name = "AES is allowed"
authorizers = "gw"
action = { enc = "aes" }
expect = "true"

[[query]]
name = "{enc} is refused"
authorizers = "gw"
each = { enc = ["null", "des"] }
expect = "false"
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "case").mkdir()
    (tmp_path / "case" / "policy.kn").write_text(POLICY)
    (tmp_path / "case" / "queries.toml").write_text(QUERIES)
    return tmp_path / "case"


@pytest.mark.usefixtures("folder")
class TestSelection:
    @pytest.mark.parametrize(
        ("options", "passed"),
        [("", 3), ("-k aes", 1), ("-k REFUSED", 2), ("--filter null --filter aes", 2), ("-k case:", 3)],
    )
    def test_by_name(self, options: str, passed: int, capsys: pytest.CaptureFixture[str]) -> None:
        assert run(f"test . {options}", capsys) == (0, [f"{passed} passed, 0 failed"], "")

    def test_nothing_selected_is_an_error(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, message = run("test . -k twofish", capsys)
        assert (status, lines) == (1, [])
        assert message.startswith("keynote: error: no query has `twofish` in its name")

    def test_so_is_a_table_without_queries(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        (folder / "queries.toml").write_text("")
        status, lines, message = run("test .", capsys)
        assert (status, lines) == (1, [])
        assert message.startswith("keynote: error: no queries")


@pytest.mark.usefixtures("folder")
class TestCoverage:
    def test_as_text(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("test case --coverage", capsys)[:2] == (
            0,
            [
                'case/policy.kn:3:27: never true: enc == "3des" -> "true";',
                'case/policy.kn:3:52: never true: enc == "never";',
                "coverage: 3 clauses, 100.0 % evaluated, 33.3 % true in some query",
                "3 passed, 0 failed",
            ],
        )

    def test_never_evaluated(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        text = (folder / "policy.kn").read_text()
        (folder / "policy.kn").write_text(text + '\nAuthorizer: "POLICY"\nLicensees: "other"\n')
        lines = run("test case --coverage", capsys)[1]
        assert lines[0] == "case/policy.kn:5:13: never evaluated: (no conditions)"
        assert lines[-2] == "coverage: 4 clauses, 75.0 % evaluated, 25.0 % true in some query"

    @pytest.mark.parametrize(("least", "status"), [("33.3", 0), ("33.4", 1), ("0", 0), ("100", 1)])
    def test_too_little_fails(self, least: str, status: int, capsys: pytest.CaptureFixture[str]) -> None:
        found, lines, _ = run(f"test case --coverage-fail-under {least}", capsys)
        assert found == status
        assert lines[-1] == "3 passed, 0 failed"
        assert (f"FAILED coverage: 33.3 % true, less than {least} %" in lines) == (status == 1)
        found, lines, _ = run(f"test case --coverage-fail-under {least} --json", capsys)
        assert found == status
        assert json.loads("\n".join(lines))["coverage"]["enough"] == (status == 0)

    def test_as_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, _ = run("test case --coverage --json", capsys)
        data = json.loads("\n".join(lines))
        assert status == 0
        assert data["coverage"] == {
            "clauses": 3,
            "evaluated_percent": 100.0,
            "true_percent": 33.333,
            "enough": None,
            "never_evaluated": [],
            "never_true": [
                {"where": {"file": "case/policy.kn", "line": 3, "column": 27}, "text": 'enc == "3des" -> "true";'},
                {"where": {"file": "case/policy.kn", "line": 3, "column": 52}, "text": 'enc == "never";'},
            ],
        }

    def test_a_policy_that_does_not_load_covers_nothing(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "policy.kn").write_text("broken\n")
        status, lines, _ = run("test case --coverage-fail-under 50", capsys)
        assert (status, lines[-1]) == (1, "0 passed, 3 failed")


class TestJunit:
    def test_a_suite_a_table(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        hostile = '[[query]]\nname = "<&\\"\\u0007\\u00e9"\nauthorizers = "gw"\nexpect = "true"\n'
        error = '[[query]]\nname = "an error"\nauthorizers = []\nexpect = "true"\n'
        (folder / "queries.toml").write_text(QUERIES + hostile + error)
        assert run("test case --junit results.xml", capsys)[0] == 1
        root = ElementTree.parse("results.xml").getroot()
        assert root.tag == "testsuites"
        counts = {"tests": "5", "failures": "1", "errors": "1"}
        assert {key: root.get(key) for key in counts} == counts
        (suite,) = root
        assert (suite.tag, suite.get("name")) == ("testsuite", "case/queries.toml")
        assert {key: suite.get(key) for key in counts} == counts
        assert [case.get("name") for case in suite] == [
            "case: AES is allowed",
            "case: null is refused",
            "case: des is refused",
            'case: <&"\\x07é',
            "case: an error",
        ]
        assert [[child.tag for child in case] for case in suite] == [[], [], [], ["failure"], ["error"]]
        failure = suite[3][0].get("message")
        assert failure == "expected true, got false: policy.kn:3: enc is empty, needs `aes`, `3des` or `never`"

    def test_a_message_goes_on_behind_a_hidden_passphrase(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        secret = "passphrase:hunter2secret"
        policy = f'Authorizer: "POLICY"\nLicensees: "{secret}" || "a"\n'
        Path(folder, "policy.kn").write_text(policy)
        Path(folder, "policy.kn").chmod(0o600)
        query = '[[query]]\nname = "{0}"\nauthorizers = {1}\nexpect = "{2}"\n'
        rows = (("b", '"b"', "true"), (secret, '"b"', secret), ("c", "[]", secret))
        Path(folder, "queries.toml").write_text("".join(query.format(*row) for row in rows))
        status, lines, _ = run("test case --junit results.xml", capsys)
        root = ElementTree.parse("results.xml").getroot()
        messages = [message for it in root.iter() if (message := it.get("message"))]
        assert messages[0] == "expected true, got false: policy.kn:2: licenses `passphrase:(hidden)` or `a`, not `b`"
        assert messages[1] == messages[0].replace("true", "passphrase:(hidden)")
        assert (status, [line.partition(": expected")[2] for line in lines[:3]]) == (
            1,
            [message.removeprefix("expected") for message in messages],
        )
        assert "hunter" not in Path("results.xml").read_text() + str(lines)

    @pytest.mark.parametrize(("least", "failures"), [(50, "1"), (30, "0")])
    def test_too_little_coverage_is_a_failure(
        self, least: int, failures: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, lines, _ = run(f"test case --coverage-fail-under {least} --junit results.xml", capsys)
        assert (status, lines[-1]) == (int(failures), "3 passed, 0 failed")
        root = ElementTree.parse("results.xml").getroot()
        suite = root[-1]
        assert (root.get("tests"), root.get("failures")) == ("4", failures)
        assert (suite.get("name"), suite.get("failures")) == ("coverage", failures)
        assert [it.get("message") for it in suite.iter("failure")] == ["33.3 % true, less than 50 %"] * int(failures)

    @pytest.mark.parametrize("file", ["case/policy.kn", "case/more.kn", "case/queries.toml", "link", "hard"])
    def test_what_is_read_is_not_written_over(
        self, file: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (folder / "more.kn").write_text('Authorizer: "gw"\nLicensees: "x"\n')
        (folder / "queries.toml").write_text(f'credentials = "more.kn"\n{QUERIES}')
        Path("link").symlink_to("case/policy.kn")
        Path("hard").hardlink_to("case/queries.toml")
        before = Path(file).read_bytes()
        error = f"keynote: error: {file}: would be written over, and is read here\n"
        assert run(f"test case -k aes --junit {file}", capsys) == (1, [], error)
        assert Path(file).read_bytes() == before

    def test_a_file_that_cannot_be_written_is_an_error(
        self, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        status, _, message = run("test case --junit none/results.xml", capsys)
        assert status == 1
        assert message.startswith("keynote: error: none/results.xml: No such file")


class TestProgress:
    def test_a_bar_on_a_terminal_once_it_takes_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        controller, terminal = os.openpty()
        with open(terminal, "w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            monkeypatch.setenv("TERM", "xterm")
            assert list(tracked([1, 2, 3], 3, "queries", timedelta(0))) == [1, 2, 3]
        shown = ""
        with contextlib.suppress(OSError):  # the end, where nobody has the terminal any more
            while data := os.read(controller, 100_000):
                shown += data.decode()
        os.close(controller)
        assert "queries" in shown
        assert "3/3" in shown

    def test_none_in_a_moment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        controller, terminal = os.openpty()
        with open(terminal, "w") as stream:
            monkeypatch.setattr(sys, "stderr", stream)
            assert list(tracked([1, 2, 3], 3, "queries", timedelta(days=1))) == [1, 2, 3]
            stream.write(".")
            stream.flush()
            assert os.read(controller, 100) == b"."
        os.close(controller)

    def test_none_elsewhere(self, monkeypatch: pytest.MonkeyPatch) -> None:
        stream = io.StringIO()
        monkeypatch.setattr(sys, "stderr", stream)
        assert list(tracked([1, 2], 2, "queries", timedelta(0))) == [1, 2]
        assert stream.getvalue() == ""


def test_the_examples_of_the_help_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policies").symlink_to(Path(keynote.__file__).parent.parent / "policies")
    _, lines, _ = run("test --help", capsys)
    examples = [line.strip().removeprefix("keynote ") for line in lines[lines.index("  Example:") + 1 :]]
    found = [run(line, capsys)[0] for line in examples if line.startswith("test ")]
    assert found == [0, 0, 0]


def test_the_installed_command(folder: Path) -> None:
    command = Path(sys.executable).parent / "keynote"
    done = subprocess.run(
        [command, "test", "case", "--coverage-fail-under", "50"],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder.parent,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.splitlines()[-2:] == [
        "FAILED coverage: 33.3 % true, less than 50 %",
        "3 passed, 0 failed",
    ]
