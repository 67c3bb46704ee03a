# SPDX-License-Identifier: ISC
"""The database under the registry: how it is opened, by whom it may be read, its transactions, its schema.

SQLite in a file by default, else whatever the URL says. Connections are opened for each use: a file that took
another's place is seen at once, and a process that forks shares none.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pki import models
from pki.errors import RegistryError, RegistryUnreachable, SchemaUnknown

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA = "0002"  # the newest revision in migrations/, and the only one that this version reads and writes

Mode = Literal["ro", "rw", "rwc"]  # as SQLite has them: read only, read and write, and make it if need be
_BUSY_SECONDS = {"ro": 1, "rw": 30, "rwc": 30}  # a daemon that only reads had better say no than wait

# What BEGIN IMMEDIATE does for SQLite. Held to the end of the transaction; the number is ours alone.
_LOCK = sa.text("SELECT pg_advisory_xact_lock(2704)")


class Database:
    """One database, opened to read or to write. Raises RegistryUnreachable for a URL that cannot be used."""

    def __init__(self, url: str | Path, mode: Mode) -> None:
        path = _file(url)
        self._engine = _other_engine(str(url), mode) if path is None else _sqlite_engine(path, mode)
        self._file = None if mode == "ro" else path

    @contextlib.contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """To read with few words. Raises RegistryUnreachable."""
        with _clear_errors(), self._left_readable(), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """To read objects. Raises RegistryUnreachable."""
        with _clear_errors(), self._left_readable(), Session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """Holds the right to write from its first statement on: writers wait for each other, none fails halfway.

        Raises RegistryUnreachable, and RegistryError for what the tables' constraints forbid."""
        engine = self._engine.execution_options(immediate=True)
        with _clear_errors(), self._left_readable(), Session(engine) as session, session.begin():
            if engine.dialect.name == "postgresql":
                session.execute(_LOCK)
            yield session

    @contextlib.contextmanager
    def _left_readable(self) -> Iterator[None]:
        """The last writer's connection removes the files beside a WAL database when it closes, and who may not write
        to the directory could not read until somebody makes them again: so they are made again at once, empty."""
        try:
            yield
        finally:
            if self._file is not None:
                with contextlib.suppress(OSError):  # a directory that we cannot write either
                    mode = self._file.stat().st_mode & 0o777
                    for suffix in ("-wal", "-shm"):
                        os.close(os.open(f"{self._file}{suffix}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode))


def check_schema(connection: sa.Connection) -> None:
    """Raises SchemaUnknown for any revision but ours."""
    try:
        found = connection.scalars(sa.text("SELECT version_num FROM alembic_version")).all()
    except (exc.OperationalError, exc.ProgrammingError) as error:
        if "alembic_version" not in str(error.orig):
            raise
        raise SchemaUnknown("this database is no registry", "make one with `keynote-pki init DIR`") from error
    if found != [SCHEMA]:
        raise SchemaUnknown(
            f"the registry has schema {', '.join(found) or 'none'}, this version knows {SCHEMA} only",
            "use the version that wrote it",
        )


def make_schema(connection: sa.Connection) -> None:
    """Make the tables where there are none yet, in the transaction that is open."""
    if sa.inspect(connection).has_table("alembic_version"):
        return
    from alembic import command  # slow to import, and needed once in the life of a registry

    models.Base.metadata.create_all(connection)
    command.stamp(migrations(connection), SCHEMA)


def migrations(connection: sa.Connection) -> "Config":
    """What Alembic wants to know of ours, which run on this connection and in its transaction."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _file(url: str | Path) -> Path | None:
    """The file of an SQLite database, which may be named by its path or by a URL."""
    if isinstance(url, Path):
        return url
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    return None if "://" in url else Path(url)


def _sqlite_engine(path: Path, mode: Mode) -> sa.Engine:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS[mode], isolation_level=None)
        connection.execute("PRAGMA foreign_keys = ON")
        if mode != "ro":
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
        return connection

    engine = sa.create_engine("sqlite://", creator=connect, poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    # The driver's own transactions begin late and leave DDL outside; these are ours from BEGIN to COMMIT.
    immediate = connection.get_execution_options().get("immediate", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")


def _other_engine(url: str, mode: Mode) -> sa.Engine:
    options = {"postgresql_readonly": True} if mode == "ro" else {}
    try:
        return sa.create_engine(url, poolclass=NullPool, execution_options=options)
    except (exc.ArgumentError, ImportError) as error:
        raise RegistryUnreachable(f"registry URL cannot be used: {error}") from error


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise RegistryError(f"the registry refuses this: {error.orig}") from error
    except exc.DBAPIError as error:
        raise RegistryUnreachable(
            f"the registry cannot be used: {error.orig}",
            "is it there, readable with the -wal and -shm files beside it, and the disk not full?",
        ) from error
