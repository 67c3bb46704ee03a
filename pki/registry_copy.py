# SPDX-License-Identifier: ISC
"""A registry as one file of SQLite's, whatever database it is in."""

import contextlib
import os
import sqlite3
from pathlib import Path

from pki import keystore
from pki.errors import RegistryUnreachable
from pki.registry_database import Database


def copy_file(source: Database, target: Path) -> None:
    """A new file, whole and on the disk when this returns, with all that SQLite's `source` has committed. It needs no
    other file beside it. Raises RegistryUnreachable, and KeystoreError where the name is taken."""
    assert source.file is not None
    keystore.write(target, b"", source.file.stat().st_mode & 0o777)
    try:
        with (
            contextlib.closing(sqlite3.connect(f"{source.file.absolute().as_uri()}?mode=ro", uri=True)) as reader,
            contextlib.closing(sqlite3.connect(target)) as writer,
        ):
            reader.backup(writer)
            writer.execute("PRAGMA journal_mode = DELETE")
        descriptor = os.open(target, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except (sqlite3.Error, OSError) as error:
        raise RegistryUnreachable(f"`{target}` cannot be written: {error}", "is the disk full?") from error
