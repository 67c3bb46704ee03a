# SPDX-License-Identifier: ISC
"""The application at a socket, until somebody ends it: SIGTERM lets requests finish, then the process ends with 0."""

import ipaddress
import re
import signal
import socket
from collections.abc import Callable
from typing import Any, NoReturn

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from pki.errors import PkiError, shown
from pki.web.application import Application

_GRACE = 5  # seconds for requests that are under way
_AT_ONCE = 200  # connections; more are answered 503
_HEAD = 5  # seconds for a whole request before its body
_HEADERS_MAX = 16384  # bytes of a request before its body
_LISTEN = re.compile(r"(?:\[([^\]]+)\]|([^:]+)):([0-9]{1,5})")


def address(text: str) -> tuple[str, int]:
    """`127.0.0.1:8080`, `[::1]:8080`. Raises PkiError."""
    match = _LISTEN.fullmatch(text)
    try:
        if match is None or int(match[3]) > 65535:
            raise ValueError
        return str(ipaddress.ip_address(match[1] or match[2])), int(match[3])
    except ValueError:
        raise PkiError(f"`{shown(text)}` is no address and port", "write `127.0.0.1:8080` or `[::1]:8080`") from None


def bound(host: str, port: int) -> socket.socket:
    """Raises PkiError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=1024)
    except OSError as error:
        raise PkiError(f"cannot listen on {host} port {port}: {error.strerror}") from error


def url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class _Impatient(H11Protocol):
    """Closes the connection of who has no request answered just now and does not send the head of one, the first or
    the next, in time. Every connection counts among those at once, and the server itself waits for ever: for the
    first byte, and for the last once the first has come."""

    _forget: Callable[[], None] | None = None  # that the connection is to be closed

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        self._look()

    def handle_events(self) -> None:
        super().handle_events()
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._stop()

    def _look(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop()
        elif self._forget is None and not self.transport.is_closing():
            self._forget = self.loop.call_later(_HEAD, self.transport.close).cancel

    def _stop(self) -> None:
        if self._forget is not None:
            self._forget()
            self._forget = None


def serve(application: Application, listening: socket.socket, ready: Callable[[], None]) -> None:
    """Until SIGTERM, which ends the process, or SIGINT (KeyboardInterrupt)."""
    configuration = uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        limit_concurrency=_AT_ONCE,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=_HEADERS_MAX,
        http=_Impatient,
    )
    signal.signal(signal.SIGTERM, _leave)  # the server takes its place, and raises the signal again when it is done
    ready()
    uvicorn.Server(configuration).run(sockets=[listening])


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)
