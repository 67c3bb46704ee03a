# SPDX-License-Identifier: ISC
"""Files that decide who may come in: read whole, and only if nobody else could have written or read them."""

import os
import stat
from pathlib import Path

from ike_auth.config.errors import Problems, quoted

LARGEST = 16 * 2**20  # bytes
OTHERS = 0o077  # what a file with a secret grants nobody
OTHERS_WRITE = 0o022


def read_file(path: Path, problems: Problems) -> tuple[bytes, os.stat_result] | None:
    """The bytes of a regular file, and the status of exactly what was read; None with a complaint."""
    try:
        # Without O_NONBLOCK a FIFO of this name would hold us here.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except (OSError, ValueError) as error:
        problems.error(None, f"cannot read {quoted(str(path))}: {_reason(error)}")
        return None
    with open(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            problems.error(None, f"cannot read {quoted(str(path))}: it is not a regular file")
            return None
        if status.st_size > LARGEST:
            problems.error(None, f"cannot read {quoted(str(path))}: it has more than {LARGEST >> 20} MB")
            return None
        return file.read(LARGEST), status


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


def _check_owner(path: Path, status: os.stat_result, problems: Problems) -> bool:
    if status.st_uid in (0, os.geteuid()):
        return True
    message = f"{quoted(str(path))} belongs to user {status.st_uid}, neither to root nor to us"
    problems.error(None, message, f"chown {os.geteuid()} {path}")
    return False


def _check_mode(path: Path, status: os.stat_result, forbidden: int, why: str, problems: Problems) -> bool:
    mode = stat.S_IMODE(status.st_mode)
    if not mode & forbidden:
        return True
    message = f"{quoted(str(path))} is open to other users (mode {mode:04o}), but {why}"
    problems.error(None, message, f"chmod {mode & ~forbidden & 0o777:o} {path}")
    return False


def _reason(error: Exception) -> str:
    return (error.strerror or str(error)).lower() if isinstance(error, OSError) else str(error)
