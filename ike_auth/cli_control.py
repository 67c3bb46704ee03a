# SPDX-License-Identifier: ISC
"""`ike-auth status`, `up`, `down` and `reload`: a running daemon is asked over its control socket."""

import sys
from pathlib import Path
from typing import Any

import click

from ike_auth.daemon.control import ControlClient, ControlError, default_path
from keynote.cli.program import Failed, json_option, print_json
from keynote.complaints import Complaint

MISSING = 3  # exit status: the daemon runs, and something that should be up is not


_control = click.option("--control", metavar="PATH", help="The daemon's control socket.")
_done_as_json = json_option("One JSON object on stdout: empty, or with `errors`.")


@click.command()
@_control
@json_option("One JSON object on stdout.")
def status(control: str | None, as_json: bool) -> None:
    """Show connections, tunnels and IKE SAs.

    Exit status 0: everything that is to be up is up; 3: something is not; 1: no daemon answers.

    \b
    Example:
      ike-auth status --control /run/ike-auth.sock
    """
    found = _ask(control, "status")
    if as_json:
        print_json(found)
    else:
        click.echo("\n".join(_lines(found)))
    missing = [c for c in found["connections"] if c["active"] and c["state"] != "up"]
    sys.exit(MISSING if missing else 0)


@click.command()
@click.argument("connection")
@_control
@_done_as_json
def up(connection: str, control: str | None, as_json: bool) -> None:
    """Bring up CONNECTION, and keep it up if it is in `Connections`.

    \b
    Example:
      ike-auth up office
    """
    _say(_ask(control, "up", name=connection), as_json)


@click.command()
@click.argument("name")
@_control
@_done_as_json
def down(name: str, control: str | None, as_json: bool) -> None:
    """Take down a connection, or everything with a peer, until `up` or a restart.

    \b
    Example:
      ike-auth down office
    """
    _say(_ask(control, "down", name=name), as_json)


@click.command()
@_control
@_done_as_json
def reload(control: str | None, as_json: bool) -> None:
    """Read configuration, policy and certificates again; what is up is authorized anew. The same as SIGHUP.

    Exit status 1, and everything as before, if they cannot be used.

    \b
    Example:
      ike-auth reload
    """
    _say(_ask(control, "reload"), as_json)


def _say(result: Any, as_json: bool) -> None:
    if as_json:
        print_json(result)


def _ask(control: str | None, command: str, **arguments: str) -> Any:
    path = default_path() if control is None else Path(control)
    try:
        with ControlClient(path) as client:
            return client.request(command, arguments)
    except ControlError as error:
        raise Failed([Complaint(str(error), hint=error.hint)]) from None


def _lines(found: dict[str, Any]) -> list[str]:
    lines = []
    for connection in found["connections"]:
        sides = f"{connection['local'] or 'our address'} ↔ {connection['remote'] or 'its address'}"
        state = connection["state"] if connection["active"] or connection["state"] != "down" else "waited for"
        lines.append(f"connection {connection['name']}: {state}, {sides} with {connection['peer']}")
        if connection["why"]:
            lines.append(f"  last: {connection['why']}")
    for tunnel in found["tunnels"]:
        begun = "by us" if tunnel["begun_by_us"] else "by the peer"
        lines.append(f"tunnel {tunnel['local']} ↔ {tunnel['remote']} with {tunnel['peer']} at {tunnel['at']}")
        lines.append(
            f"  {tunnel['protocols']}, SPI in {' '.join(tunnel['spis_in'])} out {' '.join(tunnel['spis_out'])}"
        )
        lines.append(f"  begun {begun} {_time(tunnel['age'])} ago, {_time(tunnel['ends_in'])} left")
        if tunnel["packets_in"] is not None:
            lines.append(f"  received {_amount(tunnel, 'in')}, sent {_amount(tunnel, 'out')}")
        lines.append(f"  {tunnel['identity']}: {tunnel['because']}")
    for ike in found["ike_sas"]:
        nat = ", NAT" if ike["nat"] else ""
        lines.append(f"IKE SA with {ike['peer']} at {ike['remote']}{nat}: {ike['suite']}")
        heard = f"heard {_time(ike['heard'])} ago"
        lines.append(f"  {ike['identity']}, {_time(ike['age'])} old, {_time(ike['ends_in'])} left, {heard}")
    return lines or ["nothing is configured, and nothing is up"]


def _amount(tunnel: dict[str, Any], way: str) -> str:
    return f"{tunnel[f'packets_{way}']:,} packets of {tunnel[f'bytes_{way}']:,} bytes in all"


def _time(seconds: float) -> str:
    whole = max(int(seconds), 0)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
