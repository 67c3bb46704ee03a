# SPDX-License-Identifier: ISC
"""Every released schema with rows of all kinds in it, brought up to date: nothing is lost, or nothing is done."""

import hashlib
import re
import signal
import sqlite3
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from pki import audit, distinguished_names, keys, models, registry_database, registry_migration
from pki.audit_tables import Ledger
from pki.directory import Directory
from pki.errors import KeystoreError, RegistryError, RegistryUnreachable, SchemaUnknown
from pki.records import Status
from pki.registry import Registry
from pki.registry_migration import migrate
from tests.pki import databases, faults
from tests.pki.databases import Url
from tests.pki.old_registries import DIRECTORY_NAMES, LEAVES, MADE, VPN_USER, make_0001, make_0004
from tests.pki.postgresql import Server
from tests.pki.test_cli import Run, run  # noqa: F401  (a fixture)


@pytest.fixture
def old(url: Url) -> Url:
    """A registry with schema 0001 and rows."""
    make_0001(url)
    return url


def contents(url: Url) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    schema = sa.MetaData()
    with databases.engine(url).connect() as connection:
        schema.reflect(connection)
        return {
            name: [dict(it) for it in connection.execute(table.select().order_by(*table.primary_key)).mappings()]
            for name, table in schema.tables.items()
        }


COUNTS_0002 = {"authority": 2, "certificate": 10, "subject_alt_name": 28, "crl": 1, "audit": 7, "delegation": 1}


@pytest.mark.parametrize(
    ("version", "counts"),
    [
        ("0001", {"authority": 2, "certificate": 9, "subject_alt_name": 28}),
        ("0002", COUNTS_0002),
        ("0003", COUNTS_0002),
        ("0004", {**COUNTS_0002, "subject_alt_name": 31}),
    ],
)
def test_nothing_is_lost(url: Url, version: str, counts: dict[str, int]) -> None:
    MADE[version](url)
    before = contents(url)
    done = migrate(url)
    assert done is not None
    assert (done.before, done.after) == (version, registry_database.SCHEMA)
    assert done.rows == counts
    after = contents(url)
    changes = {"0001": {"revocation_reason"}}
    for table, rows in before.items():
        if table == "alembic_version":
            continue
        for row, new in zip(rows, after[table], strict=True):
            changed = {column for column, value in row.items() if new[column] != value}
            assert changed <= (changes.get(version, set()) if table == "certificate" else set())
    with databases.engine(url).connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, models.Base.metadata) == []
        indexes = {
            it["name"]: it["column_names"]
            for table in ("certificate", "subject_alt_name")
            for it in sa.inspect(connection).get_indexes(table)
        }
    assert indexes["ix_subject_alt_name_folded_sha256"] == ["folded_sha256"]
    assert indexes["ix_certificate_revoked_at"] == ["revoked_at"]
    assert indexes["ix_certificate_folded_sha256"] == ["folded_sha256"]


def test_what_is_new_is_filled(old: Url) -> None:
    migrate(old)
    registry = Registry.open(old)
    (authority,) = registry.authorities()
    assert (authority.name, authority.issuer_id, authority.foreign) == ("Example CA", 1, False)
    keys_of = {record.name: record.key_sha256 for record in registry.certificates()}
    assert keys_of["alice@example.org"] == keys.key_sha256(VPN_USER.certificate.public_key())
    assert registry.status(hashlib.sha256(LEAVES[0].der).digest()) is Status.ISSUED
    reasons = {record.name: record.revocation_reason for record in registry.certificates()}
    assert reasons["gw1.example.org"] == "keyCompromise"
    assert reasons["gw2.example.org"] == "unspecified"
    assert reasons["gw3.example.org"] is None
    assert {it.name for it in registry.unfinished()} == {"gw4.example.org", "gw6.example.org", "Second CA"}
    with databases.engine(old).connect() as connection:
        rows = connection.execute(sa.select(models.Certificate.subject_der, models.Certificate.folded_sha256)).all()
    assert {folded for _, folded in rows} == {distinguished_names.folded_sha256(subject) for subject, _ in rows}
    assert len({folded for _, folded in rows}) == 8  # two that are pending have no subject
    (record,) = registry.find("alice@example.org")
    assert [str(it) for it in record.identities] == [
        "ID_FQDN example.org",
        "ID_IPV4_ADDR 192.0.2.1",
        "ID_IPV6_ADDR 2001:db8::1",
        "ID_USER_FQDN a@example.org",
    ]


