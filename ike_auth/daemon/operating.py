# SPDX-License-Identifier: ISC
"""What operators ask of a running daemon over the control socket, besides manual keys."""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ike_auth.daemon import clock, counters
from ike_auth.daemon.control import ControlError, Handler, Json
from ike_auth.daemon.kernel import Kernel
from ike_auth.effects import Effect
from ike_auth.engine import Engine

Feed = Callable[[Callable[[], list[Effect]]], None]  # performs what a step of the engine says


def handlers(
    engine: Engine, kernel: Kernel, feed: Feed, reload: Callable[[], list[str]] | None
) -> dict[str, Handler]:
    """`reload` reads the configuration again, and returns what is wrong with it."""

    def status(arguments: Json) -> Any:
        _check_names(arguments)
        found = asdict(engine.status(clock.now()))
        carried = counters.by_sa(kernel)
        for shown, tunnel in zip(found["tunnels"], engine.table.tunnels, strict=True):
            shown |= counters.of_tunnel(tunnel, carried)
        return found

    def up(arguments: Json) -> Any:
        name = _name(arguments)
        _known(name, engine, peers=False)
        feed(lambda: engine.up(name, clock.now()))
        return {}

    def down(arguments: Json) -> Any:
        name = _name(arguments)
        _known(name, engine, peers=True)
        feed(lambda: engine.down(name, clock.now()))
        return {}

    def traffic(arguments: Json) -> Any:
        _check_names(arguments)
        return counters.traffic(kernel, clock.now().monotonic)

    def reloaded(arguments: Json) -> Any:
        _check_names(arguments)
        if reload is None:
            raise ControlError("this daemon has nothing to read again")
        problems = reload()
        if problems:
            raise ControlError("; ".join(problems), "the configuration from before stays in force")
        return {}

    return {"status": status, "up": up, "down": down, "reload": reloaded, "traffic": traffic}


def _check_names(arguments: Json, *known: str) -> None:
    """What nobody knows would have no effect: whoever sends it takes this daemon for another one."""
    for name in arguments:
        if name not in known:
            hint = f"there is `{'`, `'.join(known)}`" if known else ""
            raise ControlError(f"there is no argument `{name}` here", hint)


def _name(arguments: Json) -> str:
    _check_names(arguments, "name")
    name = arguments.get("name")
    if not isinstance(name, str):
        raise ControlError("`name` is missing")
    return name


def _known(name: str, engine: Engine, *, peers: bool) -> None:
    configuration = engine.configuration
    known = [*configuration.connections, *(configuration.peers if peers else ())]
    if name not in known:
        what = "connection or peer" if peers else "connection"
        raise ControlError(f"there is no {what} `{name}`", f"there are {', '.join(known)}" if known else "")
