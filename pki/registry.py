# SPDX-License-Identifier: ISC
"""The registry of everything issued: the only place that opens a database session.

A serial number is taken, and a certificate made known, in a transaction of its own each (`reserve`, `confirm`); what
lies between is `issuance`'s. Gateways open it read-only and ask for the status of a fingerprint: a certificate
signed again under the same serial number has another, and is unknown.
"""

import contextlib
import datetime
import hashlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import event, exc
from sqlalchemy.orm import Session
from sqlalchemy.pool import NullPool

from pki.errors import RegistryError, RegistryUnreachable, SchemaUnknown
from pki.models import ISSUED, PENDING, Authority, Certificate, SubjectAltName
from pki.names import Identity
from pki.records import AuthorityRecord, Record, Reservation, Status, Unfinished

SCHEMA = "0001"  # the newest revision in migrations/, and the only one that this version reads and writes
_BUSY_SECONDS = 30
_FINGERPRINT_BYTES = 32


class Registry:
    """One registry. Connections are opened for each use: a file restored from a backup is seen at once, and a
    process that forks shares none."""

    def __init__(self, engine: sa.Engine) -> None:
        self._engine = engine

    @classmethod
    def create(cls, url: str | Path) -> "Registry":
        """Make the tables of a registry that is not there yet; all of them or, interrupted, none.

        Raises RegistryUnreachable, SchemaUnknown."""
        registry = cls(_engine(url, "rwc"))
        with registry._transaction() as session:
            if not sa.inspect(session.connection()).has_table("alembic_version"):
                _migrate(session.connection())
        registry.check_schema()
        return registry

    @classmethod
    def open(cls, url: str | Path) -> "Registry":
        """Open a registry to read and write. Raises RegistryUnreachable, SchemaUnknown."""
        registry = cls(_engine(url, "rw"))
        registry.check_schema()
        return registry

    @classmethod
    def open_read_only(cls, url: str | Path) -> "Registry":
        """Open a registry with no more than the right to read: for daemons.

        Raises RegistryUnreachable, SchemaUnknown."""
        registry = cls(_engine(url, "ro"))
        registry.check_schema()
        return registry

    def check_schema(self) -> None:
        """Raises SchemaUnknown for any revision but ours, RegistryUnreachable."""
        with self._reading() as session:
            _check_schema(session)

    def status(self, sha256: bytes) -> Status:
        """What is known of the certificate with this SHA-256.

        Raises RegistryUnreachable, SchemaUnknown, and ValueError for what is no SHA-256."""
        if len(sha256) != _FINGERPRINT_BYTES:
            raise ValueError(f"a SHA-256 has {_FINGERPRINT_BYTES} bytes, not {len(sha256)}")
        query = sa.select(Certificate.revoked_at).where(
            Certificate.sha256 == sha256.hex(), Certificate.state == ISSUED
        )
        with self._reading() as session:
            _check_schema(session)
            row = session.execute(query).one_or_none()
        if row is None:
            return Status.UNKNOWN
        return Status.ISSUED if row.revoked_at is None else Status.REVOKED

    def authorities(self) -> tuple[AuthorityRecord, ...]:
        """Those whose certificate is issued, oldest first."""
        query = (
            sa.select(Authority, Certificate)
            .join(Certificate, (Certificate.authority_id == Authority.id) & (Certificate.serial == Authority.serial))
            .where(Certificate.state == ISSUED)
            .order_by(Authority.id)
        )
        with self._reading() as session:
            return tuple(
                AuthorityRecord(authority.id, authority.name, _record(certificate))
                for authority, certificate in session.execute(query)
            )

    def certificates(self) -> tuple[Record, ...]:
        """Everything issued, in the order of names, the newest of a name first."""
        return self._select(sa.true())

    def find(self, text: str) -> tuple[Record, ...]:
        """What is issued under this name, identity, serial number, fingerprint or beginning (8 digits at least) of
        one of these two."""
        lowered = text.lower().replace(":", "")
        conditions = [
            Certificate.name == text,
            Certificate.subject == text.removeprefix("DN:"),
            Certificate.names.any(SubjectAltName.value == text),
        ]
        if len(lowered) >= 8 and all(digit in "0123456789abcdef" for digit in lowered):
            end = lowered + "g"  # after every hex digit
            conditions += [Certificate.serial.between(lowered, end), Certificate.sha256.between(lowered, end)]
        return self._select(sa.or_(*conditions))

    def _select(self, condition: sa.ColumnElement[bool]) -> tuple[Record, ...]:
        query = (
            sa.select(Certificate)
            .where(condition, Certificate.state == ISSUED)
            .order_by(Certificate.name, Certificate.not_before.desc(), Certificate.serial)
        )
        with self._reading() as session:
            return tuple(_record(certificate) for certificate in session.scalars(query))

    def reserve_authority(self, reservation: Reservation) -> int:
        """Take the name of a new authority and the serial number of its own certificate; the authority's id."""
        with self._transaction() as session:
            if session.scalar(sa.select(Authority.id).where(Authority.name == reservation.name)):
                raise RegistryError(f"authority `{reservation.name}` exists already")
            authority = Authority(
                name=reservation.name, subject_der=reservation.subject_der, serial=reservation.serial
            )
            session.add(authority)
            session.flush()
            session.add(_pending(authority.id, reservation))
            return authority.id

    def reserve(self, authority_id: int, reservation: Reservation, now: datetime.datetime) -> None:
        """Take a serial number. Raises RegistryError where it is taken or the name has a certificate that is good."""
        query = sa.select(Certificate).where(
            Certificate.authority_id == authority_id,
            Certificate.name == reservation.name,
            Certificate.revoked_at.is_(None),
            Certificate.not_after >= now,
        )
        with self._transaction() as session:
            if (valid := session.scalars(query).first()) is not None:
                raise RegistryError(
                    f"`{reservation.name}` has a certificate already, valid until {valid.not_after:%Y-%m-%d} "
                    f"(serial {valid.serial})",
                    f"look at it with `keynote-pki show {reservation.name}`",
                )
            session.add(_pending(authority_id, reservation))

    def confirm(self, authority_id: int, serial: str, der: bytes) -> None:
        """Make a reserved certificate an issued one. Raises RegistryError where nothing is reserved."""
        with self._transaction() as session:
            certificate = session.get(Certificate, (authority_id, serial))
            if certificate is None or certificate.state != PENDING:
                raise RegistryError(f"serial number {serial} is not reserved")
            certificate.state = ISSUED
            certificate.der = der
            certificate.sha256 = hashlib.sha256(der).hexdigest()

    def settle(self, authority_id: int, serial: str) -> None:
        """Record that the key file has its name."""
        with self._transaction() as session:
            certificate = session.get(Certificate, (authority_id, serial))
            if certificate is not None:
                certificate.temporary_file = None

    def cancel(self, authority_id: int, serial: str) -> None:
        """Forget a reservation, and the authority whose own certificate it was to be."""
        with self._transaction() as session:
            certificate = session.get(Certificate, (authority_id, serial))
            if certificate is None or certificate.state != PENDING:
                return
            session.delete(certificate)
            session.flush()
            authority = session.get(Authority, authority_id)
            if authority is not None and authority.serial == serial:
                session.delete(authority)

    def unfinished(self) -> tuple[Unfinished, ...]:
        """What interrupted issues left, oldest first."""
        query = sa.select(Certificate).where((Certificate.state == PENDING) | Certificate.temporary_file.is_not(None))
        with self._reading() as session:
            return tuple(
                Unfinished(it.authority_id, it.serial, it.name, it.state == ISSUED, it.key_file, it.temporary_file)
                for it in session.scalars(query.order_by(Certificate.authority_id, Certificate.serial))
            )

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Session]:
        with _clear_errors(), Session(self._engine) as session:
            yield session

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[Session]:
        """Holds the right to write from its first statement on: writers wait for each other, none fails halfway."""
        engine = self._engine.execution_options(immediate=True)
        with _clear_errors(), Session(engine) as session, session.begin():
            yield session