def test_directory_names_are_folded(url: Url) -> None:
    make_0004(url)
    migrate(url)
    table = models.SubjectAltName
    with databases.engine(url).connect() as connection:
        rows = connection.execute(sa.select(table.kind, table.value, table.folded_sha256)).all()
    folded = {value: folded for kind, value, folded in rows if kind == "DER_ASN1_DN"}
    assert folded == {
        it: distinguished_names.folded_sha256(distinguished_names.from_keynote(it)) for it in DIRECTORY_NAMES
    }
    assert {folded for kind, _, folded in rows if kind != "DER_ASN1_DN"} == {None}


def test_a_directory_name_that_is_none(url: Url) -> None:
    make_0004(url)
    databases.execute(url, "UPDATE subject_alt_name SET value = '/XY=gw0' WHERE value = '/CN=gw0'")
    with pytest.raises(RegistryError, match="the subjectAltName `/XY=gw0` cannot be read: unknown attribute"):
        migrate(url)
    assert contents(url)["alembic_version"] == [{"version_num": "0004"}]


def test_it_goes_on_as_ever_afterwards(old: Url) -> None:
    migrate(old)
    registry = Registry.open(old)
    for unfinished in registry.unfinished():
        if not unfinished.issued:
            registry.cancel(unfinished.authority_id, unfinished.serial)
    assert len(registry.certificates()) == 7
    assert migrate(old) is None


