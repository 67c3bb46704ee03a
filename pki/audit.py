# SPDX-License-Identifier: ISC
"""The log of what was done: entries whose hashes hang on each other, so that no past one can be changed unseen."""

import datetime
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass

FIRST_HASH = "0" * 64  # what the first entry hangs on

Details = Mapping[str, str | int | None]


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """One thing that was done. `subject` is what it was done to: the SHA-256 of a certificate, the number of a CRL
    or a delegation."""

    sequence: int  # from 1, without gaps
    at: datetime.datetime
    actor: str  # user@host
    action: str
    subject: str
    details: str  # JSON, as `details_text` writes it
    hash: str  # hex SHA-256, see `entry_hash`


def details_text(details: Details) -> str:
    """Details in their one text."""
    return json.dumps(dict(details), sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def entry_hash(
    previous: str, sequence: int, at: datetime.datetime, actor: str, action: str, subject: str, details: str
) -> str:
    """SHA-256, in hex, of a JSON array: the hash before it, then the entry's columns in their order. Times are in
    UTC, to the microsecond."""
    time = at.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    columns = [previous, sequence, time, actor, action, subject, details]
    text = json.dumps(columns, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()
