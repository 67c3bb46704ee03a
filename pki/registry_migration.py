# SPDX-License-Identifier: ISC
"""From the schema of an earlier version to ours, by somebody's wish only, without losing a row.

All of it is one transaction: who is killed in the middle, or finds less afterwards than before, leaves the old
registry. SQLite cannot alter most things and makes tables anew instead; with foreign keys on, that would empty those
that point to them. So they are off, and what points where is counted before and after.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from pki.errors import KeystoreError, RegistryError
from pki.registry_copy import copy_file, discard
from pki.registry_database import EARLIER, SCHEMA, Database, check_schema, migrations, revisions


@dataclass(frozen=True, slots=True)
class Migrated:
    """What was done to a registry."""

    before: str  # revisions
    after: str
    rows: Mapping[str, int]  # by table, those that were there and are there
    backup: Path | None  # the whole registry as it was; None: PostgreSQL, which is asked for that itself


def migrate(url: str | Path) -> Migrated | None:
    """Bring a registry up to date; None where it is. A file is copied first, to a new name beside it.

    Raises SchemaUnknown for a newer one and for what is no registry, RegistryUnreachable, KeystoreError, and
    RegistryError where it is damaged or something would be lost: then it is as it was."""
    database = Database(url, "rw")
    with database.connection() as connection:
        if revisions(connection) == [SCHEMA]:
            return None
    with _backup_beside(database) as backup, database.altering(foreign_keys=False) as connection:
        found = revisions(connection)
        if len(found) != 1 or found[0] not in EARLIER:
            check_schema(connection)
            return None  # somebody else has done it meanwhile
        if backup is not None:
            copy_file(database, backup)
        before = _census(connection)
        _upgrade(connection)
        after = _census(connection)
        if lost := [*_lost(before.rows, after.rows), *_lost(before.links, after.links)]:
            raise RegistryError(f"the migration would change {lost[0]}", "the registry is as it was: report this")
    return Migrated(found[0], SCHEMA, before.rows, backup)


@contextlib.contextmanager
def _backup_beside(database: Database) -> Iterator[Path | None]:
    """A name for the backup of a file; whatever is there goes again if this block fails."""
    if database.file is None:
        yield None
        return
    ends = itertools.chain([""], (f".{number}" for number in itertools.count(2)))
    names = (database.file.with_name(f"{database.file.stem}-before-{SCHEMA}{end}.sqlite") for end in ends)
    backup = next(name for name in names if not name.exists())
    try:
        yield backup
    except BaseException:
        with contextlib.suppress(KeystoreError):
            discard(backup)
        raise


def _upgrade(connection: sa.Connection) -> None:
    from alembic import command  # slow to import, and seldom needed

    command.upgrade(migrations(connection), SCHEMA)


@dataclass(frozen=True, slots=True)
class _Census:
    rows: dict[str, int] = field(default_factory=dict)  # by table
    links: dict[str, int] = field(default_factory=dict)  # by foreign key: rows that point to one that is there


def _census(connection: sa.Connection) -> _Census:
    """What is there, as the database itself describes its tables. Raises RegistryError for rows that point to
    nothing."""
    census = _Census()
    schema = sa.MetaData()
    schema.reflect(connection)
    for table in schema.tables.values():
        if table.name == "alembic_version":
            continue
        census.rows[table.name] = _count(connection, sa.select(table))
        for key in table.foreign_key_constraints:
            parent = key.referred_table.alias()
            points = sa.and_(*(column.is_not(None) for column in key.columns))
            matches = sa.and_(*(it.parent == parent.c[it.column.name] for it in key.elements))
            name = f"{table.name} ({', '.join(key.column_keys)}) → {key.referred_table.name}"
            census.links[name] = _count(connection, sa.select(table).join(parent, matches))
            if census.links[name] != _count(connection, sa.select(table).where(points)):
                raise RegistryError(
                    f"the registry is damaged: rows of {name} point to nothing", "restore a backup of it"
                )
    if connection.dialect.name == "sqlite" and connection.exec_driver_sql("PRAGMA foreign_key_check").first():
        raise RegistryError("the registry is damaged: its foreign keys do not hold", "restore a backup of it")
    return census


def _count(connection: sa.Connection, rows: sa.Select[tuple[object]]) -> int:
    return connection.scalar(rows.with_only_columns(sa.func.count(), maintain_column_froms=True)) or 0


def _lost(before: Mapping[str, int], after: Mapping[str, int]) -> list[str]:
    return [
        f"{name}: {count} rows before, {after.get(name, 0)} after"
        for name, count in before.items()
        if after.get(name) != count
    ]