def test_a_file_is_copied_first(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    make_0001(path)
    path.chmod(0o640)
    before = contents(path)
    done = migrate(path)
    assert done is not None
    assert done.backup == tmp_path / "registry-before-0005.sqlite"
    assert contents(done.backup) == before
    assert done.backup.stat().st_mode & 0o777 == 0o640
    assert not list(tmp_path.glob("registry-before-0005.sqlite-*"))


def test_no_copy_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    make_0001(path)
    taken = tmp_path / "registry-before-0005.sqlite"
    taken.write_text("precious")
    done = migrate(path)
    assert done is not None
    assert done.backup == tmp_path / "registry-before-0005.2.sqlite"
    assert taken.read_text() == "precious"


def test_rows_that_would_be_lost_are_noticed(old: Url, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = registry_migration._upgrade

    def careless(connection: sa.Connection) -> None:
        upgrade(connection)
        connection.exec_driver_sql("DELETE FROM subject_alt_name WHERE position = 3")

    monkeypatch.setattr(registry_migration, "_upgrade", careless)
    before = contents(old)
    with pytest.raises(RegistryError, match=r"would change subject_alt_name: 28 rows before, 21 after"):
        migrate(old)
    assert contents(old) == before
    if isinstance(old, Path):
        assert list(old.parent.glob("*before*")) == []


def test_links_that_would_be_lost_are_noticed(old: Url, monkeypatch: pytest.MonkeyPatch) -> None:
    upgrade = registry_migration._upgrade

    def forgetful(connection: sa.Connection) -> None:
        upgrade(connection)
        connection.exec_driver_sql("CREATE TABLE names AS SELECT * FROM subject_alt_name")
        connection.exec_driver_sql("DROP TABLE subject_alt_name")
        connection.exec_driver_sql("ALTER TABLE names RENAME TO subject_alt_name")

    monkeypatch.setattr(registry_migration, "_upgrade", forgetful)
    before = contents(old)
    with pytest.raises(RegistryError, match=r"would change subject_alt_name \(authority_id, serial\) → cert"):
        migrate(old)
    assert contents(old) == before


def test_a_damaged_registry_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "registry.sqlite"
    make_0001(path)
    databases.execute(path, "DELETE FROM authority WHERE id = 2")
    with pytest.raises(RegistryError, match=r"damaged: rows of certificate \(authority_id\) → authority "):
        migrate(path)
    assert contents(path)["alembic_version"] == [{"version_num": "0001"}]


def test_a_certificate_that_is_none(old: Url) -> None:
    databases.execute(old, f"UPDATE certificate SET der = subject_der WHERE serial = '{1:040x}'")
    with pytest.raises(RegistryError, match=rf"serial number {1:040x} cannot be read"):
        migrate(old)
    assert contents(old)["alembic_version"] == [{"version_num": "0001"}]


def test_a_subject_that_is_none(old: Url) -> None:
    databases.execute(old, f"UPDATE certificate SET subject_der = der WHERE serial = '{1:040x}'")
    with pytest.raises(RegistryError, match=rf"certificate with serial number {1:040x} cannot be read"):
        migrate(old)
    assert contents(old)["alembic_version"] == [{"version_num": "0001"}]


def test_what_is_in_a_registry_that_was_migrated_is_what_a_new_one_has(tmp_path: Path) -> None:
    """SQLite's tables are made anew: nothing of their constraints and indexes is lost."""
    old, new = tmp_path / "old.sqlite", tmp_path / "new.sqlite"
    make_0001(old)
    migrate(old)
    Registry.create(new)

    def schema(path: Path) -> dict[str, list[str]]:
        found = databases.rows(path, "SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
        return {name: sorted(re.split(r",\s+(?=[A-Za-z\"])", _bare(sql))) for name, sql in found}

    assert schema(old) == schema(new)


def _bare(sql: str) -> str:
    return " ".join(sql.split()).removeprefix("CREATE TABLE ").removesuffix(")").partition("(")[2].strip() or sql


@pytest.mark.parametrize("revision", ["0006", "0000", "9999"])
def test_a_schema_that_is_not_known_is_left_alone(old: Url, revision: str) -> None:
    databases.execute(old, f"UPDATE alembic_version SET version_num = '{revision}'")
    before = contents(old)
    with pytest.raises(SchemaUnknown, match=rf"has schema {revision}") as caught:
        migrate(old)
    assert caught.value.hint == "use the version that wrote it"
    assert contents(old) == before


def test_what_is_no_registry(url: Url) -> None:
    databases.execute(url, "CREATE TABLE other (id INTEGER)")
    with pytest.raises(SchemaUnknown, match="is no registry"):
        migrate(url)


def test_an_old_schema_is_read_by_nobody_and_the_way_out_is_named(old: Url) -> None:
    for use in (Registry.open, Registry.open_read_only, Registry.create):
        with pytest.raises(SchemaUnknown, match=r"has schema 0001, this version knows 0005 only") as caught:
            use(old)
        assert caught.value.hint == "bring it up to date with `keynote-pki migrate --dir DIR`"
    assert contents(old)["alembic_version"] == [{"version_num": "0001"}]


def test_who_has_it_open_writes_no_more(url: Url) -> None:
    """A process that outlives a migration to a schema that it does not know."""
    registry = Registry.create(url)
    databases.execute(url, "UPDATE alembic_version SET version_num = '0006'")
    with pytest.raises(SchemaUnknown, match="has schema 0006"):
        registry.cancel(1, "")


def migrate_with(url: Url, step: int | None, fault: Any) -> list[str]:
    with faults.at_step(step, fault) as steps:
        migrate(url)
    return steps


@pytest.fixture
def another(url: Url, tmp_path: Path, request: pytest.FixtureRequest) -> Url:
    """Another place of the same kind."""
    if isinstance(url, Path):
        return tmp_path / "another.sqlite"
    server: Server = request.getfixturevalue("server")
    return server.url(server.new_database())


@pytest.mark.parametrize("version", MADE)
def test_killed_at_any_step(url: Url, another: Url, version: str) -> None:
    for place in (url, another):
        MADE[version](place)
    before = contents(url)
    for step in range(len(migrate_with(another, None, faults.kill))):
        assert faults.in_child(partial(migrate_with, url, step, faults.kill)) == signal.SIGKILL
        assert databases.rows(url, "SELECT version_num FROM alembic_version") == [(version,)]
    assert contents(url) == before
    done = migrate(url)
    assert done is not None
    assert done.rows["certificate"] == len(before["certificate"])


def test_no_room_at_any_step(tmp_path: Path) -> None:
    count, path = tmp_path / "count.sqlite", tmp_path / "registry.sqlite"
    for it in (count, path):
        make_0001(it)
    before = contents(path)
    for step in range(0, len(migrate_with(count, None, faults.fill_disk)), 3):
        with pytest.raises((KeystoreError, RegistryUnreachable), match=r"disk is full|No space left"):
            migrate_with(path, step, faults.fill_disk)
        assert contents(path) == before
        assert list(tmp_path.glob("registry-before*")) == []


def test_every_revision_before_ours_is_tested() -> None:
    scripts = ScriptDirectory(str(Path(registry_database.__file__).parent / "migrations"))
    assert scripts.get_heads() == [registry_database.SCHEMA]
    assert [it.revision for it in scripts.walk_revisions()] == [
        registry_database.SCHEMA,
        *reversed(registry_database.EARLIER),
    ]
    assert tuple(MADE) == registry_database.EARLIER  # each has a registry with rows here


def test_the_command(run: Run, tmp_path: Path) -> None:  # noqa: F811
    directory = Directory(tmp_path / "ca")
    directory.make()
    make_0001(directory.registry_path)
    refused = run("keynote-pki list --dir ca")
    assert refused.status == 1
    assert "hint: bring it up to date with `keynote-pki migrate --dir DIR`" in refused.err
    done = run("keynote-pki migrate --dir ca")
    assert done.status == 0
    assert done.out.splitlines() == [
        "the registry is migrated from schema 0001 to 0005",
        "authority: 2 rows before and after",
        "certificate: 9 rows before and after",
        "subject_alt_name: 28 rows before and after",
        "as it was: ca/registry-before-0005.sqlite",
    ]
    assert run("keynote-pki migrate --dir ca").out == "the registry is up to date (schema 0005)\n"
    assert run("keynote-pki migrate --dir ca --json").json == {
        "before": "0005",
        "after": "0005",
        "rows": {},
        "backup": None,
    }
    assert run("keynote-pki migrate --dir none").status == 1


def test_the_readers_of_a_registry_that_is_migrated_wait_or_are_refused(tmp_path: Path) -> None:
    """A daemon has it open: the writer does not need it to go away."""
    path = tmp_path / "registry.sqlite"
    make_0001(path)
    reader = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM certificate").fetchone() == (9,)
    assert migrate(path) is not None
    assert reader.execute("SELECT version_num FROM alembic_version").fetchone() == ("0001",)
    reader.execute("COMMIT")
    assert reader.execute("SELECT version_num FROM alembic_version").fetchone() == ("0005",)
    reader.close()


def test_the_log_begins_with_what_was_there(old: Url) -> None:
    migrate(old)
    ledger = Ledger()
    with Registry.open(old).audit.reading() as snapshot:
        entries = list(snapshot.entries())
        certificates = list(snapshot.certificates())
        authorities = snapshot.authorities()
    assert list(audit.check_chain(entries)) == []
    assert {it.action for it in entries} == {"adopt"}
    for entry in entries:
        ledger.read(entry)
    told = [finding.message for row in certificates for finding in ledger.certificate(row)]
    told += [finding.message for row in authorities for finding in ledger.authority(row)]
    assert len(certificates) == len(entries) == 7
    assert not [it for it in told if "the log" in it]  # rows of this test are not what their certificates say
    assert list(ledger.left()) == []
