# SPDX-License-Identifier: ISC
import datetime
import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from pki import chain_certificates, distinguished_names, keys, models, registry_database
from pki.chain_certificates import ChainCertificate
from pki.errors import NotRecorded, RegistryError, RegistryUnreachable, SchemaUnknown
from pki.names import identity
from pki.records import Choice, Reservation, Signed, Standing, Status
from pki.registry import Registry
from tests.pki import databases, factory
from tests.pki.databases import Url
from tests.pki.factory import DAY, NOW

DER = b"stands for a certificate"
SHA256 = hashlib.sha256(DER).digest()


def reservation(name: str = "gw.example.org", serial: int = 1, **changes: object) -> Reservation:
    whole = Reservation(
        serial=f"{serial:040x}",
        profile="gateway",
        name=name,
        identities=(identity(name), identity("192.0.2.1")) if name == "gw.example.org" else (identity(name),),
        subject=f"/O=Test/CN={name}",
        subject_der=b"0\0",
        not_before=NOW,
        not_after=NOW + 30 * DAY,
        issued_at=NOW,
        key_sha256=f"{serial:064x}",
        directory="",
        key_file="1.pem",
        temporary_file=".1.new",
    )
    changed = replace(whole, **changes)  # type: ignore[arg-type]
    return replace(changed, subject_der=distinguished_names.from_keynote(changed.subject))


@pytest.fixture
def there(url: Url) -> tuple[Registry, int]:
    return with_authority(url)


def with_authority(url: Url) -> tuple[Registry, int]:
    """A registry with one authority, and the authority's id."""
    made = Registry.create(url)
    authority = made.reserve_authority(reservation("ca.example.org", 99, profile="ca"))
    made.confirm(authority, f"{99:040x}", b"an authority's", NOW)
    made.settle(authority, f"{99:040x}")
    return made, authority


def revoke(url: Url, serial: str) -> None:
    columns = "revoked_at = '2026-11-02 00:00:00.000000', revocation_reason = 'keyCompromise'"
    databases.execute(url, f"UPDATE certificate SET {columns} WHERE serial = '{serial}'")


def test_the_way_of_a_certificate(there: tuple[Registry, int]) -> None:
    made, authority = there
    wanted = reservation()
    made.reserve(authority, wanted, NOW)
    assert made.status(SHA256) is Status.UNKNOWN
    assert made.find("gw.example.org") == ()
    (unfinished,) = made.unfinished()
    assert (unfinished.serial, unfinished.issued, unfinished.temporary_file) == (wanted.serial, False, ".1.new")

    made.confirm(authority, wanted.serial, DER, NOW)
    assert made.status(SHA256) is Status.ISSUED
    (unfinished,) = made.unfinished()
    assert unfinished.issued

    made.settle(authority, wanted.serial)
    assert made.unfinished() == ()
    (record,) = made.find("gw.example.org")
    assert record.identities == wanted.identities
    assert (record.not_before, record.not_after) == (wanted.not_before, wanted.not_after)
    assert (record.sha256, record.der) == (SHA256.hex(), DER)


def issue(there: tuple[Registry, int], name: str = "gw.example.org", serial: int = 1, der: bytes = DER) -> str:
    made, authority = there
    wanted = reservation(name, serial)
    made.reserve(authority, wanted, NOW)
    made.confirm(authority, wanted.serial, der, NOW)
    made.settle(authority, wanted.serial)
    return wanted.serial


def test_statuses_of_a_chain(there: tuple[Registry, int], url: Url) -> None:
    issue(there)
    issue(there, "other", 2, b"other")
    revoke(url, f"{2:040x}")
    other, nobody = hashlib.sha256(b"other").digest(), hashlib.sha256(b"nobody").digest()
    reader = Registry.open_read_only(url)
    assert reader.statuses((SHA256, nobody, other, SHA256)) == (
        Status.ISSUED,
        Status.UNKNOWN,
        Status.REVOKED,
        Status.ISSUED,
    )
    assert reader.status(other) is Status.REVOKED
    assert reader.statuses(()) == ()


