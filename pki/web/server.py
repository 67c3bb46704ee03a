# SPDX-License-Identifier: ISC
"""The application at a socket, until somebody ends it: SIGTERM lets requests finish, then the process ends with 0."""

import ipaddress
import re
import signal
import socket
from collections.abc import Callable
from typing import NoReturn

import uvicorn

from pki.errors import PkiError, shown
from pki.web.application import Application

_GRACE = 5  # seconds for requests that are under way
_AT_ONCE = 200  # connections; more are answered 503
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
        http="h11",
    )
    signal.signal(signal.SIGTERM, _leave)  # the server takes its place, and raises the signal again when it is done
    ready()
    uvicorn.Server(configuration).run(sockets=[listening])


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)
