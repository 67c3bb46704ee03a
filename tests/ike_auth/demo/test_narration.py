# SPDX-License-Identifier: ISC
"""Command lines that can be typed, and prose that keeps to its width."""

import shlex

import pytest

from ike_auth.demo.narration import Narrator, shell_lines

LONG = [
    "keynote",
    "eval",
    "-p",
    "a policy.kn",
    "-p",
    "certificates.kn",
    "-k",
    "DN:/CN=gw-a",
    "--values",
    "false,true",
]


@pytest.mark.parametrize("width", [20, 40, 60, 200])
def test_broken_command_line_is_the_same_command(width: int) -> None:
    lines = shell_lines(LONG, "", width)
    assert shlex.split(lines.replace("\\\n", "").removeprefix("  $")) == LONG


def test_options_keep_their_values() -> None:
    lines = [line.strip(" \\") for line in shell_lines(LONG, "2> 'my log' &", 30).splitlines()]
    assert lines == [
        "$ keynote eval",
        "-p 'a policy.kn'",
        "-p certificates.kn",
        "-k DN:/CN=gw-a",
        "--values false,true",
        "2> 'my log' &",
    ]


def test_flags_take_no_value() -> None:
    assert shell_lines(["ike-auth", "run", "--no-kernel", "--json"], "", 26).splitlines() == [
        "  $ ike-auth run \\",
        "      --no-kernel --json",
    ]


def test_prose_is_filled_and_paragraphs_are_parted(capsys: pytest.CaptureFixture[str]) -> None:
    narrator = Narrator()
    narrator.say("""
        One two
        three.

        Four [bold]five[/bold].
    """)
    assert capsys.readouterr().out == "\nOne two three.\n\nFour [bold]five[/bold].\n"


def test_output_is_shortened_and_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    narrator = Narrator()
    narrator.output("one\n  two\nthree\n", 2)
    narrator.output("four\nfive\n", 2)
    narrator.output("six\n", 0)
    assert capsys.readouterr().out == "".join(f"    │ {line}\n" for line in ("one", "  two", "…", "four", "five"))


def test_lines_of_a_log_stand_together_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    narrator = Narrator()
    narrator.log("gw-a", "up " * 60)
    narrator.log("gw-b", "up")
    assert capsys.readouterr().out == f"\n     gw-a │ {'up ' * 60}\n     gw-b │ up\n"
