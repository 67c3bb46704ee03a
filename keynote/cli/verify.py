# SPDX-License-Identifier: ISC
"""`keynote verify`: keynote(1)'s query, whose options, files and output this has. `keynote eval` says more."""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from keynote import report
from keynote.assertions import Assertion
from keynote.cli.inputs import (
    FILE,
    InputError,
    action_file,
    compliance_values,
    policy_text,
    principals_file,
    read_assertions,
    refuse_private,
    text_of,
)
from keynote.cli.program import json_option, print_json, tell
from keynote.complaints import Complaint, Place
from keynote.errors import PolicyError
from keynote.files import SetAside, parse_credentials, parse_policy
from keynote.limits import Limits
from keynote.principals import UndecodableKey, canonical
from keynote.redaction import shown
from keynote.session import Session


@click.command()
@click.option("-r", "values", multiple=True, metavar="LOW,...,HIGH", help="Compliance values, lowest first.")
@click.option("-e", "action_files", multiple=True, type=FILE, help='File of attributes, `name = "value"` a line.')
@click.option("-l", "policies", multiple=True, type=FILE, help="File of trusted assertions.")
@click.option("-k", "keys", multiple=True, type=FILE, help="File with the quoted key of a requester.")
@click.argument("credentials", nargs=-1, type=FILE, metavar="[CREDENTIAL-FILE]...")
@json_option()
def verify(
    values: Sequence[str],
    action_files: Sequence[Path],
    policies: Sequence[Path],
    keys: Sequence[Path],
    credentials: Sequence[Path],
    as_json: bool,
) -> None:
    """Ask for the compliance value of an action, as keynote(1) does.

    Needs one -r, and -e, -l and -k at least once each. Signatures over MD5 and SHA-1 are accepted. A file of trusted
    assertions that is not usable as a whole is left out, and so is each credential that is not; a warning tells. The
    exit status is 0 whatever the value is, and 1 for every error: `keynote eval` has one that scripts can use.

    \b
    Example:
      keynote verify -r false,true -e action.txt -l policy.kn -k alice.pub credential.kn
    """
    _check_options(values, action_files, policies, keys)
    trusted, set_aside = _trusted(policies)
    untrusted: list[Assertion] = []
    for path in credentials:
        usable, refused = parse_credentials(read_assertions(path), name=str(path))
        untrusted += usable
        set_aside += refused
    action: dict[str, str] = {}
    for path in action_files:
        action |= action_file(text_of(path), str(path), last_counts=True)  # as in keynote(1)
    requesters = [key for path in keys for key in _keys(path)]
    session = Session(trusted, untrusted, set_aside=set_aside, limits=Limits(legacy_signatures=True))
    decision = session.query(action, requesters, compliance_values(values[0], "-r"))
    if as_json:
        print_json(report.decision_data(decision))
    else:
        click.echo(f"Query result = {shown(decision.value)}")
    tell("keynote", "warning", (Complaint(f"left out: {item.reason}", _place(item)) for item in decision.set_aside))


def _keys(path: Path) -> list[str]:
    """The principals of a file, and a warning for each that nobody can be; as with keynote(1), the others count."""
    found = principals_file(text_of(path), str(path))
    for key in found:
        refuse_private(key, Place(str(path)))
        try:
            canonical(key)
        except UndecodableKey as error:
            tell("keynote", "warning", [Complaint(f"left out: {error}", Place(str(path)))])
    return found


def _check_options(
    values: Sequence[str], action_files: Sequence[Path], policies: Sequence[Path], keys: Sequence[Path]
) -> None:
    given = {
        "-r": (values, "the compliance values"),
        "-e": (action_files, "the action's attributes"),
        "-l": (policies, "a trusted assertion"),
        "-k": (keys, "who requests the action"),
    }
    missing = [f"{option} ({what})" for option, (found, what) in given.items() if not found]
    if missing:
        raise InputError(f"missing {', '.join(missing)}", hint="keynote verify --help")
    if len(values) > 1:
        raise InputError("-r is given twice")


def _trusted(paths: Sequence[Path]) -> tuple[list[Assertion], list[SetAside]]:
    """The assertions of the files that are usable as a whole, and what is wrong with the others."""
    trusted: list[Assertion] = []
    set_aside: list[SetAside] = []
    for path in paths:
        try:
            trusted += parse_policy(_one_assertion(policy_text(path), path), name=str(path))
        except PolicyError as error:
            set_aside.append(SetAside(error.problems[0].where, error.problems[0].message))
    return trusted, set_aside


_AUTHORIZER: Final = re.compile(r"^authorizer:", re.IGNORECASE | re.MULTILINE)
_BLANK_LINE: Final = re.compile(r"(?<=\n)(?=\n)")


def _one_assertion(text: str, path: Path) -> str:
    """The text of a file that holds one assertion, with a comment on each blank line within it.

    keynote(1) has one assertion a file, and ends it at a blank line: what follows does not count there, even if it is
    a Conditions field. Here it does.
    """
    body = text.strip("\n")
    if len(_AUTHORIZER.findall(text)) != 1 or "\n\n" not in body:
        return text
    start = text.index(body)
    line = text.count("\n", 0, text.index("\n\n", start)) + 2
    hint = "keynote(1) leaves out what follows; here it counts"
    tell("keynote", "warning", [Complaint("a blank line within an assertion", Place(str(path), line), hint)])
    return text[:start] + _BLANK_LINE.sub("#", body) + text[start + len(body) :]


def _place(item: SetAside) -> Place:
    return Place(item.where.file, item.where.line, item.where.column)
