# SPDX-License-Identifier: ISC
"""`keynote eval` and `why`: ask, and say why."""

from typing import Any, Final

import click

from keynote import report
from keynote.cli.inputs import decide, query_options
from keynote.cli.program import print_json, settled
from keynote.cli.tree import print_tree
from keynote.explanation import Decision
from keynote.redaction import shown

ALLOWED: Final = 0
DENIED: Final = 2
MAY_BE: Final = 3


@click.command("eval")
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


@click.command()
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
