# SPDX-License-Identifier: ISC
"""`ike-auth`: run the daemon, check its configuration, show what it is for."""

import json
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import IO, Any

import click

from ike_auth import assembly
from ike_auth.assembly import Assembly

CONFIG_FILE = "/etc/isakmpd/isakmpd.conf"
_config = click.option(
    "-c",
    "--config",
    default=CONFIG_FILE,
    show_default=True,
    metavar="FILE",
    help="Configuration, in isakmpd's syntax.",
)
_policy = click.option("--policy", metavar="FILE", help="KeyNote policy; without it, `Policy-file` in [General].")


class _Failure(click.ClickException):
    """Exit status 1."""

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"ike-auth: error: {self.format_message()}", file=file, err=True)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(version("keynote-ike"), prog_name="ike-auth")
def main() -> None:
    """An IKE daemon that asks policy twice: who is this, and may it have this tunnel.

    \b
    Try:  ike-auth demo
    """


@main.command()
@_config
@_policy
@click.option("--port", type=click.IntRange(1, 65535), default=500, show_default=True, help="IKE, ours and of peers.")
@click.option("--nat-port", type=click.IntRange(1, 65535), default=4500, show_default=True, help="IKE behind NAT.")
@click.option("--user", metavar="NAME", help="Become this user once the ports are open.")
@click.option("--no-kernel", is_flag=True, help="Negotiate, and install nothing.")
@click.option("--json", "as_json", is_flag=True, help="Log one JSON object a line.")
@click.option("-v", "--verbose", is_flag=True, help="Log dropped messages too.")
def run(
    config: str,
    policy: str | None,
    port: int,
    nat_port: int,
    user: str | None,
    no_kernel: bool,
    as_json: bool,
    verbose: bool,
) -> None:
    """Run the daemon in the foreground until SIGTERM or SIGINT.

    \b
    Example:
      ike-auth run -c isakmpd.conf --policy policy.kn --port 5500 --nat-port 5501 --no-kernel
    """
    from ike_auth.daemon import start

    loaded = _load(config, policy, port)
    try:
        start.run(loaded, start.Options(port, nat_port, user, no_kernel, as_json, verbose))
    except start.CannotStart as error:
        raise _Failure(str(error)) from None


@main.command()
@_config
@_policy
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
def check(config: str, policy: str | None, as_json: bool) -> None:
    """Check configuration, policy, certificates and strictness, without starting.

    Exit status 0: the daemon would start; 1: it would not.

    \b
    Example:
      ike-auth check -c isakmpd.conf --policy policy.kn
    """
    found = assembly.check(Path(config), None if policy is None else Path(policy), datetime.now(UTC))
    if as_json:
        click.echo(json.dumps({"ok": found.ok, "errors": found.errors, "warnings": found.warnings}, indent=2))
    else:
        for warning in found.warnings:
            click.echo(f"ike-auth: warning: {warning}", err=True)
        for error in found.errors:
            click.echo(f"ike-auth: error: {error}", err=True)
        if found.summary:
            click.echo(found.summary)
    sys.exit(0 if found.ok else 1)


@main.command()
@click.option(
    "--dir",
    "directory",
    metavar="DIR",
    help="Where to write what it uses; kept for reading, and replaced by the next demo.  [default: demo]",
)
def demo(directory: str | None) -> None:
    """Show it: two gateways meet under a KeyNote policy, an impostor with a valid certificate does not.

    No root, no network: real daemons, and UDP on 127.0.0.x at unprivileged ports.

    \b
    Example:
      ike-auth demo --dir /tmp/ike-demo
    """
    from ike_auth.demo import story

    sys.exit(story.tell(None if directory is None else Path(directory)))


def _load(config: str, policy: str | None, port: int) -> Assembly:
    try:
        return assembly.load(Path(config), None if policy is None else Path(policy), datetime.now(UTC), port)
    except assembly.Unusable as unusable:
        for warning in unusable.warnings:
            click.echo(f"ike-auth: warning: {warning}", err=True)
        for error in unusable.errors[:-1]:
            click.echo(f"ike-auth: error: {error}", err=True)
        raise _Failure(unusable.errors[-1]) from None
