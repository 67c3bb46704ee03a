# SPDX-License-Identifier: ISC
"""Kill a process before any system call that changes something: `faults` stands before what Python calls, this before
what the kernel is asked, by SQLite's and libpq's own code too. Linux on x86-64, by ptrace(2); a filter of seccomp(2)
lets pass what changes nothing, nine of ten calls, which would cost two switches between processes each."""

import ctypes
import os
import platform
import signal
import struct
import sys
from collections.abc import Callable, Iterator

_TRACEME, _PEEKUSER, _CONTINUE, _SETOPTIONS = 0, 3, 7, 0x4200
_FILTERED, _EXIT_KILL = 0x80, 0x100000  # PTRACE_O_TRACESECCOMP, PTRACE_O_EXITKILL
_STOPPED_BY_FILTER = signal.SIGTRAP | 7 << 8  # PTRACE_EVENT_SECCOMP
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
_libc.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong]


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
            _filter()
            work()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if not os.WIFSTOPPED(status):
        raise Untraceable("ptrace(2) is not permitted")
    _ptrace(_SETOPTIONS, child, data=_FILTERED | _EXIT_KILL)
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
    passed_on = 0
    while True:
        _ptrace(_CONTINUE, child, data=passed_on)
        _, status = os.waitpid(child, 0)
        if not os.WIFSTOPPED(status):
            assert os.waitstatus_to_exitcode(status) == 0
            return
        passed_on = 0
        if status >> 8 != _STOPPED_BY_FILTER:
            passed_on = os.WSTOPSIG(status)
            continue
        number = _ptrace(_PEEKUSER, child, _NUMBER)
        if number != _OPENAT or _ptrace(_PEEKUSER, child, _FLAGS) & os.O_CREAT:
            yield _CHANGING[number]


_NO_NEW_PRIVILEGES, _SET_SECCOMP, _MODE_FILTER = 38, 22, 2  # of prctl(2)
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06  # classic BPF: a word, jeq with a constant, ret
_TRACE, _ALLOW = 0x7FF00000, 0x7FFF0000  # SECCOMP_RET_TRACE, SECCOMP_RET_ALLOW


def _filter() -> None:
    """From here on this process stops before the calls that change something, and no others. Raises OSError."""
    count = len(_CHANGING)
    program = [(_LOAD, 0, 0, 0)]  # the number of the call
    program += [(_JUMP_IF_EQUAL, count - at, 0, number) for at, number in enumerate(_CHANGING)]
    program += [(_RETURN, 0, 0, _ALLOW), (_RETURN, 0, 0, _TRACE)]
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *it) for it in program))
    described = struct.pack("HxxxxxxQ", len(program), ctypes.addressof(code))
    for arguments in ((_NO_NEW_PRIVILEGES, 1, 0), (_SET_SECCOMP, _MODE_FILTER, described)):
        if _libc.prctl(*arguments, 0, 0) != 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
