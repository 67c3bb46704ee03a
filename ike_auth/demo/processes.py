# SPDX-License-Identifier: ISC
"""Child processes: commands that run to their end, and daemons. None outlives the demo, however that ends."""

import ctypes
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from ike_auth.daemon import clock
from ike_auth.demo.failures import CannotBegin, StepFailed

OURS = ("keynote", "keynote-pki", "ike-auth")
COMMAND_SECONDS = 60.0
STOP_SECONDS = 10.0
_POLL_SECONDS = 0.02
_PR_SET_PDEATHSIG, _SIGKILL = 1, 9
_prctl = getattr(ctypes.CDLL(None), "prctl", None)  # Linux has it


def program(name: str) -> list[str]:
    """How to run a command: one of ours is the script beside the Python that runs us. Raises CannotBegin."""
    if name == "python":
        return [sys.executable]
    if name not in OURS:
        return [name]
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise CannotBegin(f"there is no `{path}`; install the project into the Python that runs the demo")
    return [str(path)]


def run(command: Sequence[str]) -> tuple[int, str]:
    """Run a command to its end: its exit status, and what it printed. Raises StepFailed if it does not end."""
    try:
        ended = subprocess.run(
            _started_with(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=COMMAND_SECONDS,
            preexec_fn=_dies_with_us(),
            encoding="utf-8",
            errors="replace",
        )
    except subprocess.TimeoutExpired:
        raise StepFailed(f"`{command[0]}` did not end within {COMMAND_SECONDS:.0f} s") from None
    return ended.returncode, ended.stdout


def run_aloud(command: Sequence[str]) -> int:
    """Run a command that prints where we print: its exit status. Raises StepFailed if it does not end."""
    sys.stdout.flush()
    process = subprocess.Popen(_started_with(command), stdin=subprocess.DEVNULL, preexec_fn=_dies_with_us())
    try:
        return process.wait(COMMAND_SECONDS)
    except subprocess.TimeoutExpired:
        raise StepFailed(f"`{' '.join(command[:3])}` did not end within {COMMAND_SECONDS:.0f} s") from None
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()


class Process:
    """A running daemon. What it writes goes to a file."""

    def __init__(self, command: Sequence[str], output: IO[bytes]) -> None:
        self._process: subprocess.Popen[bytes] = subprocess.Popen(
            _started_with(command),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # Ctrl-C is for us; we end it in good order
            preexec_fn=_dies_with_us(),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.poll() is None

    def wait_until(self, condition: Callable[[], Any], seconds: float) -> bool:
        """Whether the condition came true, in time and before the process ended."""
        deadline = clock.now().monotonic + seconds
        while not condition():
            if not self.running:
                return bool(condition())  # it may have written and ended since we looked
            if clock.now().monotonic > deadline:
                return False
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(_POLL_SECONDS)
        return True

    def stop(self) -> int | None:
        """SIGTERM, so that it says goodbye to its peer; its exit status, or None if it had to be killed."""
        self._process.terminate()
        try:
            return self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            return None
        finally:
            if self.running:
                self._process.kill()
                self._process.wait()


def _started_with(command: Sequence[str]) -> list[str]:
    return [*program(command[0]), *command[1:]]


def _dies_with_us() -> Callable[[], None] | None:
    """For the child, before it becomes the command: the kernel kills it when we end without having stopped it."""
    if _prctl is None:
        return None
    parent = os.getpid()

    def in_child() -> None:
        _prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # we ended before it was asked for
            os._exit(1)

    return in_child
