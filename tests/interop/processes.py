# SPDX-License-Identifier: ISC
"""Daemons under test: started in a gateway's namespace, watched through their log, ended by their own pid."""

import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from tests.interop.namespaces import Gateway
from tests.interop.waiting import until

START_SECONDS, STOP_SECONDS = 15.0, 10.0


class Daemon:
    """A running command. What it prints goes to `output`; its log is that file, or the one it writes itself."""

    def __init__(
        self,
        gateway: Gateway,
        command: Sequence[str],
        output: Path,
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._command = gateway.command(*command)
        self._log = log or output
        self._output = output
        with output.open("wb") as sink:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""

    @property
    def user(self) -> int:
        """As whom it runs."""
        found = re.search(r"^Uid:\s+\d+\s+(\d+)", Path(f"/proc/{self._process.pid}/status").read_text(), re.MULTILINE)
        assert found
        return int(found[1])

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def udp_ports(self) -> set[int]:
        """On which local ports anybody in its namespace listens."""
        tables = [Path(f"/proc/{self._process.pid}/net/{name}") for name in ("udp", "udp6")]
        table = "".join(path.read_text() for path in tables if path.exists())
        return {int(port, 16) for port in re.findall(r"^ *\d+: [0-9A-F]+:([0-9A-F]{4}) ", table, re.MULTILINE)}

    def wait_for_log(self, pattern: str, seconds: float) -> re.Match[str]:
        """The first match of `pattern` in the log; TimeoutError with the log's end when there is none in time."""

        def look() -> re.Match[str] | None:
            ended = not self.running  # asked first: it may still write and end while we read
            if found := re.search(pattern, self.log):
                return found
            if ended:
                raise RuntimeError(f"{self.describe()}\nhas ended; no `{pattern}` in its log")
            return None

        return until(look, seconds, lambda: f"`{pattern}` in the log of\n{self.describe()}")

    def stop(self, seconds: float = STOP_SECONDS) -> int:
        """Send SIGTERM and return the exit status, if need be of an earlier end.

        A daemon that stays for `seconds` is killed: TimeoutError.
        """
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise TimeoutError(f"SIGTERM did not end it within {seconds} s: {self.describe()}") from None

    def kill(self) -> None:
        """End it without a chance to say goodbye to anybody."""
        self._process.kill()
        self._process.wait()

    def describe(self, lines: int = 40) -> str:
        """The command and the last `lines` of what it wrote, for a failed test's message."""
        said = self.log if self._log == self._output else self._output.read_text(errors="replace") + self.log
        return "\n".join([" ".join(self._command), *said.splitlines()[-lines:]])


class Service(ABC):
    """A daemon that a `with` block starts and stops."""

    _daemon: Daemon | None = None

    @abstractmethod
    def _launch(self) -> Daemon:
        """Write its files and start it."""

    @abstractmethod
    def _is_ready(self) -> bool:
        """Whether it has come far enough for `_set_up`."""

    @abstractmethod
    def _set_up(self) -> None:
        """What is left to tell it once it is ready."""

    def start(self, seconds: float = START_SECONDS) -> None:
        """It can be used when this returns, and does not run when this raises."""
        daemon = self._daemon = self._launch()

        def look() -> bool:
            if not daemon.running:
                raise RuntimeError(f"it has ended:\n{daemon.describe()}")
            return self._is_ready()

        try:
            until(look, seconds, daemon.describe)
            self._set_up()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> int:
        """SIGTERM, so that it says goodbye to its peer; the exit status."""
        return self.daemon.stop()

    def crash(self) -> None:
        """End it so that its peer learns nothing; it can be started again."""
        self.daemon.kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def daemon(self) -> Daemon:
        if self._daemon is None:
            raise RuntimeError("not started")
        return self._daemon

    @property
    def log(self) -> str:
        return self._daemon.log if self._daemon else ""

    def wait_for_log(self, pattern: str, seconds: float = 5.0) -> str:
        """What matches `pattern` in the log; TimeoutError if nothing does in time."""
        return self.daemon.wait_for_log(pattern, seconds).group()
