# SPDX-License-Identifier: ISC
"""The audit log read: its entries, and whether log and tables are what they were."""

import contextlib
from collections.abc import Iterable, Iterator, Set
from itertools import groupby

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import models, registry_audit, registry_crls, registry_delegations
from pki.audit import AuditEntry, Head
from pki.audit_tables import AuthorityRow, CertificateRow
from pki.delegation_records import DelegationRecord
from pki.errors import EDITED, RegistryError, shown
from pki.models import ISSUED, PENDING, Authority, Certificate, SubjectAltName
from pki.names import Identity
from pki.records import Unfinished
from pki.registry_database import Database, check_schema
from pki.registry_values import reading_on
from pki.revocation import ListRecord

_AT_ONCE = 1000  # rows in memory
_Names = tuple[tuple[int, Identity, str], ...]  # of a certificate, by their positions, with what they fold to


class AuditLog:
    """That of one registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> Head:
        """Where it ends. Raises RegistryUnreachable, SchemaUnknown."""
        with self._database.reading() as session:
            check_schema(session.connection())
            return registry_audit.head(session)

    def check_not_issued(self, certificates: Set[tuple[int, str]]) -> None:
        """Raises RegistryError where the log tells that one of these (authority, serial number) was issued."""
        if not certificates:
            return
        query = sa.select(models.AuditEntry).where(models.AuditEntry.action.in_(("issue", "adopt")))
        with self._database.reading() as session:
            for row in session.scalars(query.execution_options(yield_per=_AT_ONCE)):
                told = registry_audit.entry(row).told
                if (told.get("authority"), serial := told.get("serial")) in certificates:
                    raise RegistryError(
                        f"serial number {serial} is not finished, but entry {row.sequence} of the log has it issued",
                        EDITED,
                    )

    @contextlib.contextmanager
    def reading(self) -> "Iterator[Snapshot]":
        """Everything at one moment, edited or not. Raises RegistryUnreachable, SchemaUnknown."""
        with reading_on(), self._database.reading() as session:
            check_schema(session.connection())
            yield Snapshot(session)


class Snapshot:
    """A registry at one moment, a few rows at a time."""

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def entries_total(self) -> int:
        return self._count(models.AuditEntry)

    @property
    def certificates_total(self) -> int:
        return self._count(Certificate)

    def _count(self, table: type[models.Base]) -> int:
        return self._session.scalar(sa.select(sa.func.count()).select_from(table)) or 0

    def head(self) -> Head:
        return registry_audit.head(self._session)

    def misplaced(self) -> Iterator[str]:
        """What is no text, or no number, in a column of these, which SQLite takes: where it is, and what."""
        connection = self._session.connection()
        for table in models.Base.metadata.sorted_tables if connection.dialect.name == "sqlite" else ():
            known_by = [sa.func.quote(it) for it in table.primary_key.columns]
            for column in table.columns:
                if isinstance(column.type, sa.String | sa.Integer | sa.Boolean):
                    kind = "text" if isinstance(column.type, sa.String) else "integer"
                    query = sa.select(sa.func.quote(column), *known_by)
                    strange = sa.func.typeof(column).not_in([kind, "null"])
                    for value, *key in connection.execute(query.where(strange)):
                        row = f"{table.name} {shown(', '.join(key))}"
                        yield f"{column.name} of the {row} is {shown(value)}, which is no {kind}"

    def entries(self) -> Iterator[AuditEntry]:
        """In the order of their numbers."""
        query = sa.select(models.AuditEntry).order_by(models.AuditEntry.sequence)
        for row in self._session.scalars(query.execution_options(yield_per=_AT_ONCE)):
            yield registry_audit.entry(row)
            self._session.expunge(row)

    def certificates(self) -> Iterator[CertificateRow]:
        """The issued ones."""
        query = sa.select(Certificate).where(Certificate.state == ISSUED)
        for part in self._session.scalars(query.execution_options(yield_per=_AT_ONCE)).partitions():
            names = self._names(part)
            for row in part:
                yield _certificate(row, names.get((row.authority_id, row.serial), ()))
                self._session.expunge(row)

    def unfinished(self) -> Iterator[Unfinished]:
        """The others."""
        for row in self._session.scalars(sa.select(Certificate).where(Certificate.state == PENDING)):
            yield Unfinished(row.authority_id, row.serial, row.name, False, row.key_file, row.temporary_file)

    def _names(self, certificates: Iterable[Certificate]) -> dict[tuple[int, str], _Names]:
        serials = [row.serial for row in certificates]
        table = SubjectAltName
        query = (
            sa.select(table.authority_id, table.serial, table.position, table.kind, table.value, table.folded_sha256)
            .where(table.serial.in_(serials))
            .order_by(table.authority_id, table.serial, table.position)
        )
        rows = self._session.execute(query).all()
        return {
            key: tuple(
                (position, Identity(kind, value), folded or "") for _, _, position, kind, value, folded in group
            )
            for key, group in groupby(rows, lambda row: (row.authority_id, row.serial))
        }

    def authorities(self) -> tuple[AuthorityRow, ...]:
        """Without those that are being made."""
        query = (
            sa.select(Authority, Certificate.sha256, Certificate.der)
            .join(
                Certificate,
                (Certificate.authority_id == Authority.issuer_id) & (Certificate.serial == Authority.serial),
                isouter=True,
            )
            .where(sa.or_(Certificate.state == ISSUED, Certificate.state.is_(None)))
            .order_by(Authority.id)
        )
        return tuple(
            AuthorityRow(
                it.id,
                it.name,
                it.subject_der,
                it.issuer_id,
                it.key_sha256,
                it.foreign,
                it.retired_at,
                it.crl_number,
                sha256 or "",
                der or b"",
            )
            for it, sha256, der in self._session.execute(query)
        )

    def delegations(self) -> Iterator[DelegationRecord]:
        query = sa.select(models.Delegation).order_by(models.Delegation.id)
        for row in self._session.scalars(query.execution_options(yield_per=_AT_ONCE)):
            yield registry_delegations.as_record(row)

    def list(self, authority_id: int, number: int) -> ListRecord | None:
        row = self._session.get(models.RevocationList, (authority_id, number))
        return None if row is None else registry_crls.record(row)

    def lists(self) -> Iterator[ListRecord]:
        table = models.RevocationList
        query = sa.select(table).order_by(table.authority_id, table.number)
        for row in self._session.scalars(query.execution_options(yield_per=1)):  # each may have megabytes
            yield registry_crls.record(row)
            self._session.expunge(row)


def _certificate(row: Certificate, named: _Names) -> CertificateRow:
    return CertificateRow(
        authority_id=row.authority_id,
        serial=row.serial,
        sha256=row.sha256 or "",
        profile=row.profile,
        name=row.name,
        identities=tuple(identity for _, identity, _ in named),
        positions=tuple(position for position, _, _ in named),
        folded_names=tuple(folded for _, _, folded in named),
        subject=row.subject,
        subject_der=row.subject_der,
        folded_sha256=row.folded_sha256,
        not_before=row.not_before,
        not_after=row.not_after,
        issued_at=row.issued_at,
        key_sha256=row.key_sha256,
        supersedes=row.supersedes,
        directory=row.directory,
        key_file=row.key_file,
        temporary_file=row.temporary_file,
        der=row.der or b"",
        revoked_at=row.revoked_at,
        revocation_reason=row.revocation_reason,
    )
