# SPDX-License-Identifier: ISC
"""The database under the registry: how it is opened, by whom it may be read, its transactions, its schema.

SQLite in a file by default, else PostgreSQL by its URL. Connections are opened for each use: a file that took
another's place is seen at once, and a process that forks shares none.
"""

import contextlib
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pki import models
from pki.errors import EDITED, RegistryError, RegistryUnreachable, SchemaUnknown, shown
from pki.registry_values import Garbled, Unreadable, UtcDateTime, reading_on

if TYPE_CHECKING:
    from alembic.config import Config

SCHEMA: Final = "0005"  # the newest revision in migrations/, and the only one that this version reads and writes
EARLIER: Final = ("0001", "0002", "0003", "0004")  # those before it, which `registry_migration` knows the way from

Mode = Literal["ro", "rw", "rwc"]  # as SQLite has them: read only, read and write, and make it if need be
_ATTEMPTS: Final = 20  # to change the mode of a file that others change too
_BUSY_SECONDS = {"ro": 1, "rw": 30, "rwc": 30}  # a daemon that only reads had better say no than wait
_CONNECT_SECONDS = {"ro": 3, "rw": 10, "rwc": 10}

# What BEGIN IMMEDIATE does for SQLite. Held to the end of the transaction; the number is ours alone.
_LOCK = sa.text("SELECT set_config('lock_timeout', :milliseconds, true), pg_advisory_xact_lock(2704)")
_LACKS_TABLE, _LACKS_RIGHT = "42P01", "42501"  # SQLSTATEs
_HINTS = {
    "sqlite": "is it there, readable with the -wal and -shm files beside it, and the disk not full?",
    "postgresql": "does the server run, and does it know this user and database?",
}


