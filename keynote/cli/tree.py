# SPDX-License-Identifier: ISC
"""Trees on a terminal, in colour, and everywhere else as indented text."""

import sys
from collections.abc import Sequence

import click

from keynote.survey import Line

_STYLES = {True: "green", False: "red", None: ""}
_MARKS = {True: "+ ", False: "- ", None: "  "}


def print_tree(lines: Sequence[Line]) -> None:
    if not sys.stdout.isatty():
        for line in lines:
            click.echo(f"{'  ' * line.depth}{_MARKS[line.good]}{line.text}")
        return
    from rich.console import Console  # half of what this command loads, and seldom needed
    from rich.text import Text
    from rich.tree import Tree

    roots: list[Tree] = []
    branches: list[Tree] = []  # from a root down to the line before
    for line in lines:
        label = Text(line.text, _STYLES[line.good])
        del branches[line.depth :]
        branches.append(branches[-1].add(label) if branches else Tree(label))
        if len(branches) == 1:
            roots.append(branches[0])
    console = Console(highlight=False)
    for root in roots:
        console.print(root)
