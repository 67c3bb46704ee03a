# SPDX-License-Identifier: ISC
"""The log of what was done: entries whose hashes hang on each other, so that no past one can be changed unseen."""

import datetime
import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pki.errors import PkiError, shown

FIRST_HASH = "0" * 64  # what the first entry hangs on

Details = Mapping[str, str | int | None]  # bool is an int

_HEAD = re.compile(r"([0-9]{1,18}):([0-9a-f]{64})")


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

    @property
    def told(self) -> Mapping[str, object]:
        """The details, read; nothing where they cannot be."""
        try:
            found = json.loads(self.details)
        except ValueError:
            return {}
        return found if isinstance(found, dict) else {}


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ended at some moment: whoever kept it can tell whether the log was changed up to there."""

    sequence: int
    hash: str

    def __str__(self) -> str:
        return f"{self.sequence}:{self.hash}"

    @property
    def to_be_signed(self) -> bytes:
        """What an authority signs of it, which nobody can take for a certificate or a revocation list."""
        return f"keynote-pki audit head {self}".encode("ascii")

    @classmethod
    def parse(cls, text: str) -> "Head":
        """What `str` wrote. Raises PkiError."""
        match = _HEAD.fullmatch(text)
        if match is None:
            raise PkiError(f"`{shown(text)}` is no head of an audit log", "it is a number, a colon and 64 hex digits")
        return cls(int(match[1]), match[2])


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is wrong with the log, or with what it tells of. `sequence` is the entry's, where it is one."""

    message: str
    sequence: int | None = None


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


def check_chain(entries: Iterable[AuditEntry]) -> Iterator[Finding]:
    """What does not fit in the entries, in the order of their numbers. Each is held against the hash that the one
    before it has, not the one that it should have: an entry that was changed is told once, and not all after it."""
    sequence, previous = 0, FIRST_HASH
    for entry in entries:
        if missing := _missing(sequence + 1, entry.sequence - 1):
            yield Finding(missing, sequence + 1)
        if not _hangs_on(entry, previous):
            yield Finding(_what_differs(entry, sequence, bool(missing)), entry.sequence)
        sequence, previous = entry.sequence, entry.hash


def _hangs_on(entry: AuditEntry, previous: str) -> bool:
    return entry.hash == entry_hash(
        previous, entry.sequence, entry.at, entry.actor, entry.action, entry.subject, entry.details
    )


def _missing(first: int, last: int) -> str:
    if last < first:
        return ""
    return f"entry {first} is missing" if first == last else f"entries {first} to {last} are missing"


def _what_differs(entry: AuditEntry, before: int, after_a_gap: bool) -> str:
    what = f"entry {entry.sequence} ({entry.action}, {entry.at:%Y-%m-%d %H:%M:%SZ})"
    if after_a_gap:
        return f"{what} does not follow entry {before}: what stood between was removed"
    if before == 0:
        return f"{what} was changed, or is not the first"
    return f"{what} is not what its hash is of: it was changed or moved, or entry {before} before it was"
