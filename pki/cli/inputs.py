# SPDX-License-Identifier: ISC
"""What commands read: files, or standard input."""

import sys
from pathlib import Path
from typing import Final

from pki import whole_files
from pki.errors import PkiError, shown

STANDARD: Final = Path("-")


def content(path: Path, most: int = whole_files.FEW) -> bytes:
    """Of a file. Raises PkiError, which names it, also for more than `most` bytes."""
    try:
        return whole_files.content(path, most)
    except OSError as error:
        raise PkiError(f"`{shown(str(path))}` cannot be read: {error.strerror}") from error


def content_or_standard(path: Path, most: int = whole_files.FEW) -> bytes:
    """The same, where `-` is standard input."""
    if path == STANDARD:
        return whole_files.bounded(sys.stdin.buffer, "standard input", most)
    return content(path, most)