def record(there: tuple[Registry, int], issued: factory.Issued, serial: int) -> None:
    issue(there, f"gw{serial}.example.org", serial, issued.der)


@pytest.fixture
def with_chain(url: Url) -> tuple[Registry, int]:
    """A registry whose authority is OUR_CA."""
    made = Registry.create(url)
    key_sha256 = keys.key_sha256(OUR_CA.certificate.public_key())
    authority = made.reserve_authority(reservation("ca.example.org", 99, profile="ca", key_sha256=key_sha256))
    made.confirm(authority, f"{99:040x}", OUR_CA.der, NOW)
    return made, authority


OUR_CA = factory.authority()
BETWEEN = factory.authority("Between", OUR_CA, key="between")


def links(*issued: factory.Issued) -> list[ChainCertificate]:
    return [chain_certificates.load(it.der) for it in issued]


def test_a_chain_is_recorded_link_by_link(with_chain: tuple[Registry, int], url: Url) -> None:
    leaf, below = factory.leaf(OUR_CA, "gw.example.org"), factory.leaf(BETWEEN, "gw.example.org")
    reader = Registry.open_read_only(url)
    with pytest.raises(NotRecorded, match=r"gw\.example\.org` is unknown to the registry of authority .*Test CA`"):
        reader.check_chain(links(leaf, OUR_CA))
    record(with_chain, leaf, 1)
    reader.check_chain(links(leaf, OUR_CA))

    record(with_chain, below, 2)
    with pytest.raises(NotRecorded, match="CN=Between` is unknown"):
        reader.check_chain(links(below, BETWEEN, OUR_CA))
    record(with_chain, BETWEEN, 3)
    reader.check_chain(links(below, BETWEEN, OUR_CA))

    revoke(url, f"{3:040x}")
    with pytest.raises(NotRecorded, match="CN=Between` is revoked"):
        reader.check_chain(links(below, BETWEEN, OUR_CA))


def test_a_certificate_signed_again_under_its_serial_number_is_unknown(
    with_chain: tuple[Registry, int], url: Url
) -> None:
    leaf = factory.leaf(OUR_CA, "gw1.example.org")
    record(with_chain, leaf, 1)
    again = factory.resigned(leaf, OUR_CA, b"gw1.example.org", b"gw2.example.org")
    with pytest.raises(NotRecorded, match="is unknown"):
        Registry.open_read_only(url).check_chain([chain_certificates.load(again), *links(OUR_CA)])


def test_an_authority_is_known_by_its_key(with_chain: tuple[Registry, int], url: Url) -> None:
    """Else a certificate of the authority that is signed anew would lead around the registry."""
    anew = factory.authority(not_after=NOW + DAY)
    with pytest.raises(NotRecorded):
        Registry.open_read_only(url).check_chain(links(factory.leaf(OUR_CA, "gw.example.org"), anew))


def test_a_foreign_chain_is_not_asked_about(with_chain: tuple[Registry, int], url: Url) -> None:
    foreign = factory.authority("Foreign", key="foreign")
    Registry.open_read_only(url).check_chain(links(factory.leaf(foreign, "gw.example.org"), foreign))
    Registry.open_read_only(url).check_chain([])


def test_what_is_no_fingerprint(there: tuple[Registry, int]) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        there[0].status(b"short")


def test_a_reader_sees_what_was_done_since(there: tuple[Registry, int], url: Url) -> None:
    reader = Registry.open_read_only(url)
    assert reader.status(SHA256) is Status.UNKNOWN
    serial = issue(there)
    assert reader.status(SHA256) is Status.ISSUED
    revoke(url, serial)
    assert reader.status(SHA256) is Status.REVOKED


