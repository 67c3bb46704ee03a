# SPDX-License-Identifier: ISC
"""The control socket: a Unix socket of mode 0600, one JSON object a line, in both directions.

    → {"version": 1, "command": "up", "arguments": {"name": "office"}}
    ← {"version": 1, "result": {…}}
    ← {"version": 1, "error": {"message": "there is no connection `office`", "hint": "…"}}

A connection may carry any number of requests, each of which is answered in its turn. Who may connect is who may open
the file; the kernel's word on the peer's user is asked as well.
"""

import asyncio
import errno
import json
import os
import socket
import stat
import struct
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

VERSION = 1
MAX_REQUEST = 1 << 20  # bytes of a line
MAX_CLIENTS = 32
_TIMEOUT = 30.0  # seconds that a client waits for an answer
_CREDENTIALS = struct.Struct("=iII")  # pid, uid, gid: unix(7), SO_PEERCRED

Json = Mapping[str, Any]
Handler = Callable[[Json], Any]


class ControlError(Exception):
    """A request that cannot be done; `hint` says what to do about it."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


def default_path() -> Path:
    """Where the daemon of this user is spoken to."""
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    directory = Path("/run") if os.geteuid() == 0 else Path(runtime) if runtime else Path("/tmp")
    name = "ike-auth.sock" if os.geteuid() == 0 or runtime else f"ike-auth-{os.geteuid()}.sock"
    return directory / name


# --- the daemon's side


class ControlSocket:
    """Listens at once, so that it can be made before privileges go; answers from `serve` on."""

    def __init__(self, path: Path) -> None:
        """Raises ControlError if another daemon listens there, or nothing can be made there."""
        self._path = path
        self._clients = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        _clear(path)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        mask = os.umask(0o177)  # the file is never there with other permissions, not for a moment
        try:
            self._socket.bind(str(path))
        except OSError as error:
            self._socket.close()
            reason = error.strerror or str(error)
            raise ControlError(f"cannot make the control socket {path}: {reason}", "--control PATH") from None
        finally:
            os.umask(mask)
        self._inode = path.stat().st_ino
        self._socket.listen(MAX_CLIENTS)  # at once, or another daemon would take it for one that was left behind

    async def serve(self, handlers: Mapping[str, Handler]) -> None:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            await self._converse(reader, writer, handlers)

        self._server = await asyncio.start_unix_server(accepted, sock=self._socket, limit=MAX_REQUEST)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.discard()

    def discard(self) -> None:
        """Without an event loop."""
        self._socket.close()
        with suppress(OSError):  # it may be another daemon's by now, or where we may not write any more
            if self._path.stat().st_ino == self._inode:
                self._path.unlink()

    async def _converse(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, handlers: Mapping[str, Handler]
    ) -> None:
        self._clients += 1
        try:
            if self._clients > MAX_CLIENTS or not _is_ours(writer.get_extra_info("socket")):
                return
            while line := await reader.readline():
                writer.write(_answer(line, handlers))
                await writer.drain()
        except ValueError:  # a line past the limit: there is no way to find the next one
            writer.write(_error(ControlError(f"a request has more than {MAX_REQUEST} bytes")))
        except OSError:
            pass  # whoever asked has gone
        finally:
            self._clients -= 1
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()


def _answer(line: bytes, handlers: Mapping[str, Handler]) -> bytes:
    try:
        request = json.loads(line)
        if not isinstance(request, dict) or not isinstance(request.get("arguments", {}), dict):
            raise ControlError("a request is an object with `version`, `command` and `arguments`")
        if type(request.get("version")) is not int or request["version"] != VERSION:  # True == 1 == 1.0
            raise ControlError(f"version {request.get('version')!r} is not spoken here", f"this is version {VERSION}")
        handler = handlers.get(str(request.get("command")))
        if handler is None:
            known = ", ".join(sorted(handlers))
            raise ControlError(f"there is no command `{request.get('command')}`", f"there are {known}")
        return _line({"version": VERSION, "result": handler(request.get("arguments", {}))})
    except ControlError as error:
        return _error(error)
    except (ValueError, RecursionError):  # not JSON, not UTF-8, or nested past all reason
        return _error(ControlError("the request is not JSON"))
    except Exception as error:  # what it was given may be secret: the text is left out
        return _error(ControlError(f"internal error, please report it: {type(error).__name__}"))


def _error(error: ControlError) -> bytes:
    said = {"message": str(error), **({"hint": error.hint} if error.hint else {})}
    return _line({"version": VERSION, "error": said})


def _line(value: Json) -> bytes:
    return json.dumps(value, ensure_ascii=False).encode() + b"\n"


def _is_ours(connected: socket.socket) -> bool:
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    _, uid, _ = _CREDENTIALS.unpack(raw)
    return uid in (0, os.geteuid(), os.getuid())


def _clear(path: Path) -> None:
    """A socket that nobody listens on any more is left from a daemon that died; anything else is not ours."""
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if not stat.S_ISSOCK(mode):
        raise ControlError(f"{path} is there, and is no socket", "--control PATH")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK) as probe:
        try:
            probe.connect(str(path))
        except (ConnectionRefusedError, FileNotFoundError):
            with suppress(OSError):
                path.unlink()
            return
        except OSError as error:
            if error.errno != errno.EAGAIN:  # that says it has more clients than it can answer
                reason = error.strerror or str(error)
                raise ControlError(f"cannot make the control socket {path}: {reason}", "--control PATH") from None
    raise ControlError(f"another daemon listens on {path}", "--control PATH, or end that one")


# --- whoever asks


class ControlClient:
    """Speaks to a running daemon. Every method raises ControlError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(_TIMEOUT)
        try:
            self._socket.connect(str(path))
        except OSError as error:
            self._socket.close()
            hint = "`ike-auth run` makes it; --control PATH says where"
            raise ControlError(f"no daemon listens on {path}: {error.strerror or error}", hint) from None
        if os.geteuid() != 0 and not _is_ours(self._socket):
            self._socket.close()
            raise ControlError(f"{path} is of another user, who may not learn what we say", "--control PATH")
        self._lines = self._socket.makefile("rb")

    def __enter__(self) -> "ControlClient":
        return self

    def __exit__(self, *_: object) -> None:
        self._lines.close()
        self._socket.close()

    def request(self, command: str, arguments: Json | None = None) -> Any:
        """The result of a command. Raises ControlError with what the daemon says is wrong."""
        try:
            self._socket.sendall(_line({"version": VERSION, "command": command, "arguments": arguments or {}}))
            line = self._lines.readline()
        except OSError as error:
            raise ControlError(f"the daemon does not answer: {error.strerror or error}") from None
        if not line:
            raise ControlError("the daemon has closed the connection")
        answer = json.loads(line)
        if "error" in answer:
            raise ControlError(answer["error"]["message"], answer["error"].get("hint", ""))
        return answer["result"]
