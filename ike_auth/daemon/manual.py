# SPDX-License-Identifier: ISC
"""Manual keys in a daemon: set over the control socket, beside what is negotiated."""

from contextlib import suppress

from ike_auth.daemon.clock import now
from ike_auth.daemon.control import ControlError, Handler, Json
from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.udp import is_own
from ike_auth.errors import LocalError
from ike_auth.manual import control
from ike_auth.manual.database import Database, ManualKernel


class ManualKeys:
    """What was set by hand, in one kernel."""

    def __init__(self, kernel: ManualKernel) -> None:
        self._database = Database(kernel, is_own)

    @property
    def handlers(self) -> dict[str, Handler]:
        """For `ControlSocket.serve`, besides others."""
        return handlers(self._database)

    def tend(self) -> float | None:
        """Remove what has had its time; when to call again, in monotonic seconds, or None."""
        return self._database.tend(now())

    def close(self) -> None:
        with suppress(KernelError):  # it goes with the kernel
            self._database.close()


def handlers(database: Database) -> dict[str, Handler]:
    return {command: _refusing(handler) for command, handler in control.handlers(database, now).items()}


def _refusing(handler: Handler) -> Handler:
    def handled(arguments: Json) -> object:
        try:
            return handler(arguments)
        except (LocalError, KernelError) as error:
            raise ControlError(str(error), getattr(error, "hint", "")) from None

    return handled