def test_a_reader_cannot_write(there: tuple[Registry, int], url: Url) -> None:
    with pytest.raises(RegistryUnreachable, match=r"readonly database|read-only transaction"):
        Registry.open_read_only(url).reserve(there[1], reservation(), NOW)


@pytest.mark.parametrize("contents", ["CREATE TABLE other (id INTEGER)", "SELECT 1"])
def test_a_database_that_is_no_registry(url: Url, contents: str) -> None:
    databases.execute(url, contents)
    with pytest.raises(SchemaUnknown, match="is no registry"):
        Registry.open_read_only(url)


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("UPDATE alembic_version SET version_num = '9999'", "9999"),
        ("DELETE FROM alembic_version", "none"),
        ("INSERT INTO alembic_version VALUES ('0000')", "0000"),
    ],
)
def test_a_schema_of_another_version(there: tuple[Registry, int], url: Url, statement: str, found: str) -> None:
    reader = Registry.open_read_only(url)
    databases.execute(url, statement)
    asks: list[Callable[[], object]] = [
        lambda: Registry.open(url),
        lambda: Registry.open_read_only(url),
        lambda: Registry.create(url),
        lambda: reader.status(SHA256),
        lambda: reader.check_chain([]),
    ]
    for ask in asks:
        with pytest.raises(SchemaUnknown, match=rf"{found}.*knows {registry_database.SCHEMA} only"):
            ask()


def test_the_migrations_make_what_the_models_say(url: Url) -> None:
    engine = databases.engine(url)
    with engine.begin() as connection:
        command.upgrade(registry_database.migrations(connection), "head")
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert context.get_current_heads() == (registry_database.SCHEMA,)
        assert compare_metadata(context, models.Base.metadata) == []
    engine.dispose()
    assert Registry.open(url).authorities() == ()


def test_a_new_registry_has_what_the_models_say(there: tuple[Registry, int], url: Url) -> None:
    scripts = ScriptDirectory(str(Path(registry_database.__file__).parent / "migrations"))
    assert scripts.get_heads() == [registry_database.SCHEMA]
    engine = databases.engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, models.Base.metadata) == []
    engine.dispose()


def test_a_serial_number_is_taken_once(there: tuple[Registry, int]) -> None:
    made, authority = there
    made.reserve(authority, reservation("one"), NOW)
    with pytest.raises(RegistryError, match=r"UNIQUE|unique constraint"):
        made.reserve(authority, reservation("other"), NOW)
    assert [it.name for it in made.unfinished()] == ["one"]


def test_a_serial_number_has_forty_digits(there: tuple[Registry, int]) -> None:
    with pytest.raises(RegistryError, match="serial_width"):
        there[0].reserve(there[1], replace(reservation(), serial="1"), NOW)


def test_the_largest_serial_number(there: tuple[Registry, int]) -> None:
    serial = issue(there, serial=(1 << 159) - 1)
    assert there[0].find(serial)[0].serial == "7" + "f" * 39


def test_a_name_that_has_a_good_certificate_is_refused(there: tuple[Registry, int], url: Url) -> None:
    made, authority = there
    serial = issue(there)
    again = reservation(serial=2)
    with pytest.raises(RegistryError, match=f"valid until 2026-12-01 .serial {serial}"):
        made.reserve(authority, again, NOW)
    revoke(url, serial)
    made.reserve(authority, again, NOW)


def test_confirming_what_is_not_reserved(there: tuple[Registry, int]) -> None:
    made, authority = there
    serial = issue(there)
    for unreserved in (serial, f"{7:040x}"):
        with pytest.raises(RegistryError, match="is not reserved"):
            made.confirm(authority, unreserved, b"x", NOW)
    assert made.find(serial)[0].der == DER


def test_cancelling_leaves_what_is_issued(there: tuple[Registry, int]) -> None:
    made, authority = there
    serial = issue(there)
    made.cancel(authority, serial)
    made.cancel(authority, f"{7:040x}")
    assert made.status(SHA256) is Status.ISSUED


