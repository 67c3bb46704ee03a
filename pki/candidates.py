# SPDX-License-Identifier: ISC
"""Which certificate is meant, among those that a text finds in the registry. Two valid ones of one name are nothing
unusual, so a name alone may not be enough: then the candidates are listed, and nothing is guessed."""

import datetime
import difflib
import shlex
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from pki.errors import RegistryError, shown
from pki.records import Record

SERIAL_SHOWN: Final = 12


def only(text: str, records: Sequence[Record], known: Callable[[], Iterable[str]]) -> Record:
    """The one that was found. Raises RegistryError for none, with the nearest of the names that are `known`, and for
    several, which it lists."""
    if not records:
        near = difflib.get_close_matches(text, known(), n=1)
        raise RegistryError(
            f"no certificate `{shown(text)}` was issued here", f"did you mean `{near[0]}`?" if near else ""
        )
    if len(records) > 1:
        raise RegistryError(
            f"`{shown(text)}` is {len(records)} certificates: {_listed(records)}", "give the serial number of one"
        )
    return records[0]


def newest(text: str, records: Sequence[Record], now: datetime.datetime) -> Record:
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
    if len({(record.name, record.subject) for record in valid}) > 1:
        raise RegistryError(
            f"`{shown(text)}` is {len(valid)} certificates of several holders: {_listed(valid)}",
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


def _listed(records: Iterable[Record]) -> str:
    return ", ".join(f"{it.serial[:SERIAL_SHOWN]} ({it.name}, {it.not_after:%Y-%m-%d})" for it in records)
