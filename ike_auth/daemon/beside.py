# SPDX-License-Identifier: ISC
"""A command that runs beside the daemon, in the namespace that has nothing but the tunnels."""

import asyncio
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from ike_auth.daemon.logs import Journal
from ike_auth.daemon.network import NetworkError
from ike_auth.engine import Engine

if TYPE_CHECKING:
    from ike_auth.daemon.network.rootless import Inside

# Those that end a command. SIGHUP is the daemon's own: it reloads.
_FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)
PATIENCE = 10.0  # seconds that the command waits for tunnels
QUIET = (
    0.25  # seconds without a packet, after which nothing is on its way any more: more than TCP takes to repeat one
)
LINGER = 5.0  # seconds at most


class Beside:
    """Starts it once the tunnels are there, and has the daemon end with it."""

    def __init__(self, inside: "Inside", engine: Engine, journal: Journal, carried: Callable[[], int]) -> None:
        """`carried`: how many packets have gone through tunnels, either way."""
        self._carried = carried
        self._inside = inside
        self._engine = engine
        self._journal = journal
        self._ended: asyncio.Event | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._started = False
        self._told = signal.SIGTERM  # what has ended us before it could start

    def begin(self, ended: asyncio.Event) -> None:
        """From now on it may start; `ended` is set when it has ended. If we are to end already, it never starts."""
        if ended.is_set():
            return
        loop = asyncio.get_running_loop()
        self._ended = ended
        for number in _FORWARDED:
            loop.add_signal_handler(number, self._forward, number)
        loop.add_reader(self._inside.ended(), self._over)
        self._timer = loop.call_later(PATIENCE, self._start_without)
        self.look()

    def look(self) -> None:
        """Whether everything is up that is to be."""
        if self._ended is not None and not self._started and not self._engine.waiting_for():
            self._start()

    def end(self) -> int:
        """Its exit status, 128 and the signal if we had to end it or it was not to start any more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._ended is not None:
            asyncio.get_running_loop().remove_reader(self._inside.ended())
        status = self._inside.status()
        self._inside.close()
        if status is None:
            status = self._inside.status() if self._started else 128 + self._told
        return status or 0

    def _start_without(self) -> None:
        if not self._started:
            missing = ", ".join(self._engine.waiting_for())
            self._journal.warning(
                f"the command starts, although not everything is up within {PATIENCE:.0f} s: {missing}"
            )
            self._start()

    def _start(self) -> None:
        self._started = True
        try:
            self._inside.start()
        except NetworkError as error:
            self._journal.warning(str(error))

    def _forward(self, number: signal.Signals) -> None:
        if self._started and self._inside.status() is None:
            self._inside.forward(number)
            return
        self._told = number
        if self._ended is not None:
            self._ended.set()

    def _over(self) -> None:
        """It has ended. What it said last may still be on its way: TCP goes on after whoever used it."""
        loop = asyncio.get_running_loop()
        loop.remove_reader(self._inside.ended())
        if self._timer is not None:
            self._timer.cancel()
        self._linger(loop.time() + LINGER, 0)

    def _linger(self, end: float, before: int) -> None:
        loop, carried = asyncio.get_running_loop(), self._carried()
        if carried != before and loop.time() < end:
            self._timer = loop.call_later(QUIET, self._linger, end, carried)
        elif self._ended is not None:
            self._ended.set()
