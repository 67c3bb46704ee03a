# SPDX-License-Identifier: ISC
"""The commands. Every error, a wrong use of the command line among them, ends with status 1: 2 means denied."""

from collections.abc import Iterable, Sequence
from typing import Final, NoReturn

import click

from keynote.cli import completion
from keynote.cli.groups import Commands
from keynote.cli.program import Program
from keynote.complaints import BadInput, Complaint
from keynote.errors import KeynoteError, PolicyError, Problem, SignatureError

ERROR: Final = 1

_ELSEWHERE: Final = {
    "attributes": "keynote.cli.attributes:attributes",
    "diff": "keynote.cli.diff:command",
    "eval": "keynote.cli.evaluate:evaluate",
    "fmt": "keynote.cli.fmt:fmt",
    "graph": "keynote.cli.graph:command",
    "keygen": "keynote.cli.signing:keygen",
    "lint": "keynote.cli.lint:command",
    "sign": "keynote.cli.signing:sign",
    "sigver": "keynote.cli.signing:sigver",
    "test": "keynote.cli.test:command",
    "verify": "keynote.cli.verify:verify",
    "who": "keynote.cli.who:command",
    "why": "keynote.cli.evaluate:why",
}


@click.group(cls=Commands, elsewhere=_ELSEWHERE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keynote-ike", prog_name="keynote")
def commands() -> None:
    """KeyNote trust management (RFC 2704): evaluate policies, and say why."""


commands.add_command(completion.command("keynote"))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run the command and exit with its status."""
    Program("keynote", commands, _errors, wrong_usage=ERROR, interrupted=ERROR).run(arguments)


def _errors(error: Exception) -> Iterable[Complaint]:
    match error:
        case PolicyError():
            return map(Complaint.about, error.problems)
        case SignatureError(problem=Problem() as problem):
            return (Complaint.about(problem),)
        case BadInput():
            return (error.complaint,)
        case KeynoteError():
            return (Complaint(str(error)),)
    return ()
