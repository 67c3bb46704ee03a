# SPDX-License-Identifier: ISC
"""Files that commands write: never over another by mistake, and secrets for their owner alone."""

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import click

from keynote.complaints import BadInput, Place

#: What may name it besides `-`.
STANDARD_OUTPUT: Final = frozenset({"-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"})

SECRET: Final = 0o600
PUBLIC: Final = 0o666  # less the umask


class Output(NamedTuple):
    """A text to be written, in Latin-1, to a file that has this mode from its beginning. `-` is standard output."""

    path: Path
    text: str
    mode: int


def refuse_input(output: Path, inputs: Iterable[Path]) -> None:
    """Raises BadInput where a command would write over what it reads, by whatever name."""
    for path in inputs:
        with contextlib.suppress(OSError):  # one of them is not there
            if os.path.samefile(path, output) and not _is_device(output):
                raise BadInput("would be written over, and is read here", Place(str(output)))


def refuse_existing(path: Path) -> None:
    """Raises BadInput where writing would take the place of a file."""
    if os.path.lexists(path) and not _is_device(path):
        raise BadInput("is there already", Place(str(path)), "--force writes over it")


def write(outputs: Sequence[Output], *, force: bool) -> None:
    """All of them, or none: what is printed comes between making the files and giving them their names.

    Raises BadInput if there is a file and not `force`, and OSError.
    """
    prepared: list[tuple[str, Path]] = []
    with contextlib.ExitStack() as undo:
        for path, text, mode in outputs:
            if str(path) == "-" or _is_device(path):
                continue
            if force:
                name = _beside(path, text, mode & ~_umask())
                prepared.append((name, path))
            else:
                refuse_existing(path)
                name = str(path)
                _create(path, text, mode)
            undo.callback(_unlink, name)
        for path, text, _ in outputs:
            if str(path) == "-":
                click.echo(text, nl=False)
            elif _is_device(path):
                path.write_text(text, encoding="latin-1")
        for name, path in prepared:
            os.replace(name, path)
        undo.pop_all()


def _create(path: Path, text: str, mode: int) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "w", encoding="latin-1") as file:
            file.write(text)
    except OSError:
        path.unlink()
        raise


def replace(path: Path, text: str, mode: int) -> None:
    """Put a file in the place of `path`, or of what it links to, at once: whoever reads it finds the old text or the
    new one. Raises BadInput for what is no file, such as a pipe, and OSError."""
    if _is_device(path):
        raise BadInput("is no file that another could take the place of", Place(str(path)))
    path = path.resolve()
    name = _beside(path, text, mode)
    try:
        os.replace(name, path)
    except OSError:
        _unlink(name)
        raise


def _beside(path: Path, text: str, mode: int) -> str:
    """A file on the disk that can take the place of `path`, and its name."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    try:
        with os.fdopen(descriptor, "w", encoding="latin-1") as file:
            os.fchmod(descriptor, mode)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
    except OSError:
        _unlink(name)
        raise
    return name


def _unlink(name: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(name)


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
