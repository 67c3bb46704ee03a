# SPDX-License-Identifier: ISC
"""Daemons that log one JSON object a line, and waiting for what they log."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ike_auth.demo.failures import StepFailed
from ike_auth.demo.hosts import Host
from ike_auth.demo.processes import Process

EVENT_SECONDS = 30.0
_TAIL = 8  # lines shown of a log when a step has failed


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a log. `kind` is the name of an event, and empty for other lines."""

    kind: str
    event: str
    fields: Mapping[str, Any] = field(default_factory=dict)

    @property
    def because(self) -> str:
        """The reason of a decision, or all of them."""
        found = self.fields.get("because", "")
        return found if isinstance(found, str) else "; ".join(found)

    def __getitem__(self, name: str) -> Any:
        return self.fields[name]


class Daemon:
    """A daemon under way. `expect` reads its log on from where the last `expect` ended."""

    def __init__(self, host: Host, command: Sequence[str], log: Path) -> None:
        self.host = host
        self._log = log
        self._read = 0  # entries
        with log.open("wb") as output:
            self._process = Process(command, output)

    @property
    def pid(self) -> int:
        return self._process.pid

    def expect(self, *kinds: str, seconds: float = EVENT_SECONDS) -> Entry:
        """The next entry of one of these kinds. Raises StepFailed if none comes in time."""
        if not self._process.wait_until(lambda: self._next(kinds) is not None, seconds):
            how = f"within {seconds:.0f} s" if self._process.running else "before it ended"
            raise StepFailed(f"{self.host.name} did not log {' or '.join(kinds)} {how}")
        found = self._next(kinds)
        assert found is not None
        self._read = found[0] + 1
        return found[1]

    def wait_until_ready(self) -> None:
        """Until it has opened its ports. Raises StepFailed."""
        if not self._process.wait_until(
            lambda: any(e.event.startswith("ready:") for e in self.entries()), EVENT_SECONDS
        ):
            raise StepFailed(f"{self.host.name} did not start")

    def entries(self, *kinds: str) -> list[Entry]:
        """All that it has logged, or all of these kinds."""
        return [entry for entry in _entries(self._log) if not kinds or entry.kind in kinds]

    def tail(self) -> list[str]:
        """The last lines of its log, for people."""
        return [entry.event for entry in self.entries()[-_TAIL:]]

    def stop(self) -> None:
        """End it, with goodbyes to its peer. Raises StepFailed if it does not end well."""
        status = self._process.stop()
        if status != 0:
            how = "had to be killed" if status is None else f"ended with status {status}"
            raise StepFailed(f"{self.host.name} {how}")

    def _next(self, kinds: Sequence[str]) -> tuple[int, Entry] | None:
        unread = enumerate(self.entries()[self._read :], self._read)
        return next(((number, entry) for number, entry in unread if entry.kind in kinds), None)


def _entries(log: Path) -> Iterator[Entry]:
    for line in log.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True):
        if line.endswith("\n"):  # else it is still being written
            yield _entry(line.rstrip("\n"))


def _entry(line: str) -> Entry:
    try:
        fields = json.loads(line)
    except ValueError:
        fields = None
    if not isinstance(fields, dict):
        return Entry("", line)
    return Entry(str(fields.get("kind", "")), str(fields.get("event", "")), fields)
