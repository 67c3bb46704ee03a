# SPDX-License-Identifier: ISC
"""The group of commands, and how it ends."""

from collections.abc import Sequence
from typing import Final, NoReturn

import click

from keynote.cli import completion
from keynote.cli.program import Program
from pki.cli import (
    audit,
    backup,
    certpatch,
    crl,
    delegate,
    delegations,
    export,
    follow,
    init,
    issue,
    lint,
    listing,
    migrate,
    ocsp,
    restore,
    revoke,
    rollover,
    serve,
    show,
)
from pki.cli.common import complaints

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}

UNSAID: Final = "what was to be made may be there: `keynote-pki list` tells"


@click.group(context_settings=_CONTEXT)
@click.version_option(package_name="keynote-ike", prog_name="keynote-pki")
def cli() -> None:
    """A certification authority for IPsec: issues what IKE peers accept, and remembers it.

    \b
    Start here:
      keynote-pki init ca --name "Example VPN CA"
      keynote-pki issue gateway gw.example.org --dir ca
      keynote-pki export gw.example.org --for isakmpd /tmp/gw --dir ca
    """


_COMMANDS: Final = (
    audit.command,
    backup.command,
    certpatch.command,
    completion.command("keynote-pki"),
    crl.command,
    delegate.command,
    delegations.command,
    export.command,
    init.command,
    issue.command,
    lint.command,
    listing.command,
    migrate.command,
    ocsp.command,
    follow.rekey,
    follow.renew,
    restore.command,
    revoke.command,
    rollover.command,
    serve.command,
    show.command,
    follow.supersede,
)
for command in _COMMANDS:
    cli.add_command(command)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run, and exit: 0 done, 1 refused or failed, 2 wrong usage."""
    Program("keynote-pki", cli, complaints, unsaid=UNSAID).run(arguments)
