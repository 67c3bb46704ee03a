# SPDX-License-Identifier: ISC
"""Where commands have passphrases from: a file, the environment, or whoever sits at the terminal. Never an argument,
which every user of the machine could read."""

import os
import stat
import sys
from pathlib import Path
from typing import Final

import click

from pki.errors import KeystoreError
from pki.keystore import Passphrase

VARIABLE: Final = "KEYNOTE_PKI_PASSPHRASE"
_MAX: Final = 1024  # bytes

in_file = click.option(
    "--passphrase-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help=f"Where the passphrase of private keys is, in its first line. Default: ${VARIABLE}, else it is asked for.",
)


def source(file: Path | None) -> Passphrase:
    """Asked for the passphrase of a key file when that turns out to be encrypted; of each file once."""
    known: dict[Path, bytes] = {}

    def asked(path: Path) -> bytes:
        if path not in known:
            known[path] = _told(file) or _prompted(f"passphrase of {path}")
        return known[path]

    return asked


def new(file: Path | None, *, ask: bool) -> bytes | None:
    """What new keys are to be encrypted with, if at all. Raises KeystoreError, click.UsageError."""
    if found := _told(file):
        return found
    if not ask:
        return None
    if not sys.stdin.isatty():
        raise click.UsageError(
            f"--passphrase asks at a terminal, and this is none: use --passphrase-file or ${VARIABLE}"
        )
    text: str = click.prompt("new passphrase", hide_input=True, confirmation_prompt=True, err=True)
    return text.encode()


def _told(file: Path | None) -> bytes:
    if file is not None:
        return _first_line(file)
    return os.environb.get(VARIABLE.encode(), b"")


def _prompted(what: str) -> bytes:
    if not sys.stdin.isatty():
        return b""
    text: str = click.prompt(what, hide_input=True, err=True)
    return text.encode()


def _first_line(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            if os.fstat(file.fileno()).st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise KeystoreError(f"passphrase file `{path}` can be read by others", f"chmod 600 {path}")
            line = file.readline(_MAX).rstrip(b"\r\n")
    except OSError as error:
        raise KeystoreError(f"passphrase file `{path}` cannot be read: {error.strerror}") from error
    if not line:
        raise KeystoreError(f"passphrase file `{path}` has an empty first line", "write the passphrase into it")
    return line
