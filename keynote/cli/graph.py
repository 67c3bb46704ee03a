# SPDX-License-Identifier: ISC
"""`keynote graph`: the delegation graph, with an action applied."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import click

from keynote.cli.inputs import (
    FILE,
    NAME_POLICIES,
    InputError,
    action_of,
    compliance_values,
    principals_of,
    query_options,
    session_of,
    unknown_of,
)
from keynote.cli.outputs import refuse_input
from keynote.cli.program import print_json, settled
from keynote.graph import dot, mermaid, page
from keynote.graph.model import Graph, Question, data, graph
from keynote.limits import Limits

DRAWN: Final = 0
DOT: Final = "dot"
MERMAID: Final = "mermaid"
HTML: Final = "html"
_SUFFIXES: Final = {".dot": DOT, ".gv": DOT, ".mmd": MERMAID, ".mermaid": MERMAID, ".html": HTML, ".htm": HTML}


@click.command("graph")
@click.argument("files", nargs=-1, type=FILE, metavar="[POLICY]...")
@query_options
@click.option(
    "--format",
    "format",
    type=click.Choice([DOT, MERMAID, HTML]),
    help="What to write. Without it, by the name of the --output file, or dot.",
)
@click.option("-o", "--output", type=FILE, help="Write to this file instead of standard output.")
def command(
    files: Sequence[Path],
    policies: Sequence[Path],
    credentials: Sequence[Path],
    authorizers: Sequence[str],
    attributes: Sequence[str],
    action_files: Sequence[Path],
    values: str,
    unknown: Sequence[str],
    legacy_signatures: bool,
    as_json: bool,
    format: str | None,
    output: Path | None,
) -> int:
    """Draw who delegates to whom, as DOT, Mermaid or one HTML page.

    With attributes of an action, authority is followed from POLICY: who gets it, where it stops, and at which test.
    With requesters as well, only the ways to them are drawn, and the one that decided is thick. Passphrases are
    hidden, and keys are cut.

    The exit status is 0 if it was drawn, and 1 for every error.

    \b
    Example:
      keynote graph policy.kn | dot -Tsvg > policy.svg
      keynote graph policy.kn -a app_domain='IPsec policy' -a esp_enc_alg=null -o policy.html
      keynote graph policy.kn --format mermaid -k 'DN:/O=Example/CN=gw' --action proposal.txt
    """
    suffix = output.suffix.lower() if output else ""
    if as_json and (format or suffix in _SUFFIXES):
        raise InputError(f"--json and {format or _SUFFIXES[suffix]} at the same time", hint="choose one of the two")
    format = format or _SUFFIXES.get(suffix, DOT)
    if not files and not policies:
        raise InputError("no policy", hint=NAME_POLICIES)
    if output is not None:
        asked = [Path(it[1:]) for it in authorizers if it.startswith("@")]
        refuse_input(output, [*files, *policies, *credentials, *action_files, *asked])
    session = session_of([*files, *policies], credentials, Limits(legacy_signatures))
    question = None
    if authorizers or attributes or action_files or unknown:
        action = action_of(attributes, action_files)
        question = Question(
            action, principals_of(authorizers), compliance_values(values), unknown_of(unknown, action)
        )
    found = graph(session, question, page.MOST_NODES if format == HTML else None)
    if output is not None:
        text = json.dumps(data(found), indent=2) + "\n" if as_json else _text(found, format)
        output.write_text(text, encoding="utf-8")
        return DRAWN
    settled(DRAWN)
    if as_json:
        print_json(data(found))
    else:
        click.echo(_text(found, format), nl=False)
    return DRAWN


def _text(found: Graph, format: str) -> str:
    match format:
        case "mermaid":
            return mermaid.text(found)
        case "html":
            return page.text(found)
    return dot.text(found)
