# SPDX-License-Identifier: ISC
"""Manual keys in a daemon: set over the control socket, beside what is negotiated."""

from contextlib import suppress
from functools import partial

from ike_auth.daemon import counters
from ike_auth.daemon.clock import now
from ike_auth.daemon.control import ControlError, Handler, Json
from ike_auth.daemon.kernel import Kernel, KernelError
from ike_auth.daemon.udp import is_own
from ike_auth.errors import LocalError
from ike_auth.manual import control
from ike_auth.manual.database import Database


class ManualKeys:
    """What was set by hand, in one kernel."""

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel
        self._database = Database(kernel, is_own)

    @property
    def handlers(self) -> dict[str, Handler]:
        """For `ControlSocket.serve`, besides others."""
        return handlers(self._database, partial(counters.by_sa, self._kernel))

    def tend(self) -> float | None:
        """Remove what has had its time; when to call again, in monotonic seconds, or None."""
        return self._database.tend(now())

    def close(self) -> None:
        with suppress(KernelError):  # it goes with the kernel
            self._database.close()


def handlers(database: Database, carried: control.Carried = dict) -> dict[str, Handler]:
    return {command: _refusing(handler) for command, handler in control.handlers(database, now, carried).items()}


def _refusing(handler: Handler) -> Handler:
    def handled(arguments: Json) -> object:
        try:
            return handler(arguments)
        except (LocalError, KernelError) as error:
            raise ControlError(str(error), getattr(error, "hint", "")) from None

    return handled
