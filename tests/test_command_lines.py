# SPDX-License-Identifier: ISC
"""The three command lines fail alike: the same lines on stderr, the same JSON, each with its own exit statuses."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from keynote.cli.program import Failed, Program, json_option
from keynote.complaints import Complaint, Place

HERE = Path(sys.executable).parent
# how each ends on wrong usage
STATUS = {"keynote": 1, "keynote-pki": 2, "ike-auth": 2}
USAGE = [
    # what was typed, the error, the command whose help is named, what was probably meant
    ("keynote evil", "no such command `evil`", "keynote", "eval"),
    ("keynote eval --polcy x", "no such option `--polcy`", "keynote eval", "--policy"),
    ("keynote why -p", "option `-p` requires an argument", "keynote why", ""),
    ("keynote test", "missing argument `PATH...`", "keynote test", ""),
    (
        "keynote test nowhere.toml",
        "invalid value for `PATH...`: path `nowhere.toml` does not exist",
        "keynote test",
        "",
    ),
    ("keynote-pki isue gateway x", "no such command `isue`", "keynote-pki", "issue"),
    ("keynote-pki issue gatway x", "no such command `gatway`", "keynote-pki issue", "gateway"),
    ("keynote-pki issue gateway x --ipp y", "no such option `--ipp`", "keynote-pki issue gateway", "--ip"),
    ("keynote-pki init ca", "missing option `--name`", "keynote-pki init", ""),
    (
        "keynote-pki issue gateway x --days soon",
        "invalid value for `--days`: `soon` is not a valid integer range",
        "keynote-pki issue gateway",
        "",
    ),
    ("ike-auth chek", "no such command `chek`", "ike-auth", "check"),
    ("ike-auth check --polcy x", "no such option `--polcy`", "ike-auth check", "--policy"),
    ("ike-auth check one", "got unexpected extra argument (one)", "ike-auth check", ""),
    (
        "ike-auth run --port 5600 --nat-port 5600",
        "--port and --nat-port are both 5600; ESP in UDP needs a port of its own",
        "ike-auth run",
        "",
    ),
]


def run(
    *words: str, stdout: int = subprocess.PIPE, stderr: int = subprocess.PIPE
) -> subprocess.CompletedProcess[str]:
    command = [str(HERE / words[0]), *words[1:]]
    return subprocess.run(command, stdout=stdout, stderr=stderr, text=True, check=False, timeout=60)


@pytest.mark.parametrize(("line", "error", "command", "meant"), USAGE, ids=[line for line, *_ in USAGE])
def test_wrong_usage(line: str, error: str, command: str, meant: str) -> None:
    program, *_ = words = line.split()
    hint = f"did you mean `{meant}`? ({command} --help)" if meant else f"{command} --help"
    done = run(*words)
    assert (done.returncode, done.stdout) == (STATUS[program], "")
    assert done.stderr.splitlines() == [f"{program}: error: {error}", f"{program}: hint: {hint}"]

    asked_for_json = run(*words[:2], "--json", *words[2:]) if words[1:2] != ["issue"] else run(*words, "--json")
    assert (asked_for_json.returncode, asked_for_json.stderr) == (done.returncode, done.stderr)
    assert json.loads(asked_for_json.stdout) == {"errors": [{"message": error, "where": None, "hint": hint}]}


@pytest.mark.parametrize(
    ("line", "errors"),
    [
        (
            "keynote eval -p broken.kn -k x",
            [
                ("unknown operator `=`", ("broken.kn", 2, 15), "string comparison is `==`"),
                ("a string compared with an integer", ("broken.kn", 2, 22), "`@name` is a string's integer value"),
            ],
        ),
        ("keynote why -p none.kn -k x", [("No such file or directory", ("none.kn", None, None), "")]),
        ("keynote eval -k x", [("no policy", None, "give one or more with -p")]),
        ("keynote eval -p empty -k x -a b", [("`b` is no attribute", None, "write `name=value`")]),
        ("keynote eval -p empty", [("nobody requests the action", None, "give one or more with -k")]),
        ("keynote eval -p empty -k x --action lines", [("no attribute", ("lines", 1, None), "write `name=value`")]),
        ("keynote test bad.toml", [("queries are written `[[query]]`", ("bad.toml", None, None), "")]),
        (
            "keynote-pki list --dir nowhere",
            [
                (
                    "`nowhere` holds no authority",
                    None,
                    "name its directory with --dir, or make one: keynote-pki init DIR",
                )
            ],
        ),
        ("keynote-pki init ca --name /CN", [("`CN` is not an attribute of a distinguished name", None, "")]),
        (
            "ike-auth run -c bad.conf --policy broken.kn",
            [
                (
                    "syntax error: neither `[section]` nor `tag= value` nor a comment",
                    ("bad.conf", 2, None),
                    "",
                ),
            ],
        ),
        ("ike-auth check -c none.conf", [("cannot read `none.conf`: no such file or directory", None, "")]),
    ],
)
def test_errors_as_json(
    line: str,
    errors: list[tuple[str, tuple[str, int | None, int | None] | None, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, text in (
        ("broken.kn", 'Authorizer: "POLICY"\nConditions: a = b; c < 1;\n'),
        ("empty", ""),
        ("lines", "nothing\n"),
        ("bad.toml", "query = 5\n"),
        ("bad.conf", "[General]\nnothing\n"),
    ):
        Path(name).write_text(text)
    people, programs = run(*line.split()), run(*line.split(), "--json")
    assert people.returncode == programs.returncode == 1
    assert people.stdout == ""
    assert people.stderr == programs.stderr
    found = json.loads(programs.stdout)["errors"]
    assert len(found) == len(errors)
    program = line.split()[0]
    for error, (message, place, hint) in zip(found, errors, strict=True):
        where = place and dict(zip(("file", "line", "column"), place, strict=True))
        assert error["message"].startswith(message)
        assert error["where"] == where
        assert error["hint"] == hint or not hint
        shown = "".join(f"{part}:" for part in place if part is not None) + " " if place else ""
        assert f"{program}: error: {shown}{error['message']}\n" in people.stderr
        assert not error["hint"] or f"{program}: hint: {error['hint']}\n" in people.stderr


def test_without_json_nothing_is_on_stdout_and_its_word_as_a_value_is_no_option(tmp_path: Path) -> None:
    done = run("keynote", "eval", "-p", str(tmp_path / "none.kn"), "-k", "--json")
    assert (done.returncode, done.stdout) == (1, "")


def test_what_comes_after_the_options_is_none() -> None:
    done = run("keynote", "eval", "--polcy", "x", "--", "--json")
    assert (done.returncode, done.stdout) == (1, "")


@pytest.mark.parametrize("line", ["keynote", "keynote-pki", "keynote-pki issue", "ike-auth"])
def test_no_command_shows_help(line: str) -> None:
    done = run(*line.split())
    assert (done.returncode, done.stdout) == (STATUS[line.split()[0]], "")
    assert done.stderr.startswith(f"Usage: {line} [OPTIONS] COMMAND")


@pytest.mark.parametrize("program", STATUS)
def test_nowhere_to_write_to(program: str) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        output = run(program, "--version", stdout=full)
        errors = run(program, "frobnicate", stderr=full)
        both = run(program, "frobnicate", "--json", stdout=full, stderr=full)
    finally:
        os.close(full)
    assert output.returncode == 1
    assert output.stderr.startswith(f"{program}: error: cannot write: No space left on device\n")
    assert (errors.returncode, errors.stdout) == (STATUS[program], "")
    assert both.returncode == STATUS[program]


@pytest.mark.parametrize("program", STATUS)
def test_what_is_typed_does_not_reach_the_terminal_as_it_is(program: str) -> None:
    done = run(program, "\x1b[31m\nkeynote: error: spoofed", "--json")
    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.replace("\n", "").isprintable()


# --- the common part by itself


@click.group()
def commands() -> None:
    """Of the tests."""


@commands.command()
@json_option()
@click.argument("how")
def fail(as_json: bool, how: str) -> int | None:
    match how:
        case "twice":
            raise Failed([Complaint("one", Place("f", 3)), Complaint("two", hint="do three")])
        case "file":
            raise PermissionError(13, "Permission denied", "secret.txt")
        case "bug":
            raise ZeroDivisionError
        case "status":
            return 7
        case "interrupt":
            raise KeyboardInterrupt
    return None


def ended(*arguments: str) -> int:
    with pytest.raises(SystemExit) as exit:
        Program("prog", commands).run(arguments)
    assert isinstance(exit.value.code, int)
    return exit.value.code


def test_a_command_that_fails_with_several_errors(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("fail", "--json", "twice") == 1
    out, err = capsys.readouterr()
    assert err == "prog: error: f:3: one\nprog: error: two\nprog: hint: do three\n"
    assert json.loads(out)["errors"] == [
        {"message": "one", "where": {"file": "f", "line": 3, "column": None}, "hint": ""},
        {"message": "two", "where": None, "hint": "do three"},
    ]


def test_a_file_that_cannot_be_read_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended("fail", "file") == 1
    assert capsys.readouterr() == ("", "prog: error: secret.txt: Permission denied\n")


def test_statuses(capsys: pytest.CaptureFixture[str]) -> None:
    assert [ended("fail", how) for how in ("status", "nothing", "interrupt")] == [7, 0, 130]
    with pytest.raises(ZeroDivisionError):
        Program("prog", commands).run(["fail", "bug"])
    capsys.readouterr()


def test_json_in_a_terminal_that_has_no_unicode(tmp_path: Path) -> None:
    (tmp_path / "é.kn").write_text("nothing\n")
    environment = {"PYTHONIOENCODING": "ascii", "PATH": "/usr/bin:/bin"}
    command = [str(HERE / "keynote"), "eval", "-p", str(tmp_path / "é.kn"), "-k", "x", "--json"]
    done = subprocess.run(command, capture_output=True, check=False, env=environment)
    assert json.loads(done.stdout.decode("ascii"))["errors"][0]["where"]["file"].endswith("é.kn")
