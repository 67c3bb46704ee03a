# SPDX-License-Identifier: ISC
"""The registry's delegations: recorded, listed, revoked, and what is in force for daemons, which only read."""

import datetime
import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from keynote import keys as keynote_keys
from keynote.principals import is_key
from pki import keys, models, registry_audit
from pki.delegation_records import DelegationRecord, Draft, InForce, Stamp
from pki.errors import RegistryError
from pki.models import ISSUED, Certificate
from pki.registry_database import Database, check_schema

DELEGATE, REVOKE = "delegate", "revoke-delegation"  # actions in the audit log
_ISSUE = "issue"
_REASON_MAX = 32  # characters, as the column has them
_LATELY = datetime.timedelta(days=30)
_MOST_OVER = 100  # that are told of
_NOTHING_DONE = Stamp(0, "")


class Delegations:
    """Those of one registry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, draft: Draft, now: datetime.datetime) -> DelegationRecord:
        """Record a delegation, with its entry in the audit log. Raises RegistryError."""
        with self._database.transaction() as session:
            return insert(session, draft, now)

    def all(self) -> tuple[DelegationRecord, ...]:
        """In the order of their numbers. Raises RegistryUnreachable."""
        with self._database.reading() as session:
            rows = session.scalars(sa.select(models.Delegation).order_by(models.Delegation.id))
            return tuple(map(as_record, rows))

    def issued_with(self, sha256: str) -> tuple[DelegationRecord, ...]:
        """Those that were issued with a certificate, in the order of their numbers. Raises RegistryUnreachable."""
        table = models.Delegation
        with self._database.reading() as session:
            rows = session.scalars(sa.select(table).where(table.certificate == sha256).order_by(table.id))
            return tuple(map(as_record, rows))

    def get(self, number: int) -> DelegationRecord:
        """Raises RegistryError where there is none of this number."""
        with self._database.reading() as session:
            return as_record(_row(session, number))

    def revoke(self, number: int, reason: str, now: datetime.datetime) -> DelegationRecord:
        """Raises RegistryError, also where it is revoked already."""
        check_reason(reason)
        with self._database.transaction() as session:
            row = _row(session, number)
            if row.revoked_at is not None:
                raise RegistryError(f"delegation {number} was revoked on {row.revoked_at:%Y-%m-%d} already")
            _revoke(session, row, reason, now)
            return as_record(row)

    def in_force(self, now: datetime.datetime) -> InForce:
        """Those that are neither revoked nor past their end, and whose authorizer counts for something.

        A DN counts while a certificate of this registry bears it that is neither revoked nor expired; a key does
        unless all certificates with it are revoked. Raises RegistryUnreachable, SchemaUnknown."""
        table = models.Delegation
        with self._database.reading() as session:
            check_schema(session.connection())
            stamp = _stamp(session)  # first: what is done meanwhile makes another
            wanted = (
                sa.select(table)
                .where(table.revoked_at.is_(None), sa.or_(table.not_after.is_(None), table.not_after >= now))
                .order_by(table.id)
            )
            records = tuple(map(as_record, session.scalars(wanted)))
            over = tuple((record, _why_over(record)) for record in map(as_record, session.scalars(_lately_over(now))))
            authorizers = {record.authorizer for record in records}
            ends = _ends_of_names(session, authorizers, now)
            withdrawn = _withdrawn_keys(session, authorizers)
        left_out = []
        for record in records:
            if record.authorizer in withdrawn:
                left_out.append((record, "every certificate with its authorizer's key is revoked"))
            elif record.authorizer.startswith("DN:") and record.authorizer not in ends:
                left_out.append((record, "no valid certificate bears its authorizer's name"))
        out = {record.number for record, _ in left_out}
        kept = tuple(record for record in records if record.number not in out)
        return InForce(kept, tuple(left_out), stamp, min(ends.values(), default=None), over)

    def unchanged(self, since: InForce, now: datetime.datetime) -> InForce | None:
        """The same with a newer stamp where nothing was done since that concerns delegations, else None.

        Costs the last entry of the audit log, or all that are newer. Raises RegistryUnreachable, SchemaUnknown."""
        if since.until is not None and now > since.until:
            return None
        entry = models.AuditEntry
        with self._database.connection() as connection:
            check_schema(connection)
            found = _last(connection)
            if found == since.stamp:
                return since
            before = connection.scalar(sa.select(entry.hash).where(entry.sequence == since.stamp.sequence))
            if found.sequence < since.stamp.sequence or (before or "") != since.stamp.hash:
                return None  # another registry took the place of the one that was read
            # A new certificate concerns only those whose authorizer had none.
            concerns = sa.true() if since.left_out else entry.action != _ISSUE
            newer = sa.select(entry.sequence).where(entry.sequence > since.stamp.sequence, concerns).limit(1)
            if connection.scalar(newer) is not None:
                return None
        return replace(since, stamp=found)


def insert(
    session: Session, draft: Draft, now: datetime.datetime, certificate: str | None = None
) -> DelegationRecord:
    """Record a delegation in a transaction that is open: `certificate` is the SHA-256 of the one that is issued with
    it, and takes it along when it is revoked. Raises RegistryError where it carries on what is revoked."""
    if draft.carries_on is not None and _row(session, draft.carries_on).revoked_at is not None:
        raise RegistryError(
            f"delegation {draft.carries_on} was revoked meanwhile, so nothing was issued",
            "do it again: then it does not go on",
        )
    row = models.Delegation(
        authorizer=draft.authorizer,
        licensee=draft.licensee,
        conditions=draft.conditions,
        comment=draft.comment,
        assertion=draft.assertion,
        created_at=now,
        not_after=draft.not_after,
        certificate=certificate,
    )
    session.add(row)
    session.flush()
    details: dict[str, str | int | None] = {
        "authorizer": draft.authorizer,
        "licensee": draft.licensee,
        "assertion_sha256": hashlib.sha256(draft.assertion.encode("latin-1")).hexdigest(),
        "not_after": None if draft.not_after is None else f"{draft.not_after:%Y-%m-%dT%H:%M:%SZ}",
        "certificate": certificate,
        "conditions_sha256": hashlib.sha256(draft.conditions.encode()).hexdigest(),
        "comment_sha256": hashlib.sha256(draft.comment.encode()).hexdigest(),
    }
    if draft.carries_on is not None:
        details["carries_on"] = draft.carries_on
    registry_audit.append(session, now, DELEGATE, str(row.id), details)
    return as_record(row)


def revoke_bound(
    session: Session, certificates: Collection[str], reason: str, now: datetime.datetime
) -> tuple[int, ...]:
    """Revoke what was issued together with these certificates (their SHA-256), in a transaction that is open; the
    numbers of those that were not revoked before."""
    rows = session.scalars(
        sa.select(models.Delegation)
        .where(models.Delegation.certificate.in_(certificates), models.Delegation.revoked_at.is_(None))
        .order_by(models.Delegation.id)
    ).all()
    for row in rows:
        _revoke(session, row, reason, now)
    return tuple(row.id for row in rows)


def check_reason(reason: str) -> None:
    """Raises RegistryError."""
    if not reason.strip() or len(reason) > _REASON_MAX or not reason.isprintable():
        raise RegistryError(f"a reason is a word or two, of {_REASON_MAX} characters at most")


def _revoke(session: Session, row: models.Delegation, reason: str, now: datetime.datetime) -> None:
    row.revoked_at, row.revocation_reason = now, reason
    registry_audit.append(session, now, REVOKE, str(row.id), {"reason": reason, "certificate": row.certificate})


def _row(session: Session, number: int) -> models.Delegation:
    row = session.get(models.Delegation, number)
    if row is None:
        raise RegistryError(f"there is no delegation {number}", "`keynote-pki delegations list` has them all")
    return row


def as_record(row: models.Delegation) -> DelegationRecord:
    return DelegationRecord(
        number=row.id,
        authorizer=row.authorizer,
        licensee=row.licensee,
        conditions=row.conditions,
        comment=row.comment,
        assertion=row.assertion,
        created_at=row.created_at,
        not_after=row.not_after,
        certificate=row.certificate,
        revoked_at=row.revoked_at,
        revocation_reason=row.revocation_reason,
    )


# -- what counts -----------------------------------------------------------------------------------------------------


_LAST = (
    sa.select(models.AuditEntry.sequence, models.AuditEntry.hash).order_by(models.AuditEntry.sequence.desc()).limit(1)
)


def _last(connection: sa.Connection) -> Stamp:
    last = connection.execute(_LAST).first()
    return _NOTHING_DONE if last is None else Stamp(last.sequence, last.hash)


def _stamp(session: Session) -> Stamp:
    return _last(session.connection())


def _lately_over(now: datetime.datetime) -> sa.Select[models.Delegation]:
    table, lately = models.Delegation, now - _LATELY
    ended = sa.and_(table.not_after < now, table.not_after >= lately)
    return (
        sa.select(table).where(sa.or_(table.revoked_at >= lately, ended)).order_by(table.id.desc()).limit(_MOST_OVER)
    )


def _why_over(record: DelegationRecord) -> str:
    if record.revoked_at is not None:
        return f"it was revoked on {record.revoked_at:%Y-%m-%d %H:%M:%SZ}: {record.revocation_reason}"
    return f"it ended on {record.not_after:%Y-%m-%d %H:%M:%SZ}"


def _ends_of_names(
    session: Session, authorizers: Iterable[str], now: datetime.datetime
) -> Mapping[str, datetime.datetime]:
    """The DNs that valid certificates bear, and until when."""
    subjects = [it.removeprefix("DN:") for it in authorizers if it.startswith("DN:")]
    if not subjects:
        return {}
    query = (
        sa.select(Certificate.subject, sa.func.max(Certificate.not_after))
        .where(
            Certificate.subject.in_(subjects),
            Certificate.state == ISSUED,
            Certificate.revoked_at.is_(None),
            Certificate.not_after >= now,
        )
        .group_by(Certificate.subject)
    )
    return {f"DN:{subject}": end for subject, end in session.execute(query)}


def _withdrawn_keys(session: Session, authorizers: Iterable[str]) -> frozenset[str]:
    """The keys all of whose certificates are revoked."""
    by_sha256 = {sha256: it for it in authorizers if is_key(it) and (sha256 := key_sha256(it)) is not None}
    if not by_sha256:
        return frozenset()
    query = (
        sa.select(Certificate.key_sha256)
        .where(Certificate.key_sha256.in_(by_sha256), Certificate.state == ISSUED)
        .group_by(Certificate.key_sha256)
        .having(sa.func.count() == sa.func.count(Certificate.revoked_at))
    )
    return frozenset(by_sha256[sha256] for sha256 in session.scalars(query))


def key_sha256(principal: str) -> str | None:
    """What the registry finds certificates with this key by; None for a key that cannot be in one."""
    try:
        return keys.key_sha256(keynote_keys.load(principal))
    except keynote_keys.NoKey:
        return None
