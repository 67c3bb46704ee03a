# SPDX-License-Identifier: ISC
"""A bar on standard error, on a terminal only, once something has taken longer than people like to wait."""

import sys
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = timedelta(seconds=1)


def tracked(items: Sequence[T], what: str, patience: timedelta = PATIENCE) -> Iterator[T]:
    """The items; meanwhile a bar tells how many have been taken. `what` says what is done with them."""
    if not sys.stderr.isatty():
        yield from items
        return
    begun = datetime.now(UTC)
    for number, item in enumerate(items):
        if datetime.now(UTC) - begun >= patience:
            yield from _with_bar(items, number, what)
            return
        yield item


def _with_bar(items: Sequence[T], start: int, what: str) -> Iterator[T]:
    from rich.console import Console  # slow to load, and seldom needed
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=len(items), completed=start)
        for item in items[start:]:
            yield item
            progress.advance(task)