def _check_schema(session: Session) -> None:
    try:
        found = session.scalars(sa.text("SELECT version_num FROM alembic_version")).all()
    except (exc.OperationalError, exc.ProgrammingError) as error:
        if "alembic_version" not in str(error.orig):
            raise
        raise SchemaUnknown("this database is no registry", "make one with `keynote-pki init DIR`") from error
    if found != [SCHEMA]:
        raise SchemaUnknown(
            f"the registry has schema {', '.join(found) or 'none'}, this version knows {SCHEMA} only",
            "use the version that wrote it",
        )


def _engine(url: str | Path, mode: Literal["ro", "rw", "rwc"]) -> sa.Engine:
    if isinstance(url, str) and "://" in url and not url.startswith("sqlite:"):
        options = {"postgresql_readonly": True} if mode == "ro" else {}
        try:
            return sa.create_engine(url, poolclass=NullPool, execution_options=options)
        except (exc.ArgumentError, ImportError) as error:
            raise RegistryUnreachable(f"registry URL cannot be used: {error}") from error
    path = Path(url.removeprefix("sqlite:///")) if isinstance(url, str) else url
    uri = f"file:{quote(str(path.absolute()))}?mode={mode}"

    def connect() -> sqlite3.Connection:
        connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
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


def _migrate(connection: sa.Connection) -> None:
    from alembic import command  # slow to import, and needed once in the life of a registry
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextlib.contextmanager
def _clear_errors() -> Iterator[None]:
    try:
        yield
    except exc.IntegrityError as error:
        raise RegistryError(f"the registry refuses this: {error.orig}") from error
    except exc.DBAPIError as error:
        raise RegistryUnreachable(f"the registry cannot be used: {error.orig}") from error


def _pending(authority_id: int, reservation: Reservation) -> Certificate:
    return Certificate(
        authority_id=authority_id,
        serial=reservation.serial,
        state=PENDING,
        profile=reservation.profile,
        name=reservation.name,
        subject=reservation.subject,
        subject_der=reservation.subject_der,
        not_before=reservation.not_before,
        not_after=reservation.not_after,
        key_file=reservation.key_file,
        temporary_file=reservation.temporary_file,
        names=[
            SubjectAltName(position=position, kind=identity.kind, value=identity.value)
            for position, identity in enumerate(reservation.identities)
        ],
    )


def _record(certificate: Certificate) -> Record:
    assert certificate.sha256 is not None  # the check constraint `issued_whole`
    assert certificate.der is not None
    return Record(
        authority_id=certificate.authority_id,
        serial=certificate.serial,
        profile=certificate.profile,
        name=certificate.name,
        identities=tuple(Identity(name.kind, name.value) for name in certificate.names),
        subject=certificate.subject,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        sha256=certificate.sha256,
        der=certificate.der,
        key_file=certificate.key_file,
        revoked_at=certificate.revoked_at,
        revocation_reason=certificate.revocation_reason,
    )
