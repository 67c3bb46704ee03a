# SPDX-License-Identifier: ISC
"""Manual keys over the control socket."""

from ike_auth.daemon.clock import now
from ike_auth.daemon.control import ControlError, Handler, Json
from ike_auth.daemon.kernel import KernelError
from ike_auth.errors import LocalError
from ike_auth.manual import control
from ike_auth.manual.database import Database


def handlers(database: Database) -> dict[str, Handler]:
    """For `ControlSocket.serve`, besides others."""
    return {command: _refusing(handler) for command, handler in control.handlers(database, now).items()}


def _refusing(handler: Handler) -> Handler:
    def handled(arguments: Json) -> object:
        try:
            return handler(arguments)
        except (LocalError, KernelError) as error:
            raise ControlError(str(error), getattr(error, "hint", "")) from None

    return handled
