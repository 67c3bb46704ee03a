# SPDX-License-Identifier: ISC
"""Each column of each table, edited by somebody who can write to the database: an audit finds it, or the
database refuses it."""

import datetime
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DataError, IntegrityError

from pki import auditing, issuance, names, profiles, renewal, rollover
from pki.delegation_records import Draft
from pki.directory import Directory
from pki.models import Base
from tests.pki import databases
from tests.pki.factory import DAY, NOW
from tests.pki.living import Ca

REFUSED = {  # by the database itself: these go together with another column
    "certificate.revoked_at": "null while there is a reason, or the other way round",
    "certificate.revocation_reason": "null while there is a moment, or the other way round",
    "delegation.revoked_at": "null while there is a reason, or the other way round",
    "delegation.revocation_reason": "null while there is a moment, or the other way round",
}


@pytest.fixture
def past(directory: Directory) -> Ca:
    """A CA that has done everything that makes rows, and an authority after it."""
    ca = Ca(directory)
    gone = ca.issue("gone.example.org")
    identities = tuple(map(names.typed, ("there.example.org", "192.0.2.1", "2001:db8::1", "/CN=There")))
    there = issuance.issue(directory, profiles.GATEWAY, identities, NOW)
    renewal.renew(issuance.Issuer.of(directory), "there.example.org", NOW + DAY)
    ca.revoke(gone, NOW + DAY)
    ca.make(NOW + DAY)
    text = 'Authorizer: "POLICY"\nLicensees: "DN:/CN=Somebody"\n'
    draft = Draft("POLICY", "DN:/CN=Somebody", 'app_domain == "IPsec policy"', "a guest", text, NOW + 9 * DAY)
    ca.registry.delegations.add(draft, NOW + DAY)
    ca.registry.delegations.add(draft, NOW + DAY)
    ca.registry.delegations.revoke(1, "over", NOW + DAY)
    rollover.roll_over(directory, "Next CA", NOW + 2 * DAY)
    ca.make(NOW + 2 * DAY)
    assert there.identities == identities
    return ca


@dataclass(frozen=True, slots=True)
class Edit:
    """One cell of a row, and what is put there."""

    table: sa.Table
    key: dict[str, Any]
    column: sa.Column[Any]
    before: Any
    after: Any

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column.name}"

    def write(self, connection: sa.Connection, key: dict[str, Any], value: Any) -> None:
        chosen = [self.table.c[name] == part for name, part in key.items()]
        connection.execute(sa.update(self.table).where(*chosen).values({self.column.name: value}))

    def do(self, connection: sa.Connection) -> None:
        self.write(connection, self.key, self.after)

    def undo(self, connection: sa.Connection) -> None:
        changed = {self.column.name: self.after} if self.column.name in self.key else {}
        self.write(connection, {**self.key, **changed}, self.before)


def edits(engine: sa.Engine) -> Iterator[Edit]:
    """Of the last row of each table; in a file, which is faster, of the first as well."""
    for table in Base.metadata.sorted_tables:
        keys = list(table.primary_key.columns)
        with engine.connect() as connection:
            rows = connection.execute(sa.select(table).order_by(*keys)).mappings().all()
        assert rows, f"nothing in {table.name}"
        for row in (rows[0], rows[-1])[engine.dialect.name == "postgresql" :]:
            for column in table.columns:
                key = {it.name: row[it.name] for it in keys}
                yield Edit(table, key, column, row[column.name], other(column, row[column.name]))


def other(column: sa.Column[Any], value: Any) -> Any:
    """Something else that the database takes there."""
    if column.name == "state":
        return "pending"
    match value:
        case None if isinstance(column.type, sa.String):
            return "0" * 40
        case None:
            return NOW
        case bool():
            return not value
        case int():
            return value + 100
        case datetime.datetime():
            return value + datetime.timedelta(seconds=1)
        case bytes():
            return value[:-1] + bytes([value[-1] ^ 1])
        case str():
            return (value[:-1] + ("0" if value[-1] != "0" else "1")) if value else "x"
    raise AssertionError(f"nothing else for {column} {value!r}")


def found(ca: Ca) -> list[str]:
    with ca.registry.audit.reading() as snapshot:
        return [it.message for it in auditing.check(snapshot, lambda items, total, what: items)]


@pytest.mark.both_databases
def test_an_edit_of_any_column_is_found(past: Ca, database: str) -> None:
    engine = databases.engine(past.directory.registry_url)
    assert found(past) == []
    unnoticed, refused = set(), set()
    for edit in edits(engine):
        try:
            change(engine, database, edit.do)
        except (IntegrityError, DataError):
            refused.add(edit.name)
            continue
        if not found(past):
            unnoticed.add(edit.name)
        change(engine, database, edit.undo)
    assert found(past) == []
    assert unnoticed == set()
    assert refused == set(REFUSED)


def change(engine: sa.Engine, database: str, do: Any) -> None:
    """Past the foreign keys, as its owner can."""
    with engine.begin() as connection:
        if database == "postgresql":
            connection.exec_driver_sql("SET LOCAL session_replication_role = replica")
        do(connection)
