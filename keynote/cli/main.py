# SPDX-License-Identifier: ISC
"""The commands. Every error, a wrong use of the command line among them, ends with status 1: 2 means denied."""

from collections.abc import Iterable, Sequence
from typing import Any, Final, NoReturn

import click

from keynote import report
from keynote.cli import attributes, completion, diff, fmt, graph, lint, test, who
from keynote.cli.inputs import decide, query_options
from keynote.cli.program import Program, print_json, settled
from keynote.cli.signing import keygen, sign, sigver
from keynote.cli.tree import print_tree
from keynote.cli.verify import verify
from keynote.complaints import BadInput, Complaint
from keynote.errors import KeynoteError, PolicyError, Problem, SignatureError
from keynote.explanation import Decision
from keynote.redaction import shown

ALLOWED: Final = 0
ERROR: Final = 1
DENIED: Final = 2
MAY_BE: Final = 3


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keynote-ike", prog_name="keynote")
def commands() -> None:
    """KeyNote trust management (RFC 2704): evaluate policies, and say why."""


@commands.command("eval")
@query_options
def evaluate(as_json: bool, **question: Any) -> int:
    """Ask whether an action is allowed.

    The first line is the compliance value, or low..high where attributes are unknown. The exit status is 0 if that is
    above the minimum, 2 if not, 3 if it depends on unknown attributes, and 1 for every error.

    \b
    Example:
      keynote eval -p policy.kn -k 'DN:/O=Example/CN=gw' \\
          -a app_domain='IPsec policy' -a esp_present=yes -a esp_enc_alg=aes
    """
    decision = decide(**question)
    status = settled(_status(decision))
    if as_json:
        print_json(report.decision_data(decision))
    else:
        _print_verdict(decision)
        click.echo(decision.because)
        _print_set_aside(decision)
    return status


@commands.command()
@query_options
def why(as_json: bool, **question: Any) -> int:
    """Ask, and show who delegates to whom, which tests held, and which failed with what values.

    Options, first line and exit status are those of `keynote eval`.

    \b
    Example:
      keynote why -p policy.kn -k 'DN:/O=Example/CN=gw' --action proposal.txt
      keynote why -p policy.kn -k 'DN:/O=Example/CN=gw' --unknown '*'
    """
    decision = decide(**question)
    status = settled(_status(decision))
    if as_json:
        lines = [{"depth": line.depth, "text": line.text, "good": line.good} for line in decision.survey]
        print_json({**report.decision_data(decision), "tree": lines})
        return status
    _print_verdict(decision)
    click.echo(decision.because)
    print_tree(decision.survey)
    _print_reasons(decision)
    _print_set_aside(decision)
    return status


_OTHERS: Final = (
    attributes.attributes,
    diff.command,
    fmt.fmt,
    graph.command,
    keygen,
    lint.command,
    sign,
    sigver,
    test.command,
    verify,
    who.command,
)
for command in _OTHERS:
    commands.add_command(command)
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


def _status(decision: Decision) -> int:
    if decision.allowed:
        return ALLOWED
    return MAY_BE if decision.possible else DENIED


def _print_verdict(decision: Decision) -> None:
    click.echo(shown(str(decision)))


def _print_set_aside(decision: Decision) -> None:
    for item in decision.set_aside:
        click.echo(f"set aside: {item}")


def _print_reasons(decision: Decision) -> None:
    """Why the value is not higher, which may be so of what is allowed too."""
    if not decision.reasons:
        return
    click.echo("why not more, nearest first:" if decision.possible else "nearest first:")
    for reason in decision.reasons:
        click.echo(f"  {reason.away}: {reason}" if reason.away else f"  {reason}")
    if decision.more_reasons:
        click.echo(f"  and {decision.more_reasons} assertions more")
