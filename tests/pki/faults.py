# SPDX-License-Identifier: ISC
"""Something goes wrong at the nth thing that an issue does to the disk: each system call of the keystore that changes
something, each statement of the registry that does, and each commit is one. Tables that are made one after the other,
in one transaction, are one step: what is left is the same."""

import contextlib
import errno
import os
import signal
import sqlite3
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import sqlalchemy as sa
from sqlalchemy import event, exc

_CALLS = ("open", "write", "fsync", "link", "unlink", "rename", "mkdir", "chmod", "fchmod")
_EMPTY = ("-wal", "-shm")  # only made so that others can read
_MAKING = "sql CREATE"
_READING = ("SELECT", "BEGIN", "PRAGMA")


def kill(what: str) -> NoReturn:
    """As kill -9 or a power cut: no handler runs, no buffer is flushed."""
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError


def fill_disk(what: str) -> NoReturn:
    """As a full disk does it, in the words of whoever notices."""
    if what.startswith("sql"):
        raise exc.OperationalError(what, None, sqlite3.OperationalError("database or disk is full"))
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@contextlib.contextmanager
def at_step(number: int | None, fault: Callable[[str], Any] = kill) -> Iterator[list[str]]:
    """Do `fault` instead of step `number`, once; collects what the steps were."""
    steps: list[str] = []

    def step(what: str) -> None:
        steps.append(what)
        if number is not None and len(steps) == number + 1:
            fault(what)

    def statement(connection: Any, cursor: Any, text: str, *rest: Any) -> None:
        what = f"sql {text.split(maxsplit=1)[0]}"
        if text.lstrip().upper().startswith(_READING) or (what == _MAKING and steps[-1:] == [_MAKING]):
            return
        step(what)

    def commit(connection: Any) -> None:
        step("sql COMMIT")

    real = {call: getattr(os, call) for call in _CALLS}

    def counted(call: str) -> Callable[..., Any]:
        def counting(*arguments: Any, **options: Any) -> Any:
            if call != "open" or (arguments[1] & os.O_CREAT and not str(arguments[0]).endswith(_EMPTY)):
                step(call)
            return real[call](*arguments, **options)

        return counting

    event.listen(sa.Engine, "before_cursor_execute", statement)
    event.listen(sa.Engine, "commit", commit)
    try:
        for call in _CALLS:
            setattr(os, call, counted(call))
        yield steps
    finally:
        for call, function in real.items():
            setattr(os, call, function)
        event.remove(sa.Engine, "before_cursor_execute", statement)
        event.remove(sa.Engine, "commit", commit)


def in_child(work: Callable[[], object]) -> int:
    """Run something in a forked process; its exit status as waitpid(2) has it, 0 for done."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(status)
    return os.waitpid(child, 0)[1]
