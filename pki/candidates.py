# SPDX-License-Identifier: ISC
"""Which certificate is meant, among those that a text finds in the registry. Two valid ones of one name are nothing
unusual, so a name alone may not be enough: then the candidates are listed, and nothing is guessed."""

import collections
import datetime
import difflib
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Protocol

from pki.errors import RegistryError, shown
from pki.records import Record, Validity

SERIAL_SHOWN: Final = 12
_LISTED: Final = 10  # candidates in one message


class Known(Protocol):
    """What a registry knows besides, for messages."""

    def issued_names(self) -> Iterable[str]: ...

    def issuers(self) -> Mapping[int, str]: ...


def holds(record: Record, now: datetime.datetime) -> bool:
    """Whether it is good, or will be."""
    return record.validity(now) in ("valid", "not yet valid")


def only(text: str, records: Sequence[Record], known: Known) -> Record:
    """The one that was found. Raises RegistryError for none, with the nearest of the names that are `known`, and for
    several, which it lists."""
    if not records:
        near = difflib.get_close_matches(text, known.issued_names(), n=1)
        raise RegistryError(
            f"no certificate `{shown(text)}` was issued here", f"did you mean `{near[0]}`?" if near else ""
        )
    if len(records) > 1:
        raise _ambiguous(text, records, known)
    return records[0]


def holding(text: str, records: Sequence[Record], known: Known, now: datetime.datetime) -> Record:
    """The one that was found, or of several the one that holds. Raises RegistryError for none, and for several where
    not exactly one holds, which it lists."""
    good = [record for record in records if holds(record, now)]
    if len(records) > 1 and len(good) != 1:
        raise _ambiguous(text, records, known, now)
    return good[0] if len(good) == 1 else only(text, records, known)


def others(record: Record, records: Iterable[Record], now: datetime.datetime) -> Mapping[Validity, int]:
    """How many there are beside the one that is meant, by what they are."""
    return collections.Counter(it.validity(now) for it in records if it.sha256 != record.sha256)


def newest(text: str, records: Sequence[Record], known: Known, now: datetime.datetime) -> Record:
    """Of the certificates of one holder, the one that follows all others: the newest that is valid, or where none is
    the newest that was not revoked. Raises RegistryError where they are of several holders, who are listed, and where
    all are revoked."""
    left = [record for record in records if record.revoked_at is None]
    if not left:
        last = max(records, key=lambda record: record.issued_at)
        raise RegistryError(
            f"`{shown(text)}` was revoked on {last.revoked_at:%Y-%m-%d}: {last.revocation_reason}",
            f"have a new one issued: {_issuing(last)}",
        )
    valid = [record for record in left if record.validity(now) == "valid"] or left
    if len({(record.directory, record.name, record.subject) for record in valid}) > 1:
        raise RegistryError(
            f"`{shown(text)}` is {len(valid)} certificates of several holders: {listed(valid, known, now)}",
            "give the serial number of one",
        )
    return max(valid, key=lambda record: (record.issued_at, record.not_after))


def _issuing(record: Record) -> str:
    """The command that makes another of this kind."""
    if record.profile == "ocsp":
        return "keynote-pki ocsp certify"
    if not record.identities:
        return "keynote-pki rollover, or init"
    return f"keynote-pki issue {record.profile} {shlex.quote(record.name)}"


def issued_in(directory: str, text: str, records: Sequence[Record], known: Known) -> tuple[Record, ...]:
    """Those of them that the CA directory of this id has issued. A registry may be shared, and whoever another
    directory knows is not known here. Raises RegistryError where all are of others."""
    own = tuple(record for record in records if record.directory == directory)
    if records and not own:
        issuers = known.issuers()
        names = sorted({f"`{issuers[record.authority_id]}`" for record in records})
        raise RegistryError(
            f"`{shown(text)}` was issued by {', '.join(names)}, the authority of another directory",
            "do it there: name that directory with --dir",
        )
    return own


def has_number(record: Record, text: str) -> bool:
    """Whether the text is its serial number or SHA-256, or how one of them begins: then no other can be meant."""
    digits = text.lower().replace(":", "")
    begins = record.serial.startswith(digits) or record.sha256.startswith(digits)
    return len(digits) >= 8 and begins and text not in (it.value for it in record.identities)


def listed(records: Sequence[Record], known: Known, now: datetime.datetime | None = None) -> str:
    """What tells them apart: serial numbers, what they are, dates, issuers."""
    issuers = known.issuers()
    told = [_told(record, issuers, now) for record in records[:_LISTED]]
    more = f" and {len(records) - _LISTED} more" if len(records) > _LISTED else ""
    return ", ".join(told) + more


def _told(record: Record, issuers: Mapping[int, str], now: datetime.datetime | None) -> str:
    words = [record.name]
    if record.revoked_at is not None:
        words.append(f"revoked on {record.revoked_at:%Y-%m-%d} as {record.revocation_reason}")
    elif now is not None:
        words.append(record.validity(now))
    words.append(f"{record.not_before:%Y-%m-%d} to {record.not_after:%Y-%m-%d}")
    words.append(f"by `{issuers[record.authority_id]}`")
    return f"{record.serial[:SERIAL_SHOWN]} ({', '.join(words)})"


def _ambiguous(
    text: str, records: Sequence[Record], known: Known, now: datetime.datetime | None = None
) -> RegistryError:
    revoked = all(record.revoked_at is not None for record in records)
    return RegistryError(
        f"`{shown(text)}` is {len(records)} certificates{', all revoked' if revoked else ''}: "
        f"{listed(records, known, now)}",
        "give the serial number of one",
    )
