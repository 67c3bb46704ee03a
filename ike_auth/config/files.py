# SPDX-License-Identifier: ISC
"""Files that decide who may come in: read whole, and only if nobody else could have written or read them."""

import os
import stat
from pathlib import Path

from ike_auth.config.errors import Problems

LARGEST = 16 * 2**20  # bytes
OTHERS = 0o077  # what a file with a secret grants nobody
OTHERS_WRITE = 0o022


def read_file(path: Path, problems: Problems) -> tuple[bytes, os.stat_result] | None:
    """The bytes of a regular file, and the status of exactly what was read; None with a complaint."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            status = os.fstat(file.fileno())
            if stat.S_ISREG(status.st_mode) and status.st_size <= LARGEST:
                return file.read(LARGEST), status
            is_large = stat.S_ISREG(status.st_mode)
            reason = f"it has more than {LARGEST >> 20} MB" if is_large else "it is not a regular file"
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
    except ValueError as error:  # a name with NUL
        reason = str(error)
    problems.error(None, f"cannot read `{path}`: {reason}")
    return None


def _without_waiting(path: str, flags: int) -> int:
    """A FIFO of this name would hold us until somebody writes to it."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def read_secret_file(path: Path, problems: Problems) -> bytes | None:
    """The bytes of a file that nobody else can read or write; None with a complaint."""
    found = read_file(path, problems)
    if found is None or not check_file_secrecy(path, found[1], problems):
        return None
    return found[0]


def check_file_secrecy(path: Path, status: os.stat_result, problems: Problems) -> bool:
    """Whether a file that holds a secret belongs to root or us, and grants nothing to anybody else."""
    return _check_owner(path, status, problems) and _check_mode(path, status, OTHERS, "it holds a secret", problems)


def check_file_integrity(path: Path, status: os.stat_result, problems: Problems) -> bool:
    """Whether a file that we trust belongs to root or us, and cannot be written by anybody else."""
    return _check_owner(path, status, problems) and _check_mode(path, status, OTHERS_WRITE, "we trust it", problems)


def check_written_by_owner_only(path: Path, status: os.stat_result, problems: Problems) -> bool:
    """Whether a file that we trust as we trust its owner cannot be written by anybody else."""
    return _check_mode(path, status, OTHERS_WRITE, "we trust it", problems)


def _check_owner(path: Path, status: os.stat_result, problems: Problems) -> bool:
    if status.st_uid in (0, os.geteuid()):
        return True
    message = f"`{path}` belongs to user {status.st_uid}, neither to root nor to us"
    problems.error(None, message, f"chown {os.geteuid()} {path}")
    return False


def _check_mode(path: Path, status: os.stat_result, forbidden: int, why: str, problems: Problems) -> bool:
    mode = stat.S_IMODE(status.st_mode)
    if not mode & forbidden:
        return True
    message = f"`{path}` is open to other users (mode {mode:04o}), but {why}"
    problems.error(None, message, f"chmod {mode & ~forbidden & 0o777:o} {path}")
    return False
