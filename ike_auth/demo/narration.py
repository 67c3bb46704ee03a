# SPDX-License-Identifier: ISC
"""What the demo prints: headings, prose, commands, what came out of them, and what follows."""

import shlex
import sys
from collections.abc import Iterable, Sequence
from io import TextIOWrapper
from pathlib import Path
from textwrap import TextWrapper, dedent

from rich.console import Console
from rich.text import Text

_WIDTH = 96
_SOURCE = 9  # columns for who speaks


class Narrator:
    """Prints to stdout; in colour, and no wider than it, if that is a terminal."""

    def __init__(self) -> None:
        if isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(errors="replace")  # a terminal that knows no `✓` is no reason to fail
        self._console = Console(highlight=False, markup=False, emoji=False, soft_wrap=True)
        self._in_log = False  # the last line was of a log
        self._width = min(self._console.width, _WIDTH) if self._console.is_terminal else _WIDTH

    def heading(self, text: str) -> None:
        self._line()
        self._line(f"━━ {text} ".ljust(self._width, "━"), "bold")

    def subheading(self, text: str) -> None:
        self._line()
        self._line(text, "bold")

    def say(self, text: str) -> None:
        """Prose: paragraphs are parted by empty lines."""
        for paragraph in dedent(text).strip().split("\n\n"):
            self._line()
            self._line(self._wrapped(" ".join(paragraph.split())))

    def command(self, arguments: Sequence[str], rest: str = "") -> None:
        """A command line that can be typed as it stands; `rest` is its end, in the shell's syntax."""
        self._line()
        self._line(shell_lines(arguments, rest, self._width - 4), "cyan")

    def output(self, text: str, shown: int | None = None) -> None:
        """What the last command printed; of more than `shown` lines those, and a sign that there were more."""
        found = text.splitlines()
        more = ["…"] if shown and len(found) > shown else []
        for line in [*found[:shown], *more]:
            self._quote("", line)

    def table(self, lines: Iterable[str]) -> None:
        self._line()
        for line in lines:
            self._quote("", line)

    def log(self, speaker: str, *events: str) -> None:
        """Lines of a daemon's log."""
        if not self._in_log:
            self._line()
        for event in events:
            self._quote(speaker, event)
        self._in_log = True

    def verdict(self, text: str) -> None:
        """What has been shown."""
        self._line()
        self._line(self._wrapped("✓ " + " ".join(text.split()), following="  "), "green")

    def failure(self, text: str) -> None:
        self._line()
        self._line(self._wrapped("✗ " + " ".join(text.split()), following="  "), "bold red")

    def _quote(self, speaker: str, text: str) -> None:
        margin = f"{speaker:>{_SOURCE}} │ " if speaker else "    │ "
        if self._console.is_terminal:
            text = self._wrapped(text, margin, f"{'│':>{len(margin) - 1}} ")
        else:
            text = margin + text  # whole, to be searched
        self._line(text, "" if speaker else "dim")

    def _wrapped(self, text: str, first: str = "", following: str = "") -> str:
        wrapper = TextWrapper(
            self._width,
            initial_indent=first,
            subsequent_indent=following,
            break_long_words=False,
            break_on_hyphens=False,
            drop_whitespace=True,
            replace_whitespace=False,
        )
        # A tree of reasons is indented: its lines keep that where they go on.
        indent = " " * (len(text) - len(text.lstrip()))
        wrapper.initial_indent += indent
        wrapper.subsequent_indent += indent
        return "\n".join(wrapper.wrap(text.strip())) or first.rstrip()

    def _line(self, text: str = "", style: str = "") -> None:
        self._in_log = False
        self._console.print(Text(text, style))


def shell_lines(arguments: Sequence[str], rest: str, width: int) -> str:
    """A command line, broken before options where it is too long; `rest` is in the shell's syntax already."""
    pieces: list[str] = []
    for argument in arguments:
        word = shlex.quote(argument)
        if pieces and (pieces[-1].startswith("-") and " " not in pieces[-1]) and not word.startswith("-"):
            pieces[-1] += f" {word}"  # an option and its value stay together
        else:
            pieces.append(word)
    if rest:
        pieces.append(rest)
    lines = ["  $"]
    for piece in pieces:
        if len(lines[-1]) + 1 + len(piece) > width and len(lines[-1]) > 4:
            lines.append("     ")
        lines[-1] += f" {piece}"
    return " \\\n".join(lines)


def shown(path: Path) -> str:
    """A path as a user would type it from here."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path)
