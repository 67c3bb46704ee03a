# SPDX-License-Identifier: ISC
"""`keynote who`: who could get in, and what remains to be met."""

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from keynote import report
from keynote.cli.inputs import (
    FILE,
    NAME_POLICIES,
    InputError,
    action_of,
    action_options,
    compliance_values,
    latin_1,
    legacy_option,
    policy_option,
    session_of,
)
from keynote.cli.program import json_option, print_json, settled
from keynote.files import SetAside
from keynote.limits import Limits
from keynote.redaction import quoted, shown
from keynote.who import Candidate, Candidates, Way, who

SOMEBODY: Final = 0
NOBODY: Final = 2


@click.command("who")
@click.argument("files", nargs=-1, type=FILE, metavar="[POLICY]...")
@policy_option()
@click.option("-c", "--credential", "credentials", multiple=True, type=FILE, help="File of credentials.")
@legacy_option()
@action_options
@click.option("--at-least", metavar="VALUE", help="The value to reach. Without it, any above the lowest.")
@json_option()
def command(
    files: Sequence[Path],
    policies: Sequence[Path],
    credentials: Sequence[Path],
    legacy_signatures: bool,
    attributes: Sequence[str],
    action_files: Sequence[Path],
    values: str,
    at_least: str | None,
    as_json: bool,
) -> int:
    """List the principals that could get in, and under which remaining conditions.

    Attributes that are not given are unknown. A principal that is not listed cannot get in, whatever they are. Where
    several have to request together, they are listed together.

    The exit status is 0 if somebody could get in, 2 if nobody could, and 1 for every error.

    \b
    Example:
      keynote who policy.kn
      keynote who policy.kn -a app_domain='IPsec policy' -a remote_id=berlin.gw.example.org
    """
    if not files and not policies:
        raise InputError("no policy", hint=NAME_POLICIES)
    scale = compliance_values(values)
    goal = None if at_least is None else latin_1(at_least)
    if goal is not None and goal not in scale[1:]:
        raise InputError(f"--at-least {quoted(goal)} is not one of --values above the lowest")
    session = session_of([*files, *policies], credentials, Limits(legacy_signatures))
    found = who(session, action_of(attributes, action_files), scale, goal)
    status = settled(SOMEBODY if len(found) else NOBODY)
    if as_json:
        print_json(report.candidates_data(found, session.set_aside))
    else:
        _print(found, session.set_aside)
    return status


def _print(found: Candidates, set_aside: Sequence[SetAside]) -> None:
    if not len(found):
        click.echo("nobody")
    elif sys.stdout.isatty():
        _print_table(found)
    else:
        for candidate in found:
            click.echo(f"{_names(candidate)}: {shown(candidate.value)}")
            for number, way in enumerate(candidate.ways):
                click.echo(f"  {'or ' if number else ''}{_conditions(way)}  ({_places(way)})")
            if candidate.more_ways:
                click.echo("  or in other ways")
    if found.cut:
        click.echo("and more combinations than are listed")
    for item in set_aside:
        click.echo(f"set aside: {item}")


def _print_table(found: Candidates) -> None:
    from rich.console import Console  # half of what this command loads
    from rich.table import Table
    from rich.text import Text

    table = Table("who", "value", "if", "by", show_lines=True)
    for candidate in found:
        ways = [_conditions(way, "") for way in candidate.ways] + ["in other ways"] * candidate.more_ways
        table.add_row(
            Text(_names(candidate)),
            Text(shown(candidate.value), "green" if candidate.lowest == candidate.highest else "yellow"),
            Text("\nor ".join(ways)),
            Text("\n".join(map(_places, candidate.ways))),
        )
    Console(highlight=False).print(table)


def _names(candidate: Candidate) -> str:
    return " and ".join(candidate.principals)


def _conditions(way: Way, word: str = "if ") -> str:
    shown = way.shown_conditions
    left_out = [f"… {shown.left_out:,} more conditions …"] if shown.left_out else []
    text = _together([*shown.first, *left_out, *shown.last])
    named = [*way.depends.first, *(["others"] if way.depends.left_out else [])]
    depending = f"depending on whom {_listed(named)} {'name' if len(named) > 1 else 'names'}" if named else ""
    if not text:
        return depending or "without further conditions"
    return f"{word}{text}, {depending}" if depending else f"{word}{text}"


def _together(conditions: list[str]) -> str:
    """As they are written in an assertion, where there is but one of several clauses."""
    clauses = [condition for condition in conditions if condition.startswith("{")]
    test = " && ".join(condition for condition in conditions if not condition.startswith("{"))
    if not clauses:
        return test
    if not test and len(clauses) == 1:
        return clauses[0].removeprefix("{ ").removesuffix(" }")
    return " -> ".join(filter(None, [test, " and also ".join(clauses)]))


def _listed(words: list[str]) -> str:
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _places(way: Way) -> str:
    shown = way.shown_assertions
    left_out = [f"… {shown.left_out:,} more …"] if shown.left_out else []
    places = [[where.brief for where in part] for part in (shown.first, shown.last)]
    return " → ".join([*places[0], *left_out, *places[1]])
