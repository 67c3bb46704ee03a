# SPDX-License-Identifier: ISC
"""`ike-auth`: run the daemon, check its configuration, show what it is for."""

import json
import os
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from io import TextIOWrapper
from pathlib import Path

import click

from ike_auth import assembly, cli_control, cli_manual
from ike_auth.assembly import Assembly
from ike_auth.config.general import KERNELS

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


def main(arguments: Sequence[str] | None = None) -> None:
    """Run, and exit: 0 done, 1 refused or failed, 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # reasons have arrows, and not every terminal does
    try:
        status = cli.main(arguments, prog_name="ike-auth", standalone_mode=False)
        sys.stdout.flush()
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        status = 2
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx is not None else "ike-auth"
        _complain(error.format_message(), f"{path} --help")
        status = 2
    except click.ClickException as error:
        _complain(error.format_message())
        status = 1
    except (click.Abort, KeyboardInterrupt):
        status = 130
    except BrokenPipeError:
        status = 1
        _discard_stdout()  # whoever read our output has enough
    except OSError as error:
        _complain(f"cannot write: {error.strerror}")
        status = 1
        _discard_stdout()
    sys.exit(status if isinstance(status, int) else 0)


def _complain(message: str, hint: str = "") -> None:
    click.echo(f"ike-auth: error: {message}", err=True)
    if hint:
        click.echo(f"ike-auth: hint: {hint}", err=True)


def _discard_stdout() -> None:
    """Lest the interpreter's last flush fails again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keynote-ike", prog_name="ike-auth")
def cli() -> None:
    """An IKE daemon that asks policy twice: who is this, and may it have this tunnel.

    \b
    Try:  ike-auth demo
    """


@cli.command()
@_config
@_policy
@click.option("--port", type=click.IntRange(1, 65535), default=500, show_default=True, help="IKE, ours and of peers.")
@click.option("--nat-port", type=click.IntRange(1, 65535), default=4500, show_default=True, help="IKE behind NAT.")
@click.option("--user", metavar="NAME", help="Become this user once the ports are open.")
@click.option(
    "--kernel",
    type=click.Choice(KERNELS),
    help="Who protects packets: `userspace`, or `none`. Without it, `Kernel` in [General].",
)
@click.option("--control", metavar="PATH", help="The control socket, for `ike-auth status` and others.")
@click.option("--rootless", is_flag=True, help="Run COMMAND in a namespace that has the tunnels, and nothing else.")
@click.option("--no-kernel", is_flag=True, help="The same as --kernel none: negotiate, and protect nothing.")
@click.option("--json", "as_json", is_flag=True, help="Log one JSON object a line.")
@click.option("-v", "--verbose", is_flag=True, help="Log dropped messages too.")
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def run(
    config: str,
    policy: str | None,
    port: int,
    nat_port: int,
    user: str | None,
    kernel: str | None,
    control: str | None,
    rootless: bool,
    no_kernel: bool,
    as_json: bool,
    verbose: bool,
    command: tuple[str, ...],
) -> None:
    """Run the daemon in the foreground until SIGTERM or SIGINT; with --rootless, until COMMAND has ended.

    SIGHUP makes it read its files again.

    \b
    Example:
      ike-auth run -c isakmpd.conf --policy policy.kn
      ike-auth run -c isakmpd.conf --port 5500 --nat-port 5501 --rootless -- ping 10.2.0.1
    """
    if rootless != bool(command):
        raise click.UsageError("--rootless goes with a command: `--rootless -- COMMAND`")
    if rootless and (kernel or no_kernel or user):
        raise click.UsageError("--rootless is a kernel backend and a user of its own")
    if port == nat_port:
        raise click.UsageError(f"--port and --nat-port are both {port}; ESP in UDP needs a port of its own")
    from ike_auth.daemon import start

    loaded = _load(config, policy, port)
    kernel = "none" if no_kernel else kernel
    options = start.Options(
        port, nat_port, user, kernel, command, None if control is None else Path(control), as_json, verbose
    )
    try:
        status = start.run(loaded, options, lambda: _assembled(config, policy, port))
    except start.CannotStart as error:
        raise click.ClickException(str(error)) from None
    sys.exit(status)


@cli.command()
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


@cli.command()
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
        return _assembled(config, policy, port)
    except assembly.Unusable as unusable:
        for warning in unusable.warnings:
            click.echo(f"ike-auth: warning: {warning}", err=True)
        for error in unusable.errors[:-1]:
            click.echo(f"ike-auth: error: {error}", err=True)
        raise click.ClickException(unusable.errors[-1]) from None


def _assembled(config: str, policy: str | None, port: int) -> Assembly:
    return assembly.load(Path(config), None if policy is None else Path(policy), datetime.now(UTC), port)


cli_control.register(cli)
cli_manual.register(cli)
