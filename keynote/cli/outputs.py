# SPDX-License-Identifier: ISC
"""Files that commands write: never over another by mistake, and secrets for their owner alone."""

import contextlib
import os
import stat
import tempfile
from pathlib import Path
from typing import Final

import click

from keynote.complaints import BadInput, Place

SECRET: Final = 0o600
PUBLIC: Final = 0o666  # less the umask


def refuse_existing(path: Path) -> None:
    """Raises BadInput where writing would take the place of a file."""
    if os.path.lexists(path) and not _is_device(path):
        raise BadInput("is there already", Place(str(path)), "--force writes over it")


def write(path: Path, text: str, mode: int, *, force: bool) -> None:
    """`text`, in Latin-1, as a file that has this mode from its beginning. `-` is standard output.

    Raises BadInput if there is a file and not `force`, and OSError.
    """
    if str(path) == "-":
        click.echo(text, nl=False)
    elif _is_device(path):
        path.write_text(text, encoding="latin-1")
    elif force:
        replace(path, text, mode & ~_umask())
    else:
        refuse_existing(path)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
        try:
            with os.fdopen(descriptor, "w", encoding="latin-1") as file:
                file.write(text)
        except OSError:
            path.unlink()
            raise


def replace(path: Path, text: str, mode: int) -> None:
    """Put a file in the place of `path` at once: whoever reads it finds the old text or the new one."""
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(descriptor, "w", encoding="latin-1") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        os.replace(name, path)
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(name)
        raise


def _is_device(path: Path) -> bool:
    """/dev/stdout, a pipe, a terminal: nothing that could be lost."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def _umask() -> int:
    found = os.umask(0o077)
    os.umask(found)
    return found
