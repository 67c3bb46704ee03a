# SPDX-License-Identifier: ISC
"""The registry's revocation lists.

A list gets its number, is signed and recorded in one transaction, which holds the right to write: no number is taken
twice or lost, and each list has all that the ones before it had, whoever makes them at the same time. So a signer
that is slow delays whoever issues.
"""

import datetime
import hashlib
from collections.abc import Collection, Iterable, Sequence
from typing import Final, NamedTuple

import sqlalchemy as sa
from cryptography import x509
from sqlalchemy.orm import Session

from pki import models, registry_audit, revocation
from pki.audit import Details, Head
from pki.errors import EDITED, RegistryError, shown
from pki.keys import Signer
from pki.models import ISSUED, Certificate
from pki.records import AuthorityRecord, serial_text
from pki.registry_database import Database, check_schema
from pki.revocation import Entry, ListRecord
from pki.revocation_lists import RevocationList

CRL = "crl"  # the action in the audit log

# RFC 5280 5.2.3 allows 20 octets; the columns have 32 bits on PostgreSQL.
_MAX_NUMBER: Final = (1 << 31) - 1
_MAX_STEP: Final = 1_000_000  # a list each hour for a century: whoever needs more has the list that they go on after
_AT_ONCE: Final = 1000  # values in one question


class Unlisted(NamedTuple):
    """Serial numbers that an earlier list has and another one lacks, of certificates that are not known to have
    ended, by what the registry says of them."""

    revoked: tuple[int, ...]
    good: tuple[int, ...]
    unknown: tuple[int, ...]

    @property
    def all(self) -> tuple[int, ...]:
        return tuple(sorted((*self.revoked, *self.good, *self.unknown)))


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

    def unlisted(self, earlier: RevocationList, made: ListRecord) -> Unlisted:
        """What `earlier`, a list of the same authority, has and `made` lacks, but for what the registry knows to have
        ended when that was made.

        Raises RegistryUnreachable, RegistryError."""
        missing = earlier.revoked.keys() - {entry.serial_number for entry in made.crl}
        with self._database.reading() as session:
            return _unlisted(session, made.authority_id, missing, made.this_update)

    def make(
        self,
        authority: AuthorityRecord,
        signer: Signer,
        now: datetime.datetime,
        lifetime: datetime.timedelta = revocation.LIFETIME,
        at_least: int = 1,
        after: Sequence[RevocationList] = (),
    ) -> ListRecord:
        """A new list of an authority, with a number from `at_least` on: signed, recorded, told in the audit log,
        whose head is signed too. All of it or, where it raises, nothing.

        It goes on `after` lists that this registry may not know, since it was restored from a backup: has a higher
        number, and whatever they have of certificates that are unknown here. Those stay for ever, as nobody knows
        when they end.

        Raises PkiError, also where a list to go on after is not this authority's, or has certificates that are not
        revoked here."""
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
            kept = _kept(session, authority, after, this_update)
            row.crl_number = _next_number(row, at_least, after)
            entries = _entries(session, authority.id, before, kept)
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


def _next_number(row: models.Authority, at_least: int, after: Sequence[RevocationList]) -> int:
    """Raises RegistryError for a number that would use up those that there are."""
    following = row.crl_number + 1
    if at_least > following + _MAX_STEP:
        raise RegistryError(
            f"list {at_least} is too far above the newest list of `{shown(row.name)}`, which is {row.crl_number}: "
            "numbers never go back, and must suffice for ever",
            f"at most {following + _MAX_STEP}; after a list that is out there: keynote-pki crl make --after FILE",
        )
    number = max(following, at_least, *((it.number or 0) + 1 for it in after))
    if number > _MAX_NUMBER:
        raise RegistryError(
            f"no list of `{shown(row.name)}` can have the number {number}: the last possible is {_MAX_NUMBER}",
            'replace the authority: keynote-pki rollover --name "…"',
        )
    return number


