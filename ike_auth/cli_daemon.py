# SPDX-License-Identifier: ISC
"""`ike-auth run` and `check`: the daemon, and what it would start with; and `ike-auth demo`."""

import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from ike_auth import assembly
from ike_auth.assembly import Assembly
from ike_auth.config.general import KERNELS
from keynote.cli.program import Failed, json_option, print_json, tell
from keynote.complaints import Complaint

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


@click.command()
@_config
@_policy
@click.option("--port", type=click.IntRange(1, 65535), default=500, show_default=True, help="IKE, ours and of peers.")
@click.option("--nat-port", type=click.IntRange(1, 65535), default=4500, show_default=True, help="IKE behind NAT.")
@click.option(
    "--user", metavar="NAME", help="Become this user once the ports are open; it reads the files at a reload."
)
@click.option(
    "--kernel",
    type=click.Choice(KERNELS),
    help="Who protects packets. Without it, `Kernel` in [General].",
)
@click.option("--control", metavar="PATH", help="The control socket, for `ike-auth status` and others.")
@click.option("--rootless", is_flag=True, help="Run COMMAND in a namespace that has the tunnels, and nothing else.")
@click.option("--no-kernel", is_flag=True, help="The same as --kernel none: negotiate, and protect nothing.")
@json_option("Log one JSON object a line.")
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
    if no_kernel and kernel not in (None, "none"):
        raise click.UsageError(f"--no-kernel is --kernel none, and there is --kernel {kernel} too: give one of them")
    if port == nat_port:
        raise click.UsageError(f"--port and --nat-port are both {port}; ESP in UDP needs a port of its own")
    from ike_auth.daemon import start

    loaded = _load(config, policy, port)
    kernel = "none" if no_kernel else kernel
    options = start.Options(
        port,
        nat_port,
        user,
        kernel,
        command,
        None if control is None else Path(control),
        as_json,
        verbose,
        Path(config),
    )
    try:
        status = start.run(loaded, options, lambda: _assembled(config, policy, port))
    except start.CannotStart as error:
        raise Failed([Complaint(str(error))], error.status) from None
    sys.exit(status)


@click.command()
@_config
@_policy
@json_option("Print one JSON object.")
def check(config: str, policy: str | None, as_json: bool) -> int:
    """Check configuration, policy, certificates and strictness, without starting.

    Exit status 0: the daemon would start; 1: it would not.

    \b
    Example:
      ike-auth check -c isakmpd.conf --policy policy.kn
    """
    found = assembly.check(Path(config), None if policy is None else Path(policy), datetime.now(UTC))
    tell("ike-auth", "warning", found.warnings)
    tell("ike-auth", "error", found.errors)
    if as_json:
        errors, warnings = ([it.data() for it in complaints] for complaints in (found.errors, found.warnings))
        delegations = {} if found.delegations is None else {"delegations": dict(found.delegations)}
        print_json({"ok": found.ok, "errors": errors, "warnings": warnings, **delegations})
    elif found.summary:
        click.echo(found.summary)
    return 0 if found.ok else 1


@click.command()
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
        tell("ike-auth", "warning", unusable.warnings)
        raise Failed(unusable.errors) from None


def _assembled(config: str, policy: str | None, port: int) -> Assembly:
    return assembly.load(Path(config), None if policy is None else Path(policy), datetime.now(UTC), port)
