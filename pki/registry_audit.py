# SPDX-License-Identifier: ISC
"""The audit log's rows. An entry is written in the transaction that does what it tells: both are there or
neither."""

import datetime
import getpass
import platform

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import audit, models
from pki.audit import AuditEntry, Details, Head


def append(session: Session, at: datetime.datetime, action: str, subject: str, details: Details) -> AuditEntry:
    """Add an entry. The caller's transaction holds the right to write, so no other has the same number."""
    last = head(session)
    text = audit.details_text(details)
    by = actor()
    row = models.AuditEntry(
        sequence=last.sequence + 1,
        at=at,
        actor=by,
        action=action,
        subject=subject,
        details=text,
        hash=audit.entry_hash(last.hash, last.sequence + 1, at, by, action, subject, text),
    )
    session.add(row)
    session.flush()
    return entry(row)


def head(session: Session) -> Head:
    """Where the log ends."""
    last = session.execute(
        sa.select(models.AuditEntry.sequence, models.AuditEntry.hash)
        .order_by(models.AuditEntry.sequence.desc())
        .limit(1)
    ).first()
    return Head(last.sequence, last.hash) if last else Head(0, audit.FIRST_HASH)


def entry(row: models.AuditEntry) -> AuditEntry:
    return AuditEntry(row.sequence, row.at, row.actor, row.action, row.subject, row.details, row.hash)


def actor() -> str:
    """Who is at work."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as containers have them
        user = "unknown"
    return f"{user}@{platform.node()}"