def test_cancelling_an_authority_leaves_nothing(url: Url) -> None:
    made = Registry.create(url)
    authority = made.reserve_authority(reservation("ca.example.org", 99))
    assert made.authorities() == ()
    made.cancel(authority, f"{99:040x}")
    assert made.unfinished() == ()
    made.reserve_authority(reservation("ca.example.org", 100))


def test_an_authority_of_a_name_that_is_taken(there: tuple[Registry, int]) -> None:
    with pytest.raises(RegistryError, match=r"an authority `/O=Test/CN=ca\.example\.org` already"):
        there[0].reserve_authority(reservation("ca.example.org", 5))


def test_finding(there: tuple[Registry, int]) -> None:
    made, _ = there
    issue(there, "gw.example.org", 0xABCDEF12 << 128, b"one")
    issue(there, "other.example.org", 0xABCDEF34 << 128, b"two")
    one = hashlib.sha256(b"one").hexdigest()

    def found(text: str) -> list[str]:
        return [record.sha256 for record in made.find(text)]

    assert found("gw.example.org") == [one]
    assert found("192.0.2.1") == [one]
    assert found("/O=Test/CN=gw.example.org") == found("DN:/O=Test/CN=gw.example.org") == [one]
    assert found(f"{0xABCDEF12 << 128:040x}") == found("abcdef12") == found("ABCDEF120") == [one]
    assert found(one) == found(one.upper()) == found(one[:8]) == [one]
    assert found(":".join(one[at : at + 2] for at in range(0, 64, 2))) == [one]
    assert found(one[:7]) == []
    assert found("gw") == found("") == found("%") == found("gw.example.or_") == []


def test_the_same_serial_number_of_another_authority_is_not_meant(there: tuple[Registry, int]) -> None:
    made, first = there
    second = made.reserve_authority(reservation("ca2.example.org", 98, profile="ca"))
    issue((made, first), "gw.example.org", 7, b"one")
    issue((made, second), "other.example.org", 7, b"two")
    assert [it.name for it in made.find("gw.example.org")] == ["gw.example.org"]
    assert [it.name for it in made.find("192.0.2.1")] == ["gw.example.org"]
    assert len(made.find(f"{7:040x}")) == 2


def test_what_is_listed(there: tuple[Registry, int], url: Url) -> None:
    """Each choice has what it should, in its order, with and without the rest of a record."""
    made, _ = there
    end = NOW + 30 * DAY
    issue(there)
    for number, name in ((2, "revoked.example.org"), (3, "again.example.org")):
        revoke(url, issue(there, name, number, name.encode()))
    databases.execute(
        url, f"UPDATE certificate SET revoked_at = '2026-12-01 00:00:00.000000' WHERE serial = '{3:040x}'"
    )

    def names(standing: Standing, now: datetime.datetime = NOW, **choice: Any) -> list[str]:
        wanted = Choice(now, standing, **choice)
        whole, listed = made.chosen(wanted), made.listed(wanted)
        assert [(it.serial, it.validity(now)) for it in whole] == [(it.serial, it.validity(now)) for it in listed]
        return [it.name for it in listed]

    good = ["ca.example.org", "gw.example.org"]
    assert names("all") == ["ca.example.org", "again.example.org", "gw.example.org", "revoked.example.org"]
    assert names("holding") == names("holding", end) == names("expired", end + DAY) == good
    assert names("expired") == names("expired", end) == names("holding", end + DAY) == []
    assert names("revoked") == ["again.example.org", "revoked.example.org"]
    assert names(end) == names(end + DAY, end) == good
    assert names(end - DAY) == names(end + 2 * DAY, end + DAY) == []
    assert names("all", profile="ca") == names(end, profile="ca") == ["ca.example.org"]
    assert names("all", identity="gw.example.org") == ["gw.example.org"]
    assert names("all", identity="192.0.2.1", authority_id=1) == ["gw.example.org"]
    assert names("all", authority_id=2) == names("all", identity="nobody") == names("all", profile="nothing") == []


