# SPDX-License-Identifier: ISC
"""The audit log's rows. An entry is written in the transaction that does what it tells: both are there or
neither."""

import datetime
import getpass
import platform
from collections.abc import Iterable
from dataclasses import fields
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import audit, models
from pki.audit import AuditEntry, Details, Head


class Told(NamedTuple):
    """What is to be logged of one thing that was done."""

    action: str
    subject: str  # what it was done to
    details: Details


def append(session: Session, at: datetime.datetime, action: str, subject: str, details: Details) -> AuditEntry:
    """Add an entry. The caller's transaction holds the right to write, so no other has the same number."""
    (entry,) = append_all(session, at, (Told(action, subject, details),))
    return entry


def append_all(session: Session, at: datetime.datetime, told: Iterable[Told]) -> tuple[AuditEntry, ...]:
    """The same for several things, in their order."""
    session.flush()  # what they tell of comes first
    last, by = head(session), actor()
    sequence, previous = last.sequence, last.hash
    entries = []
    for action, subject, details in told:
        sequence += 1
        text = audit.details_text(details)
        previous = audit.entry_hash(previous, sequence, at, by, action, subject, text)
        entries.append(AuditEntry(sequence, at, by, action, subject, text, previous))
    if entries:
        session.connection().execute(_ADD, [_columns(entry) for entry in entries])
    return tuple(entries)


def head(session: Session) -> Head:
    """Where the log ends."""
    last = session.execute(
        sa.select(models.AuditEntry.sequence, models.AuditEntry.hash)
        .order_by(models.AuditEntry.sequence.desc())
        .limit(1)
    ).first()
    return Head(last.sequence, last.hash) if last else Head(0, audit.FIRST_HASH)


_ADD = sa.insert(models.AuditEntry)


def _columns(entry: AuditEntry) -> dict[str, object]:
    return {it.name: getattr(entry, it.name) for it in fields(AuditEntry)}


def entry(row: models.AuditEntry) -> AuditEntry:
    return AuditEntry(row.sequence, row.at, row.actor, row.action, row.subject, row.details, row.hash)


def actor() -> str:
    """Who is at work."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as containers have them
        user = "unknown"
    return f"{user}@{platform.node()}"
