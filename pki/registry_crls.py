# SPDX-License-Identifier: ISC
"""The registry's revocation lists.

A list gets its number, is signed and recorded in one transaction, which holds the right to write: no number is taken
twice or lost, and each list has all that the ones before it had, whoever makes them at the same time. So a signer
that is slow delays whoever issues.
"""

import datetime
import hashlib

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import models, registry_audit, revocation
from pki.audit import Details, Head
from pki.errors import EDITED, RegistryError, shown
from pki.keys import Signer
from pki.models import ISSUED, Certificate
from pki.records import AuthorityRecord
from pki.registry_database import Database, check_schema
from pki.revocation import Entry, ListRecord

CRL = "crl"  # the action in the audit log


class IssuedLists:
    """Those of one registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, authority_id: int) -> ListRecord | None:
        """Raises RegistryUnreachable, SchemaUnknown."""
        with self._database.reading() as session:
            check_schema(session.connection())
            row = _newest(session, authority_id)
            return None if row is None else record(row)

    def get(self, authority_id: int, number: int) -> ListRecord | None:
        """Raises RegistryUnreachable."""
        with self._database.reading() as session:
            row = session.get(models.RevocationList, (authority_id, number))
            return None if row is None else record(row)

    def lacks(self, newest: ListRecord, now: datetime.datetime) -> bool:
        """Whether an authority's newest list lacks a certificate that it has revoked and that is not expired, or has
        another reason.

        Raises RegistryUnreachable."""
        wanted = sa.select(Certificate.serial, Certificate.revocation_reason).where(
            _revoked_of(newest.authority_id), Certificate.not_after >= now
        )
        listed = {entry.serial_number: revocation.listed_reason(entry) for entry in newest.crl}
        with self._database.connection() as connection:
            revoked = connection.execute(wanted).all()
        return any(listed.get(int(serial, 16)) != (reason or revocation.UNSPECIFIED) for serial, reason in revoked)

    def make(
        self,
        authority: AuthorityRecord,
        signer: Signer,
        now: datetime.datetime,
        lifetime: datetime.timedelta = revocation.LIFETIME,
        at_least: int = 1,
    ) -> ListRecord:
        """A new list of an authority, with a number from `at_least` on: signed, recorded, told in the audit log,
        whose head is signed too. All of it or, where it raises, nothing. Raises PkiError."""
        this_update = now.astimezone(datetime.UTC).replace(microsecond=0)
        issuer = authority.certificate.certificate
        with self._database.transaction() as session:
            row = session.get(models.Authority, authority.id)
            if row is None or row.foreign:
                raise RegistryError(f"authority `{authority.name}` is not ours: it makes its lists itself")
            before = _newest(session, authority.id)
            if before is not None and before.this_update > this_update:
                raise RegistryError(
                    f"the newest list of `{authority.name}` is of {before.this_update:%Y-%m-%d %H:%M:%SZ}, "
                    "which is still to come",
                    "check this machine's clock",
                )
            row.crl_number = max(row.crl_number + 1, at_least)
            entries = _entries(session, authority.id, before)
            prepared = revocation.prepare_list(issuer, row.crl_number, entries, this_update, this_update + lifetime)
            der = prepared.sign(signer)
            made: Details = {
                "authority": authority.id,
                "number": row.crl_number,
                "sha256": hashlib.sha256(der).hexdigest(),
                "this_update": f"{this_update:%Y-%m-%dT%H:%M:%SZ}",
                "next_update": f"{this_update + lifetime:%Y-%m-%dT%H:%M:%SZ}",
                "entries": len(entries),
            }
            entry = registry_audit.append(session, now, CRL, f"{authority.id}/{row.crl_number}", made)
            new = models.RevocationList(
                authority_id=authority.id,
                number=row.crl_number,
                this_update=this_update,
                next_update=this_update + lifetime,
                der=der,
                audit_sequence=entry.sequence,
                audit_hash=entry.hash,
                audit_signature=signer.sign(Head(entry.sequence, entry.hash).to_be_signed),
            )
            session.add(new)
            session.flush()
            return record(new)


def record(row: models.RevocationList) -> ListRecord:
    return ListRecord(
        row.authority_id,
        row.number,
        row.this_update,
        row.next_update,
        row.der,
        row.audit_sequence,
        row.audit_hash,
        row.audit_signature,
    )


def _newest(session: Session, authority_id: int) -> models.RevocationList | None:
    table = models.RevocationList
    query = sa.select(table).where(table.authority_id == authority_id).order_by(table.number.desc()).limit(1)
    return session.scalars(query).first()


def _revoked_of(authority_id: int) -> sa.ColumnElement[bool]:
    return sa.and_(
        Certificate.authority_id == authority_id, Certificate.revoked_at.is_not(None), Certificate.state == ISSUED
    )


def _reason(serial: str, reason: str | None) -> str:
    """Raises RegistryError for what was never a reason here: a list is signed, and cannot be taken back."""
    if reason is None or reason in revocation.REASONS:
        return reason or revocation.UNSPECIFIED
    raise RegistryError(
        f"serial number {serial} is revoked with the reason `{shown(reason)}`, which is none: no list is signed",
        EDITED,
    )


def _entries(session: Session, authority_id: int, before: models.RevocationList | None) -> list[Entry]:
    """What is revoked, and not expired before the list `before` this one: RFC 5280 3.3 wants each certificate in one
    list that was made after its end."""
    query = sa.select(Certificate.serial, Certificate.revoked_at, Certificate.revocation_reason).where(
        _revoked_of(authority_id)
    )
    if before is not None:
        query = query.where(
            sa.or_(Certificate.not_after >= before.this_update, Certificate.revoked_at >= before.this_update)
        )
    return [
        Entry(int(serial, 16), at, _reason(serial, reason))
        for serial, at, reason in session.execute(query.order_by(Certificate.serial)).all()
        if at is not None
    ]
