# SPDX-License-Identifier: ISC
"""When the command starts, and its exit status: real processes, and an engine that says what is up."""

import asyncio
import os
import select
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import cast

import pytest

from ike_auth.daemon import beside
from ike_auth.daemon.beside import Beside
from ike_auth.daemon.logs import Journal
from ike_auth.daemon.network.rootless import Inside
from ike_auth.engine import Engine
from tests.ike_auth.daemon.network.isolated import unprivileged

SECONDS = 20.0


@dataclass
class Waits:
    """As much of an engine, and of a journal."""

    missing: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def waiting_for(self) -> list[str]:
        return self.missing

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def run(
    *command: str,
    waits: Waits | None = None,
    then: Callable[[Beside, Inside], None] = lambda *_: None,
    told: bool = False,
    carried: Callable[[], int] = lambda: 0,
) -> int:
    """The exit status. `then` is done once it has begun; `told`: that it is to end, before it began."""
    waits = waits or Waits()

    async def running() -> int:
        inside = Inside.open(command)
        beginning = Beside(inside, cast(Engine, waits), cast(Journal, waits), carried)
        ended = asyncio.Event()
        if told:
            ended.set()
        try:
            beginning.begin(ended)
            then(beginning, inside)
            await asyncio.wait_for(ended.wait(), SECONDS)
        finally:
            status = beginning.end()
        return status

    return asyncio.run(running())


def script(text: str) -> tuple[str, ...]:
    return "sh", "-c", text


@pytest.mark.parametrize(
    ("command", "status"),
    [
        (("true",), 0),
        (script("exit 7"), 7),
        (script("kill -KILL $$"), 128 + 9),
    ],
)
@unprivileged
def test_status_is_the_commands(command: tuple[str, ...], status: int) -> None:
    waits = Waits()
    assert run(*command, waits=waits) == status
    assert waits.warnings == []


@pytest.mark.parametrize(
    ("command", "status", "why"),
    [
        ("/no/such/command", 127, "cannot run `/no/such/command`: no such file or directory"),
        ("/dev/null", 126, "cannot run `/dev/null`: permission denied"),
    ],
)
@unprivileged
def test_command_that_is_none(command: str, status: int, why: str) -> None:
    waits = Waits()
    assert run(command, waits=waits) == status
    assert waits.warnings == [why]


@unprivileged
def test_it_waits_for_tunnels() -> None:
    waits = Waits(["office", "home"])
    statuses: list[int | None] = []

    def come_up(beginning: Beside, inside: Inside) -> None:
        for _ in range(2):
            beginning.look()
            waits.missing.pop()
            statuses.append(inside.status())
            assert not beginning._started
        beginning.look()
        beginning.look()

    assert run(*script("exit 3"), waits=waits, then=come_up) == 3
    assert statuses == [None, None]
    assert waits.warnings == []


@unprivileged
def test_it_does_not_wait_for_ever() -> None:
    beside.PATIENCE = 0.1  # in this process, which is of this test alone
    waits = Waits(["office", "home"])
    assert run(*script("exit 3"), waits=waits) == 3
    assert waits.warnings == ["the command starts, although not everything is up within 0 s: office, home"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGQUIT])
@unprivileged
def test_signals_are_the_commands(number: int) -> None:
    os.setsid()  # no terminal
    assert run("sleep", "60", then=lambda *_: os.kill(os.getpid(), number)) == 128 + number


@unprivileged
def test_a_command_may_take_its_time_to_end() -> None:
    os.setsid()
    takes_over = "import signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(5)); signal.pause()"

    def tell(_: Beside, inside: Inside) -> None:
        status, caught = Path(f"/proc/{inside._process.pid}/status"), 0
        while not caught & 1 << signal.SIGTERM - 1:
            [line] = [line for line in status.read_text().splitlines() if line.startswith("SigCgt")]
            caught = int(line.split()[1], 16)  # proc(5)
        os.kill(os.getpid(), signal.SIGTERM)

    assert run(sys.executable, "-c", takes_over, then=tell) == 5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@unprivileged
def test_told_to_end_before_it_started(number: int) -> None:
    os.setsid()
    waits = Waits(["office"])
    assert run(*script("exit 7"), waits=waits, then=lambda *_: os.kill(os.getpid(), number)) == 128 + number


@unprivileged
def test_told_to_end_before_it_began() -> None:
    assert run(*script("exit 7"), told=True) == 128 + signal.SIGTERM


@unprivileged
def test_its_process_is_killed_before_it_started() -> None:
    waits = Waits(["office"])

    def kill(_: Beside, inside: Inside) -> None:
        inside._process.kill()

    assert run(*script("exit 7"), waits=waits, then=kill) == 128 + signal.SIGKILL


@unprivileged
def test_its_process_is_gone_when_it_is_to_start() -> None:
    waits = Waits(["office"])

    def kill(beginning: Beside, inside: Inside) -> None:
        inside._process.kill()
        assert select.select([inside.ended()], [], [], SECONDS)[0]
        waits.missing.clear()
        beginning.look()

    assert run(*script("exit 7"), waits=waits, then=kill) == 128 + signal.SIGKILL
    assert waits.warnings == ["the command's process was ended before the command could run"]


@unprivileged
def test_what_is_on_its_way_when_it_ends() -> None:
    """TCP goes on after whoever used it; the daemon waits until no packet comes any more."""
    beside.QUIET = 0.01
    counts = [3, 4, 7, 7, 9]
    assert run("true", carried=lambda: counts.pop(0)) == 0
    assert counts == [9]


@unprivileged
def test_what_never_ends_is_not_waited_for() -> None:
    beside.QUIET, beside.LINGER = 0.01, 0.1
    counts = count(1)
    assert run(*script("exit 3"), carried=lambda: next(counts)) == 3
    assert 5 < next(counts) < 15


@unprivileged
def test_a_signal_meanwhile_ends_it_at_once() -> None:
    os.setsid()
    beside.QUIET, beside.LINGER = 0.01, 2 * SECONDS
    asked: list[int] = []

    def carried() -> int:
        asked.append(0)
        if len(asked) == 3:
            os.kill(os.getpid(), signal.SIGTERM)
        return len(asked)

    assert run(*script("exit 3"), carried=carried) == 3