def test_what_was_replaced_ends_without_anybody(there: tuple[Registry, int], url: Url) -> None:
    """Unless what replaced it was revoked."""
    made, authority = there
    first = issue(there)
    again = replace(reservation(serial=2), supersedes=SHA256.hex(), not_after=NOW + 60 * DAY)
    made.reserve(authority, again, NOW, again=True)
    soon = Choice(NOW, NOW + 30 * DAY, profile="gateway")
    assert [it.serial for it in made.listed(soon)] == [first]  # it is not there yet
    made.confirm(authority, again.serial, b"again", NOW)
    assert (made.listed(soon), made.chosen(soon)) == ((), ())
    revoke(url, again.serial)
    assert [it.serial for it in made.listed(soon)] == [first]


def test_several_are_reserved_and_those_that_cannot_be_are_told(there: tuple[Registry, int]) -> None:
    made, authority = there
    issue(there)
    sha256 = SHA256.hex()
    wanted = (
        reservation("one.example.org", 2),
        reservation(serial=3),  # its names have a holder
        reservation("two.example.org", 4, identities=(identity("one.example.org"),)),  # and here, one before it
        reservation("three.example.org", 5, subject="/O=Test/CN=one.example.org"),
        reservation(serial=6, supersedes=sha256),  # the same holder again
    )
    refused = made.reserve_all(authority, wanted, NOW)
    assert [str(it)[:40] if it else None for it in refused] == [
        None,
        "`gw.example.org` has a certificate alrea",
        "`one.example.org` has a certificate alre",
        "`/O=Test/CN=one.example.org` is the subj",
        None,
    ]
    assert [it.serial for it in made.unfinished()] == [wanted[0].serial, wanted[4].serial]
    with pytest.raises(RegistryError, match="the registry refuses this"):
        made.reserve_all(authority, (reservation("new.example.org", 7), reservation("other.example.org", 2)), NOW)
    assert len(made.unfinished()) == 2
    kept = [(authority, wanted[at].serial) for at in (0, 4)]
    with pytest.raises(RegistryError, match="is not reserved"):
        made.confirm_all([Signed(*it, it[1].encode()) for it in (*kept, (authority, f"{9:040x}"))], NOW)
    assert not any(it.issued for it in made.unfinished())
    made.confirm_all([Signed(*it, it[1].encode()) for it in kept], NOW)
    made.settle_all(kept)
    assert made.unfinished() == ()
    sha256s = [hashlib.sha256(serial.encode()).hexdigest() for _, serial in kept]
    assert [it.serial for it in made.with_sha256s(sha256s[::-1])] == [serial for _, serial in kept[::-1]]
    with pytest.raises(RegistryError, match="no certificate with SHA-256 0"):
        made.with_sha256s([*sha256s, "0" * 64])


def test_two_writers_wait_for_each_other(there: tuple[Registry, int], url: Url) -> None:
    made, authority = there
    failures: list[BaseException] = []

    def work(worker: int) -> None:
        own = Registry.open(url)
        try:
            for number in range(5):
                issue(
                    (own, authority), f"gw{worker}-{number}", 10 * worker + number + 1, f"{worker} {number}".encode()
                )
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(made.certificates()) == 21
    assert made.unfinished() == ()


def test_validity_of_a_record(there: tuple[Registry, int]) -> None:
    serial = issue(there)
    (record,) = there[0].find(serial)
    assert record.validity(NOW) == record.validity(NOW + 30 * DAY) == "valid"
    assert record.validity(NOW + 31 * DAY) == "expired"
    assert record.validity(NOW - DAY) == "not yet valid"
    assert replace(record, revoked_at=NOW).validity(NOW + 31 * DAY) == "revoked"
