# SPDX-License-Identifier: ISC
"""What our linters' command lines share: which severity makes the exit status, and how findings are counted."""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final, TypeVar

import click

from keynote.severity import Severity

F = TypeVar("F", bound=Callable[..., Any])

NEVER: Final = "never"


def fail_on_options(status: int) -> Callable[[F], F]:
    """The options `--strict` and `--fail-on`, the command's parameters `strict` and `fail_on`."""

    def decorate(command: F) -> F:
        for option in (
            click.option(
                "--fail-on",
                type=click.Choice([*map(str, Severity), NEVER]),
                default=str(Severity.WARNING),
                show_default=True,
                help=f"The least severity that makes the exit status {status}.",
            ),
            click.option("--strict", is_flag=True, help=f"The same as --fail-on {Severity.INFO}."),
        ):
            command = option(command)
        return command

    return decorate


def matters(found: Iterable[Severity], *, strict: bool, fail_on: str) -> bool:
    """Whether what was found makes the exit status."""
    least = str(Severity.INFO) if strict else fail_on
    return least != NEVER and any(severity >= Severity[least.upper()] for severity in found)


def counted(found: Iterable[Severity]) -> str:
    """`3 findings: 1 error, 2 warnings`, or `no findings`."""
    by_severity = Counter(found)
    if not by_severity:
        return "no findings"
    parts = [f"{by_severity[each]} {each}{_plural(each, by_severity[each])}" for each in sorted(by_severity)[::-1]]
    total = by_severity.total()
    return f"{total} finding{'' if total == 1 else 's'}: {', '.join(parts)}"


def _plural(severity: Severity, count: int) -> str:
    return "" if count == 1 or severity is Severity.INFO else "s"
