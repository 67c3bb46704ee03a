# SPDX-License-Identifier: ISC
"""`ike-auth`: run the daemon, check its configuration, show what it is for."""

from collections.abc import Sequence
from typing import Final, NoReturn

import click

from keynote.cli import completion
from keynote.cli.groups import Commands
from keynote.cli.program import Program

_ELSEWHERE: Final = {
    "check": "ike_auth.cli_daemon:check",
    "demo": "ike_auth.cli_daemon:demo",
    "down": "ike_auth.cli_control:down",
    "ipsecadm": "ike_auth.cli_manual:ipsecadm_command",
    "reload": "ike_auth.cli_control:reload",
    "run": "ike_auth.cli_daemon:run",
    "setkey": "ike_auth.cli_manual:setkey",
    "status": "ike_auth.cli_control:status",
    "up": "ike_auth.cli_control:up",
}


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Run, and exit: 0 done, 1 refused or failed, 2 wrong usage."""
    Program("ike-auth", cli).run(arguments)


@click.group(cls=Commands, elsewhere=_ELSEWHERE, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keynote-ike", prog_name="ike-auth")
def cli() -> None:
    """An IKE daemon that asks policy twice: who is this, and may it have this tunnel.

    \b
    Try:  ike-auth demo
    """


cli.add_command(completion.command("ike-auth"))