class Database:
    """One database, opened to read or to write. Raises RegistryUnreachable for a URL that cannot be used."""

    def __init__(self, url: str | Path, mode: Mode) -> None:
        self.file = file_of(url)  # None: it is none of SQLite's
        if self.file is None:
            engine = _postgresql_engine(str(url), mode)
            # All that is read in one go is of one moment, as it is with SQLite.
            self._reader: sa.Engine = engine.execution_options(
                isolation_level="REPEATABLE READ", postgresql_readonly=True
            )
            self._engine = self._reader if mode == "ro" else engine
        else:
            self._engine = self._reader = _sqlite_engine(self.file, mode)
        self._mode = mode

    @property
    def dialect(self) -> str:
        """`sqlite` or `postgresql`."""
        return self._engine.dialect.name

    @contextlib.contextmanager
    def connection(self) -> Iterator[sa.Connection]:
        """To read with few words. Raises RegistryUnreachable."""
        with self._clear_errors(), self._left_readable(), self._reader.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def driver_connection(self) -> Iterator[sqlite3.Connection]:
        """SQLite's own, to copy the database; not without writing where nothing can be read otherwise, see
        `sqlite_connection`. Raises sqlite3.Error."""
        assert self.file is not None
        with contextlib.closing(sqlite_connection(self.file, "ro")) as connection:
            try:
                connection.execute("SELECT count(*) FROM sqlite_schema")
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode not in _NO_SHARED_MEMORY:
                    raise
            else:
                yield connection
                return
        other = Database(self.file, "rw")
        with other._left_readable(), contextlib.closing(sqlite_connection(self.file, "rw")) as connection:
            yield connection

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """To read objects. Raises RegistryUnreachable."""
        with self._clear_errors(), self._left_readable(), Session(self._reader) as session:
            yield session

    @contextlib.contextmanager
    def transaction(self) -> Iterator[Session]:
        """Holds the right to write from its first statement on: writers wait for each other, none fails halfway.

        Raises RegistryUnreachable, RegistryError for what the tables' constraints forbid, and SchemaUnknown, for a
        registry may be migrated while a process that knows the old schema has it open."""
        with self.altering() as connection:
            check_schema(connection)
            with Session(connection) as session, session.begin():
                yield session

    @contextlib.contextmanager
    def altering(self, *, foreign_keys: bool = True) -> Iterator[sa.Connection]:
        """A transaction for the schema itself, with the right to write. SQLite makes a table anew to alter it, and
        needs `foreign_keys` off for that, before the transaction begins. Raises RegistryUnreachable."""
        engine = self._engine.execution_options(immediate=True, foreign_keys=foreign_keys)
        with self._clear_errors(), self._left_readable(), engine.begin() as connection:
            if self.dialect == "postgresql":
                connection.execute(_LOCK, {"milliseconds": str(_BUSY_SECONDS[self._mode] * 1000)})
            yield connection

    @contextlib.contextmanager
    def _left_readable(self) -> Iterator[None]:
        """The last writer's connection removes the files beside a WAL database when it closes, and who may not write
        to the directory could not read until somebody makes them again: so they are made again at once, empty."""
        try:
            yield
        finally:
            if self.file is not None and self._mode != "ro":
                with contextlib.suppress(OSError):  # a directory that we cannot write either
                    mode = self.file.stat().st_mode & 0o777
                    for suffix in ("-wal", "-shm"):
                        os.close(os.open(f"{self.file}{suffix}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode))

    def _read_only(self) -> Path | None:
        """What keeps us from writing, where we want to: SQLite says no more than that it cannot open a file."""
        if self.file is None or self._mode == "ro" or not self.file.exists():
            return None
        return next((it for it in (self.file, self.file.absolute().parent) if not os.access(it, os.W_OK)), None)

    @contextlib.contextmanager
    def _clear_errors(self) -> Iterator[None]:
        try:
            yield
        except exc.IntegrityError as error:
            raise RegistryError(f"the registry refuses this: {_words(error)}") from error
        except exc.DBAPIError as error:
            hint, kept, words = _HINTS[self.dialect], self._read_only(), _words(error)
            if getattr(error.orig, "sqlite_errorcode", None) in _NO_SHARED_MEMORY:
                words, hint = f"its disk is full ({words})", f"make room on the disk of `{self.file}`, some megabytes"
            if kept is not None:
                hint = f"`{kept}` may only be read by us"
            if _sqlstate(error) == _LACKS_RIGHT:
                hint = "whoever owns the tables has to GRANT that (docs/registry.md)"
            raise RegistryUnreachable(f"the registry cannot be used: {words}", hint) from error
        except Unreadable as error:
            with self._reader.connect() as connection:
                where = _unreadable(connection)
            raise RegistryUnreachable(f"the registry cannot be used: {where or error}", EDITED) from None


def _unreadable(connection: sa.Connection) -> str:
    """The first row with something in the place of a moment, and what."""
    with reading_on():
        for table in models.Base.metadata.sorted_tables:
            moments = [it for it in table.columns if isinstance(it.type, UtcDateTime)]
            known_by = [it for it in table.columns if it.primary_key or it.name == "name"]
            for row in connection.execute(sa.select(*known_by, *moments)) if moments else ():
                for column in moments:
                    if isinstance(found := row._mapping[column], Garbled):
                        which = ", ".join(f"{it.name} `{shown(str(row._mapping[it]))}`" for it in known_by)
                        return f"{column.name} of the {table.name} with {which} is `{found}`, which is no moment"
    return ""


def check_schema(connection: sa.Connection) -> None:
    """Raises SchemaUnknown for any revision but ours."""
    found = revisions(connection)
    if found != [SCHEMA]:
        earlier = len(found) == 1 and found[0] in EARLIER
        raise SchemaUnknown(
            f"the registry has schema {', '.join(found) or 'none'}, this version knows {SCHEMA} only",
            "bring it up to date with `keynote-pki migrate --dir DIR`"
            if earlier
            else "use the version that wrote it",
        )


def revisions(connection: sa.Connection) -> list[str]:
    """What Alembic wrote down: one revision, in a registry that is whole. Raises SchemaUnknown for no registry."""
    try:
        return [str(it) for it in connection.scalars(sa.text("SELECT version_num FROM alembic_version"))]
    except (exc.OperationalError, exc.ProgrammingError) as error:
        if _sqlstate(error) != _LACKS_TABLE and "no such table" not in str(error.orig):
            raise
        raise SchemaUnknown("this database is no registry", "make one with `keynote-pki init DIR`") from error


def is_registry(connection: sa.Connection) -> bool:
    """Whether there is one, of whatever version."""
    return sa.inspect(connection).has_table("alembic_version")


def make_schema(connection: sa.Connection) -> None:
    """Make the tables where there are none yet, in the transaction that is open."""
    if is_registry(connection):
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


def file_of(url: str | Path) -> Path | None:
    """The file of an SQLite database, which may be named by its path or by a URL; None for another database."""
    if isinstance(url, Path):
        return url
    if url.startswith("sqlite:///"):
        return Path(url.removeprefix("sqlite:///"))
    return None if "://" in url else Path(url)


def beside(file: Path) -> tuple[Path, ...]:
    """What SQLite may keep with a database."""
    return tuple(Path(f"{file}{suffix}") for suffix in ("-wal", "-shm", "-journal"))


def without_password(url: str | Path) -> str:
    """The URL, or path, as it may be shown. Raises RegistryUnreachable for a URL that is none."""
    if file_of(url) is not None:
        return str(url)
    made = _parsed(str(url))
    return made.set(query={k: v for k, v in made.query.items() if k != "password"}).render_as_string()


def sqlite_connection(path: Path, mode: Mode) -> sqlite3.Connection:
    """One without transactions of the driver's.

    Even who only reads needs the shared memory beside a WAL database, which a full disk has no room for. Who may
    write does without, by keeping everybody else out (https://sqlite.org/wal.html#noshm): nobody else who begins now
    gets in anyway. Who opens it to read only is not to do that, and fails. Raises sqlite3.Error."""
    try:
        return _connected(path, mode)
    except sqlite3.OperationalError as error:
        if mode == "ro" or error.sqlite_errorcode not in _NO_SHARED_MEMORY:
            raise
        return _connected(path, mode, alone=True)


def _connected(path: Path, mode: Mode, *, alone: bool = False) -> sqlite3.Connection:
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS[mode], isolation_level=None)
    try:
        if alone:
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA foreign_keys = ON")
        if mode != "ro":
            _keep_a_log(connection)
            connection.execute("PRAGMA synchronous = FULL")
    except BaseException:
        connection.close()
        raise
    return connection


def _keep_a_log(connection: sqlite3.Connection) -> None:
    """WAL. Of several that open a new file at once SQLite lets one make it so, and tells the others without waiting
    that the file is locked; for a transaction it waits."""
    for _ in range(_ATTEMPTS):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")
    connection.execute("PRAGMA journal_mode = WAL")


_NO_SHARED_MEMORY: Final = frozenset(
    {
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR_SHMSIZE,
        sqlite3.SQLITE_IOERR_SHMMAP,
    }
)


def _sqlite_engine(path: Path, mode: Mode) -> sa.Engine:
    engine = sa.create_engine("sqlite://", creator=lambda: sqlite_connection(path, mode), poolclass=NullPool)
    event.listen(engine, "begin", _begin)
    return engine


def _begin(connection: sa.Connection) -> None:
    # The driver's own transactions begin late and leave DDL outside; these are ours from BEGIN to COMMIT.
    options = connection.get_execution_options()
    if not options.get("foreign_keys", True):
        connection.exec_driver_sql("PRAGMA foreign_keys = OFF")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if options.get("immediate", False) else "BEGIN")


