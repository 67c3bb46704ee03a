# SPDX-License-Identifier: ISC
"""`keynote graph`, as a user types it."""

import json
from pathlib import Path

import pytest

import keynote
from keynote.graph.model import Question, graph
from tests.keynote.commands import run_for_lines as run
from tests.keynote.test_graph import POLICY, session


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.kn").write_text(POLICY)
    (tmp_path / "action").write_text("app=ipsec\nenc=aes\nnet=2\n")
    return tmp_path


@pytest.mark.usefixtures("folder")
class TestCommand:
    @pytest.mark.parametrize(
        ("options", "first"),
        [
            ("", "digraph keynote {"),
            ("--format mermaid", "flowchart TD"),
            ("--format html", "<!DOCTYPE html>"),
            ("--json", "{"),
        ],
    )
    def test_formats(self, options: str, first: str, capsys: pytest.CaptureFixture[str]) -> None:
        for policy in ("p.kn", "-p p.kn"):
            status, lines, _ = run(f"graph {policy} {options}", capsys)
            assert (status, lines[0]) == (0, first)

    @pytest.mark.parametrize(("options", "format"), [("--format html", "html"), ("-o p.mmd", "mermaid")])
    def test_json_is_a_format(self, options: str, format: str, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, message = run(f"graph p.kn --json {options}", capsys)
        assert status == 1
        assert f"--json and {format} at the same time" in message
        assert json.loads("\n".join(lines))["errors"][0]["hint"] == "choose one of the two"

    def test_json_into_a_file(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        _, lines, _ = run("graph p.kn --json", capsys)
        assert run("graph p.kn --json -o graph.json", capsys) == (0, [], "")
        assert json.loads((folder / "graph.json").read_text()) == json.loads("\n".join(lines))

    def test_a_policy_that_is_given_twice_is_drawn_once(self, capsys: pytest.CaptureFixture[str]) -> None:
        assert run("graph p.kn -p ./p.kn", capsys) == run("graph p.kn", capsys)

    @pytest.mark.parametrize(
        ("name", "first"), [("a.html", "<!DOCTYPE html>"), ("a.mmd", "flowchart TD"), ("a", "digraph keynote {")]
    )
    def test_the_format_by_the_name_of_the_file(
        self, name: str, first: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run(f"graph p.kn -o {name} -k gw --action action", capsys) == (0, [], "")
        assert (folder / name).read_text().splitlines()[0] == first

    def test_json(self, capsys: pytest.CaptureFixture[str]) -> None:
        _, lines, _ = run("graph p.kn -k gw --action action --json", capsys)
        found = json.loads("\n".join(lines))
        assert (found["verdict"], found["because"]) == ("false", "p.kn:7: net is `2`, needs `1`")
        assert found["nodes"][3] == {
            "id": 3,
            "kind": "assertion",
            "label": ["p.kn:5"],
            "conditions": 'net == "1";',
            "state": "stops",
            "note": "net is `2`, needs `1`",
            "requests": False,
            "on_path": False,
        }
        assert found["edges"][0] == {"from": 0, "to": 1, "state": "holds", "on_path": False}

    @pytest.mark.parametrize(
        ("command", "error"),
        [
            ("graph", "no policy"),
            ("graph none.kn", "none.kn: No such file"),
            ("graph p.kn --format png", "invalid value for `--format`"),
            ("graph p.kn -o none/x.html", "none/x.html: No such file"),
            ("graph p.kn -a x", "`x` is no attribute"),
        ],
    )
    def test_every_error_has_status_1(self, command: str, error: str, capsys: pytest.CaptureFixture[str]) -> None:
        status, lines, message = run(command, capsys)
        assert (status, lines) == (1, [])
        assert error in message


def test_errors_of_the_query_are_errors() -> None:
    with pytest.raises(keynote.QueryError):
        graph(session(POLICY), Question({"_x": ""}))
