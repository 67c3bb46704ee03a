# SPDX-License-Identifier: ISC
"""A registry as one file of SQLite's, whatever database it is in, and out of such a file again.

What is in a registry is told by the number of rows of each table and a SHA-256 over them, which does not depend on
the database: JSON of the columns, row by row in the order of the primary key.
"""

import contextlib
import datetime
import hashlib
import itertools
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import audit, keystore, models, registry_audit
from pki.audit import AuditEntry, Head
from pki.errors import RegistryError, RegistryUnreachable
from pki.registry_database import Database, beside, check_schema, is_registry, make_schema

_TABLES: Final = models.Base.metadata.sorted_tables  # those that others point to first
_BATCH: Final = 1000


@dataclass(frozen=True, slots=True)
class Table:
    rows: int
    sha256: str  # hex


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a registry."""

    tables: Mapping[str, Table]
    head: Head  # of the audit log


def copy_file(source: Database, target: Path) -> None:
    """A new file, whole and on the disk when this returns, with all that SQLite's `source` has committed. It needs no
    other file beside it. Raises RegistryUnreachable, and KeystoreError where the name is taken."""
    assert source.file is not None
    keystore.write(target, b"", source.file.stat().st_mode & 0o777)
    try:
        with source.driver_connection() as reader, contextlib.closing(sqlite3.connect(target)) as writer:
            reader.backup(writer)
        _seal(target)
    except (sqlite3.Error, OSError) as error:
        discard(target)
        raise RegistryUnreachable(f"`{target}` cannot be written: {error}", "is the disk full?") from error


def discard(file: Path) -> None:
    """Remove a database that is of no use, and what is beside it. Raises KeystoreError."""
    for path in (*beside(file), file):
        keystore.discard(path)


def snapshot(url: str | Path, target: Path) -> Contents:
    """The registry, as it is at one moment, as a new file of SQLite's; what is in it, checked. Raises RegistryError,
    KeystoreError."""
    source = Database(url, "ro")
    if source.file is not None:
        copy_file(source, target)
    else:
        with source.connection() as connection:
            check_schema(connection)
            _fill(connection, Database(target, "rwc"))
        try:
            _seal(target)
        except (sqlite3.Error, OSError) as error:
            raise RegistryUnreachable(f"`{target}` cannot be written: {error}", "is the disk full?") from error
    return contents(target)


def put(file: Path, url: str) -> None:
    """The rows of a file's registry into a database that has none; fine if they are all there already, and nothing
    else. Raises RegistryError, RegistryUnreachable; then the database is as it was."""
    target = Database(url, "rwc")
    with target.connection() as connection:
        there = is_registry(connection)
    if not there:
        with Database(file, "ro").connection() as connection:
            _fill(connection, target)
    if contents(url) != contents(file):
        raise RegistryError("the database holds another registry", "restore into an empty one")


def contents(url: str | Path) -> Contents:
    """What is in a registry, at one moment. Raises RegistryError where something of it cannot be right,
    RegistryUnreachable, SchemaUnknown."""
    with Database(url, "ro").connection() as connection:
        check_schema(connection)
        if connection.dialect.name == "sqlite":
            _check_file(connection)
        tables = {table.name: _digest(connection, table) for table in _TABLES}
        return Contents(tables, _audit_head(connection))


def _seal(file: Path) -> None:
    """Nothing beside it, all of it on the disk. Raises sqlite3.Error, OSError."""
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fill(source: sa.Connection, target: Database) -> None:
    with target.altering() as connection:
        make_schema(connection)
        for table in _TABLES:
            if table.name == models.Authority.__tablename__:  # one may point to a later one: all in one statement
                if rows := list(_rows(source, table)):
                    connection.execute(table.insert().values(rows))
                continue
            # The same holds of certificates, which are too many for one: they point when all are there.
            itself = [key.parent for key in table.foreign_keys if key.column.table is table]
            later = []
            for rows in _batches(_rows(source, table)):
                for row in rows:
                    if any(row[column.name] is not None for column in itself):
                        later.append(dict(row))
                        row.update({column.name: None for column in itself})
                connection.execute(table.insert(), rows)
            for row in later:
                same = sa.and_(*(column == row[column.name] for column in table.primary_key))
                connection.execute(table.update().where(same).values({it.name: row[it.name] for it in itself}))
        if connection.dialect.name == "postgresql":
            _count_on(connection)


def _count_on(connection: sa.Connection) -> None:
    """Numbers that the database gives out go on after those that were put in."""
    for table in _TABLES:
        if (column := table.autoincrement_column) is not None:
            sequence = sa.func.pg_get_serial_sequence(table.name, column.name)
            last = sa.select(sa.func.max(column)).scalar_subquery()
            connection.execute(sa.select(sa.func.setval(sequence, last)).where(last.is_not(None)))


def _rows(connection: sa.Connection, table: sa.Table) -> Iterator[dict[str, Any]]:
    query = sa.select(table).order_by(*table.primary_key)
    for row in connection.execute(query, execution_options={"yield_per": _BATCH}).mappings():
        yield dict(row)


def _batches(rows: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    while batch := list(itertools.islice(rows, _BATCH)):
        yield batch


def _digest(connection: sa.Connection, table: sa.Table) -> Table:
    digest = hashlib.sha256()
    count = 0
    for row in _rows(connection, table):
        if row.get("sha256") is not None and hashlib.sha256(row["der"]).hexdigest() != row["sha256"]:
            raise RegistryError(f"the registry is damaged: serial number {row['serial']} is another certificate")
        text = json.dumps([_plain(row[column.name]) for column in table.columns], separators=(",", ":"))
        digest.update(text.encode() + b"\n")
        count += 1
    return Table(count, digest.hexdigest())


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case datetime.datetime():
            return value.isoformat()
    return value


def _audit_head(connection: sa.Connection) -> Head:
    """Of the log, each of whose entries has to hang on the one before it."""
    rows = _rows(connection, models.Base.metadata.tables[models.AuditEntry.__tablename__])
    for finding in audit.check_chain(AuditEntry(**row) for row in rows):
        raise RegistryError(
            f"the audit log is not whole: {finding.message}",
            "somebody has changed it: keep this registry, and compare it with older backups",
        )
    with Session(connection) as session:
        return registry_audit.head(session)


def _check_file(connection: sa.Connection) -> None:
    for pragma in ("integrity_check", "foreign_key_check"):
        for row in connection.exec_driver_sql(f"PRAGMA {pragma}"):
            if tuple(row) != ("ok",):
                raise RegistryError(f"the registry is damaged: {' '.join(map(str, row))}", "restore a backup of it")
