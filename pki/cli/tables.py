# SPDX-License-Identifier: ISC
"""Lines and columns for people, of texts that may be somebody else's: nothing in them that a terminal obeys."""

from collections.abc import Sequence

import click

from keynote.redaction import one_line


def echo_line(text: str, *, err: bool = False) -> None:
    """What a command says. Names have whatever their authority certified, line breaks too."""
    click.echo(one_line(text), err=err)


def echo(rows: Sequence[Sequence[str]]) -> None:
    """Each row is a line, the first the heading."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    click.echo("\n".join(lines))


def echo_facts(facts: Sequence[tuple[str, str]]) -> None:
    """A line for each label and value."""
    for label, value in facts:
        echo_line(f"{label:10}{value}")
