# SPDX-License-Identifier: ISC
"""Kill a process before any system call that changes something: `faults` stands before what Python calls, this before
what the kernel is asked, by SQLite's and libpq's own code too. Linux on x86-64, by ptrace(2)."""

import ctypes
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterator

_TRACEME, _PEEKUSER, _KILL, _SYSCALL, _SETOPTIONS = 0, 3, 8, 24, 0x4200
_GOOD, _EXIT_KILL = 1, 0x100000  # PTRACE_O_TRACESYSGOOD, PTRACE_O_EXITKILL
_NUMBER, _FLAGS = 15 * 8, 12 * 8  # of the call, orig_rax, and its third argument, rdx, in struct user
_CHANGING = {
    1: "write",
    18: "pwrite64",
    44: "sendto",
    46: "sendmsg",
    74: "fsync",
    75: "fdatasync",
    77: "ftruncate",
    82: "rename",
    83: "mkdir",
    84: "rmdir",
    86: "link",
    87: "unlink",
    91: "fchmod",
    257: "openat",  # that may make a file
}
_OPENAT = 257

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.restype = ctypes.c_long
_libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


class Untraceable(Exception):
    """Processes cannot be traced here."""


def _ptrace(request: int, child: int, address: int = 0, data: int = 0) -> int:
    ctypes.set_errno(0)
    answer = int(_libc.ptrace(request, child, address, data))
    if error := ctypes.get_errno():
        raise Untraceable(os.strerror(error))
    return answer


def killed_at(number: int | None, work: Callable[[], object]) -> list[str]:
    """Do some work in a forked process that is killed before its nth system call that changes something; which those
    were. With None, or where there are fewer, it comes to its end, and has to be successful. Raises Untraceable."""
    if sys.platform != "linux" or platform.machine() != "x86_64":
        raise Untraceable("this is not Linux on x86-64")
    child = os.fork()
    if child == 0:
        status = 1
        try:
            _ptrace(_TRACEME, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status):
        raise Untraceable("ptrace(2) is not permitted")
    _ptrace(_SETOPTIONS, child, data=_GOOD | _EXIT_KILL)
    calls: list[str] = []
    for call in _calls(child):
        calls.append(call)
        if number is not None and len(calls) == number + 1:
            os.kill(child, signal.SIGKILL)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -signal.SIGKILL
            return calls
    return calls


def _calls(child: int) -> Iterator[str]:
    """Each such call before the kernel does it."""
    entering, passed_on = True, 0
    while True:
        _ptrace(_SYSCALL, child, data=passed_on)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return
        stopped_by = os.WSTOPSIG(status)
        if stopped_by != signal.SIGTRAP | 0x80:
            passed_on = stopped_by
            continue
        passed_on = 0
        if entering:
            number = _ptrace(_PEEKUSER, child, _NUMBER)
            if number in _CHANGING and not (number == _OPENAT and not _ptrace(_PEEKUSER, child, _FLAGS) & os.O_CREAT):
                yield _CHANGING[number]
        entering = not entering
