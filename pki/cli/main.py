# SPDX-License-Identifier: ISC
"""The group of commands, and how it ends."""

from collections.abc import Sequence
from typing import Final, NoReturn

import click

from keynote.cli import completion
from keynote.cli.groups import Commands
from keynote.cli.program import Program
from pki.cli.complaints import complaints

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

UNSAID: Final = "what was to be made may be there: `keynote-pki list` tells"

_ELSEWHERE: Final = {
    "audit": "pki.cli.audit:command",
    "backup": "pki.cli.backup:command",
    "certpatch": "pki.cli.certpatch:command",
    "crl": "pki.cli.crl:command",
    "delegate": "pki.cli.delegate:command",
    "delegations": "pki.cli.delegations:command",
    "export": "pki.cli.export:command",
    "init": "pki.cli.init:command",
    "issue": "pki.cli.issue:command",
    "lint": "pki.cli.lint:command",
    "list": "pki.cli.listing:command",
    "migrate": "pki.cli.migrate:command",
    "ocsp": "pki.cli.ocsp:command",
    "rekey": "pki.cli.follow:rekey",
    "renew": "pki.cli.follow:renew",
    "restore": "pki.cli.restore:command",
    "revoke": "pki.cli.revoke:command",
    "rollover": "pki.cli.rollover:command",
    "serve": "pki.cli.serve:command",
    "show": "pki.cli.show:command",
    "supersede": "pki.cli.follow:supersede",
}


@click.group(cls=Commands, elsewhere=_ELSEWHERE, context_settings=_CONTEXT)
@click.version_option(package_name="keynote-ike", prog_name="keynote-pki")
def cli() -> None:
    """A certification authority for IPsec: issues what IKE peers accept, and remembers it.

    \b
    Start here:
      keynote-pki init ca --name "Example VPN CA"
      keynote-pki issue gateway gw.example.org --dir ca
      keynote-pki export gw.example.org --for isakmpd /tmp/gw --dir ca
    """


cli.add_command(completion.command("keynote-pki"))


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run, and exit: 0 done, 1 refused or failed, 2 wrong usage."""
    Program("keynote-pki", cli, complaints, unsaid=UNSAID).run(arguments)
