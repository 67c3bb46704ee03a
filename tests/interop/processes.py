# SPDX-License-Identifier: ISC
"""Daemons under test: started in a gateway's namespace, watched through their log, ended by their own pid."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.interop.namespaces import Gateway
from tests.interop.waiting import until


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
        self._log = log or output
        self._output = output
        with output.open("wb") as sink:
            self._process = subprocess.Popen(
                gateway.command(*command),
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
    def running(self) -> bool:
        return self._process.poll() is None

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

    def stop(self, seconds: float) -> int:
        """Send SIGTERM and return the exit status; a daemon that stays for `seconds` is killed: TimeoutError."""
        self._process.terminate()
        try:
            return self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
            raise TimeoutError(f"SIGTERM did not end it within {seconds} s: {self.describe()}") from None

    def describe(self, lines: int = 40) -> str:
        """The command and the last `lines` of what it wrote, for a failed test's message."""
        said = self.log if self._log == self._output else self._output.read_text(errors="replace") + self.log
        return "\n".join([" ".join(map(str, self._process.args)), *said.splitlines()[-lines:]])  # type: ignore[arg-type]