def _postgresql_engine(url: str, mode: Mode) -> sa.Engine:
    parsed = _parsed(url)
    if parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        raise RegistryUnreachable(
            f"registry URL cannot be used: `{shown(parsed.drivername)}` is not known here",
            "write postgresql://USER@HOST/DATABASE, or the path of an SQLite file",
        )
    arguments = {} if "connect_timeout" in parsed.query else {"connect_timeout": _CONNECT_SECONDS[mode]}
    try:
        return sa.create_engine(
            parsed.set(drivername="postgresql+psycopg"), poolclass=NullPool, connect_args=arguments
        )
    except ImportError as error:
        raise RegistryUnreachable(
            f"registry URL cannot be used: {error}", "install the driver: pip install 'keynote-ike[postgres]'"
        ) from error


def _parsed(url: str) -> sa.URL:
    try:
        return sa.make_url(url)
    except (exc.ArgumentError, ValueError):  # whose words may hold a part of the password
        raise RegistryUnreachable(
            "registry URL cannot be used: it is not of the form DATABASE://USER:PASSWORD@HOST:PORT/NAME",
            "write what is no letter or digit of a password as %XX",
        ) from None


def _sqlstate(error: exc.DBAPIError) -> str | None:
    return getattr(error.orig, "sqlstate", None)


def _words(error: exc.DBAPIError) -> str:
    """The driver's, in one line. They name users, servers and keys, never a password."""
    return shown(" ".join(str(error.orig).split()))
