# SPDX-License-Identifier: ISC
"""Columns for people, of texts that may be somebody else's."""

from collections.abc import Sequence

import click

from keynote.redaction import one_line


def echo(rows: Sequence[Sequence[str]]) -> None:
    """Each row is a line, the first the heading; nothing in it that a terminal obeys."""
    cells = [[one_line(cell) for cell in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells)
    click.echo("\n".join(lines))


def echo_facts(facts: Sequence[tuple[str, str]]) -> None:
    """A line for each label and value."""
    for label, value in facts:
        click.echo(f"{label:10}{one_line(value)}")
