# SPDX-License-Identifier: ISC
"""What only PostgreSQL has: roles, passwords, a server that may not be there."""

import hashlib
import re
import threading
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from pki import registry_database
from pki.errors import RegistryUnreachable
from pki.records import Status
from pki.registry import Registry
from tests.pki import databases
from tests.pki.factory import NOW
from tests.pki.postgresql import GUARDED, PASSWORD, Server
from tests.pki.test_registry import SHA256, issue, reservation, with_authority

PAGE = Path(__file__).parents[2] / "docs" / "registry.md"


@pytest.fixture
def database(server: Server) -> str:
    return server.new_database()


def test_the_roles_of_the_documentation(server: Server, database: str) -> None:
    (statements,) = re.findall(r"^```sql\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    with server.connect(database) as administrator:
        administrator.execute(statements)
    made, authority = with_authority(server.url(database, "keynote_ca"))
    issue((made, authority))
    reader = Registry.open_read_only(server.url(database, "keynote_gateway"))
    assert reader.status(SHA256) is Status.ISSUED
    assert len(reader.certificates()) == 2
    reader.check_chain([])
    assert reader.delegations.in_force(NOW).records == ()

    # the rights themselves, not only our read-only transactions
    writer = Registry.open(server.url(database, "keynote_gateway"))
    with pytest.raises(RegistryUnreachable, match="permission denied for table") as caught:
        writer.reserve(authority, reservation("other.example.org", 2), NOW)
    assert "GRANT" in caught.value.hint
    for statement in ("DELETE FROM audit", "UPDATE certificate SET revoked_at = NULL", "CREATE TABLE x (i int)"):
        with pytest.raises(Exception, match="permission denied"):
            databases.execute(server.url(database, "keynote_gateway"), statement)
    with server.connect(database) as administrator:
        administrator.execute("REVOKE SELECT ON ALL TABLES IN SCHEMA public FROM keynote_gateway")
    with pytest.raises(RegistryUnreachable, match="permission denied for table alembic_version"):
        reader.status(SHA256)


@pytest.mark.parametrize("given", ["", "wr%6Fng-s3cret"])
def test_a_wrong_password_is_not_told(server: Server, database: str, given: str) -> None:
    url = server.url(database, GUARDED, PASSWORD)
    with_authority(url)
    wrong = url.replace(f":{PASSWORD}@", f":{given}@")
    for use in (Registry.open, Registry.open_read_only, Registry.create):
        with pytest.raises(RegistryUnreachable, match=r"password|fe_sendauth") as caught:
            use(wrong)
        assert "s3cret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"
        assert "\n" not in str(caught.value)


def test_what_may_be_shown_of_a_url() -> None:
    shown = registry_database.without_password("postgresql://ca:s3cret@db/registry?password=s3cret&sslmode=require")
    assert shown == "postgresql://ca:***@db/registry?sslmode=require"
    assert registry_database.without_password("postgresql://ca:a/s3cret@db/x") == "postgresql://ca:***@db/x"
    with pytest.raises(RegistryUnreachable) as caught:
        registry_database.without_password("postgresql://ca:s3cret@db:s3cret/x")
    assert "s3cret" not in f"{caught.value} {caught.value.hint} {caught.value.__cause__}"


def test_a_database_that_is_not_there(server: Server) -> None:
    with pytest.raises(RegistryUnreachable, match='database "none" does not exist'):
        Registry.open(server.url("none"))


def test_a_writer_waits_no_longer_than_it_was_told(
    server: Server, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, authority = with_authority(server.url(database))
    monkeypatch.setitem(registry_database._BUSY_SECONDS, "rw", 0.1)
    monkeypatch.setitem(registry_database._BUSY_SECONDS, "rwc", 0.1)
    with server.connect(database) as other:
        other.execute("SELECT pg_advisory_lock(2704)")
        with pytest.raises(RegistryUnreachable, match="lock timeout"):
            issue((made, authority))
        assert made.status(SHA256) is Status.UNKNOWN  # who reads waits for nobody
    issue((made, authority))


def test_a_reader_sees_one_moment(server: Server, database: str) -> None:
    """What is committed between two of its statements is not seen by the second."""
    made, authority = with_authority(server.url(database))
    reader = registry_database.Database(server.url(database), "ro")
    with reader.connection() as connection:
        registry_database.check_schema(connection)
        thread = threading.Thread(target=lambda: issue((made, authority)))
        thread.start()
        thread.join()
        assert connection.exec_driver_sql("SELECT count(*) FROM certificate").scalar() == 1
    with reader.connection() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM certificate").scalar() == 2


def test_a_server_that_goes_away_in_the_middle(server: Server, database: str) -> None:
    """Its process for us is ended: the transaction is undone, and the error says so."""
    made, _ = with_authority(server.url(database))
    writer = registry_database.Database(server.url(database), "rw")

    def cut() -> None:
        with writer.transaction() as session:
            pid = session.connection().exec_driver_sql("SELECT pg_backend_pid()").scalar()
            session.connection().exec_driver_sql("UPDATE certificate SET name = 'x'")
            with server.connect() as administrator:
                administrator.execute("SELECT pg_terminate_backend(%s)", (pid,))

    with pytest.raises(RegistryUnreachable, match=r"terminating connection|closed"):
        cut()
    assert [record.name for record in made.certificates()] == ["ca.example.org"]
    assert hashlib.sha256(b"an authority's").hexdigest() == made.certificates()[0].sha256


def test_the_urls_of_the_tests_are_those_that_users_write(server: Server, database: str) -> None:
    assert make_url(server.url(database)).drivername == "postgresql"
