# SPDX-License-Identifier: ISC
"""Where the steps play: a directory, ports, and the daemons that run. All of them end when the stage is left."""

import secrets
import shlex
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from ipaddress import ip_address
from pathlib import Path

from ike_auth.daemon.udp import CannotBind, Sockets
from ike_auth.demo import directory
from ike_auth.demo.failures import CannotBegin, StepFailed
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B, RESERVATION, Host
from ike_auth.demo.logs import Daemon
from ike_auth.demo.narration import Narrator, shown
from ike_auth.demo.processes import run
from ike_auth.engine import Ports

_USUAL_PORTS = Ports(5500, 5501)
_PORT_TRIES = 50


class Stage:
    """`directory` is made. Use as a context."""

    def __init__(self, directory: Path, narrator: Narrator, ports: Ports) -> None:
        self.directory = directory
        self.narrator = narrator
        self.ports = ports
        self._running: list[Daemon] = []

    def __enter__(self) -> "Stage":
        return self

    def __exit__(self, *_: object) -> None:
        for daemon in reversed(self._running):
            with suppress(StepFailed):  # it has ended, whatever it said to that
                daemon.stop()

    def path(self, name: str) -> Path:
        return self.directory / name

    def write(self, name: str, text: str) -> Path:
        return directory.write(self.path(name), text)

    def command(self, *arguments: str | Path, status: int = 0, lines: int | None = None) -> str:
        """Show a command, run it, and show what it printed, or the first lines of that; what it printed.

        Raises StepFailed if its exit status is another.
        """
        words = _words(arguments)
        self.narrator.command(words)
        found, output = run(words)
        as_said = found == status
        self.narrator.output(output, lines if as_said else None)
        if not as_said:
            raise StepFailed(f"`{' '.join(words[:2])}` ended with status {found} instead of {status}")
        return output

    def start(
        self,
        host: Host,
        configuration: Path,
        policy: Path,
        log: str,
        claim: str | None = None,
        command: Sequence[str] = (),
    ) -> Daemon:
        """Show the command of a daemon and start it: the ordinary one, or the one that claims another's name; with a
        command behind its tunnels, or with nothing."""
        words = ["ike-auth", "run"] if claim is None else ["python", "-m", "ike_auth.demo.attacker", claim]
        ports = ("--port", str(self.ports.ike), "--nat-port", str(self.ports.nat))
        words += _words(("-c", configuration, "--policy", policy, *ports, "--json"))
        words += ["--rootless", "--", *command] if command else ["--no-kernel"]
        self.narrator.command(words, f"2> {shlex.quote(shown(self.path(log)))} &")
        self.path(log).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        daemon = Daemon(host, words, self.path(log))
        self._running.append(daemon)
        daemon.wait_until_ready()
        return daemon

    def stop(self, *daemons: Daemon) -> None:
        """End them, in this order. Raises StepFailed if one does not end well."""
        for daemon in daemons:
            daemon.stop()
            self._running.remove(daemon)

    @property
    def running(self) -> tuple[Daemon, ...]:
        """The daemons that have not been stopped; they may have ended by themselves."""
        return tuple(self._running)


@contextmanager
def free_ports() -> Iterator[Ports]:
    """Two ports that are free at the addresses of the demo, and kept from other demos. Raises CannotBegin."""
    for ports in _candidates():
        try:
            reservation = Sockets((ip_address(RESERVATION),), ports)
        except CannotBind as error:
            reason = error
            continue
        try:
            Sockets((ip_address(GATEWAY_A.address), ip_address(GATEWAY_B.address)), ports).close()
        except CannotBind as error:
            reservation.close()
            reason = error
            continue
        try:
            yield ports
            return
        finally:
            reservation.close()
    raise CannotBegin(str(reason))


def _candidates() -> Iterable[Ports]:
    yield _USUAL_PORTS
    for _ in range(_PORT_TRIES):
        port = 10_000 + 2 * secrets.randbelow(10_000)
        yield Ports(port, port + 1)


def _words(arguments: Iterable[str | Path]) -> list[str]:
    return [shown(argument) if isinstance(argument, Path) else argument for argument in arguments]