def _kept(
    session: Session, authority: AuthorityRecord, after: Sequence[RevocationList], now: datetime.datetime
) -> list[Entry]:
    """The entries of lists from elsewhere for certificates that are unknown here. Raises RegistryError."""
    issuer = authority.certificate.certificate
    for each in after:
        if each.crl.issuer != issuer.subject or not each.signed_with(issuer.public_key()):
            raise RegistryError(f"{each.shown} is not signed by authority `{authority.name}`")
    found = _unlisted(session, authority.id, {serial for each in after for serial in each.revoked}, now)
    if found.good:
        reasons = {serial: each.revoked[serial].reason for each in after for serial in each.revoked}
        raise RegistryError(
            f"{named(found.good)} revoked in the list to go on after, and not in this registry",
            "revoke again what it lacks first: " + revoke_commands((it, reasons[it]) for it in found.good),
        )
    unknown = frozenset(found.unknown)
    return [_entry(entry) for each in after for entry in each.crl if entry.serial_number in unknown]


def named(serials: Sequence[int]) -> str:
    """For messages: `serial number 01 is`."""
    listed = ", ".join(map(serial_text, serials))
    return f"serial number {listed} is" if len(serials) == 1 else f"{len(serials)} serial numbers, {listed}, are"


def revoke_commands(serials: Iterable[tuple[int, str]]) -> str:
    """What to type, for serial numbers with the reason of each, in the words of a list."""
    by_reason: dict[str, list[str]] = {}
    for serial, reason in serials:
        by_reason.setdefault(reason if reason in revocation.REASONS else revocation.UNSPECIFIED, []).append(
            serial_text(serial)
        )
    return "; ".join(
        f"keynote-pki revoke {' '.join(found)} --reason {reason}" for reason, found in sorted(by_reason.items())
    )


def _unlisted(session: Session, authority_id: int, serials: Collection[int], now: datetime.datetime) -> Unlisted:
    wanted = sorted(serials)
    revoked: list[int] = []
    good: list[int] = []
    unknown: list[int] = []
    for start in range(0, len(wanted), _AT_ONCE):
        part = wanted[start : start + _AT_ONCE]
        query = sa.select(Certificate.serial, Certificate.not_after, Certificate.revoked_at).where(
            Certificate.authority_id == authority_id,
            Certificate.serial.in_(map(serial_text, part)),
            Certificate.state == ISSUED,
        )
        known = {int(serial, 16): (end, at) for serial, end, at in session.execute(query).all()}
        unknown += [serial for serial in part if serial not in known]
        for serial, (end, at) in known.items():
            if end >= now:
                (good if at is None else revoked).append(serial)
    return Unlisted(tuple(sorted(revoked)), tuple(sorted(good)), tuple(unknown))


def _entry(entry: x509.RevokedCertificate) -> Entry:
    return Entry(entry.serial_number, entry.revocation_date_utc, revocation.listed_reason(entry))


def _entries(
    session: Session, authority_id: int, before: models.RevocationList | None, kept: Iterable[Entry]
) -> list[Entry]:
    """What is revoked, and not expired before the list `before` this one: RFC 5280 3.3 wants each certificate in one
    list that was made after its end. And what is unknown here, of that list or to be `kept` from now on."""
    query = sa.select(Certificate.serial, Certificate.revoked_at, Certificate.revocation_reason).where(
        _revoked_of(authority_id)
    )
    if before is not None:
        query = query.where(
            sa.or_(Certificate.not_after >= before.this_update, Certificate.revoked_at >= before.this_update)
        )
    entries = {
        int(serial, 16): Entry(int(serial, 16), at, _reason(serial, reason))
        for serial, at, reason in session.execute(query).all()
        if at is not None
    }
    unknown = {it.serial: it for it in kept}
    if before is not None:
        left = {it.serial_number: it for it in record(before).crl if it.serial_number not in entries}
        found = _unlisted(session, authority_id, left, before.this_update)
        unknown |= {serial: _entry(left[serial]) for serial in found.unknown}
    return [it for _, it in sorted((unknown | entries).items())]
