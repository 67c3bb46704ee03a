# SPDX-License-Identifier: ISC
"""A bar on standard error, on a terminal only, once something has taken longer than people like to wait."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

T = TypeVar("T")

PATIENCE: Final = timedelta(seconds=1)


def tracked(items: Iterable[T], total: int | None, what: str, patience: timedelta = PATIENCE) -> Iterator[T]:
    """The items; meanwhile a bar tells how many of them have been taken. `what` says what they are, and `total` how
    many, if that is known."""
    if not sys.stderr.isatty():
        yield from items
        return
    begun = datetime.now(UTC)
    remaining = iter(items)
    for number, item in enumerate(remaining):
        yield item
        if datetime.now(UTC) - begun >= patience:
            yield from _with_bar(remaining, number + 1, total, what)


def _with_bar(items: Iterable[T], start: int, total: int | None, what: str) -> Iterator[T]:
    from rich.console import Console  # slow to load, and seldom needed
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total, completed=start)
        for item in items:
            yield item
            progress.advance(task)
