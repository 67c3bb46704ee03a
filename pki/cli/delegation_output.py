# SPDX-License-Identifier: ISC
"""Delegations on the command line: found, as data, and as KeyNote text."""

import datetime
from collections.abc import Iterable
from typing import Any

from keynote.principals import shown_principal
from pki import delegation_parties
from pki.delegation_records import DelegationRecord
from pki.errors import DelegationInvalid, RegistryError, shown
from pki.registry import Registry

_NUMBER_DIGITS = 9


def found(registry: Registry, text: str, now: datetime.datetime) -> DelegationRecord:
    """The one delegation that is meant: by its number, or the only one to somebody that is not revoked.

    Raises RegistryError for none and for several, which it lists, and DelegationInvalid."""
    if text.isdecimal() and len(text) <= _NUMBER_DIGITS:
        return registry.delegations.get(int(text))
    principal = delegation_parties.principal(registry, text, now)
    to = [it for it in registry.delegations.all() if it.licensee == principal and it.revoked_at is None]
    if len(to) == 1:
        return to[0]
    whom = shown_principal(principal)
    if not to:
        raise RegistryError(f"nothing is delegated to `{whom}`", "`keynote-pki delegations list` has them all")
    candidates = ", ".join(f"{it.number} (from {shown_principal(it.authorizer)}, {until(it)})" for it in to)
    raise RegistryError(f"`{shown(text)}` has {len(to)} delegations: {candidates}", "give the number of one")


def until(record: DelegationRecord) -> str:
    return "no end" if record.not_after is None else f"until {record.not_after:%Y-%m-%d %H:%M:%SZ}"


def data(record: DelegationRecord, now: datetime.datetime) -> dict[str, Any]:
    """As it is told to programs."""
    return {
        "number": record.number,
        "from": record.authorizer,
        "to": record.licensee,
        "status": record.standing(now),
        "until": _time(record.not_after),
        "comment": record.comment,
        "created_at": _time(record.created_at),
        "certificate": record.certificate,
        "revoked_at": _time(record.revoked_at),
        "reason": record.revocation_reason,
        "conditions": readable(record.conditions),
        "assertion": readable(record.assertion),
    }


def _time(time: datetime.datetime | None) -> str | None:
    return None if time is None else f"{time:%Y-%m-%dT%H:%M:%SZ}"


def readable(text: str) -> str:
    """KeyNote text, which has a character for each byte, as people read it: UTF-8 where it is that."""
    return text.encode("latin-1").decode("utf-8", "backslashreplace")


def exported(records: Iterable[DelegationRecord]) -> bytes:
    """A file of assertions. Blank lines keep the comments out of what is signed."""
    pieces = []
    for record in records:
        about = f": {' '.join(record.comment.split())}" if record.comment else ""
        pieces.append(f"# {record.name}{about}\n\n".encode() + record.assertion.encode("latin-1"))
    return b"\n".join(pieces)


def check_usable(record: DelegationRecord, now: datetime.datetime) -> None:
    """Raises DelegationInvalid for one that is not in force."""
    if (standing := record.standing(now)) != "in force":
        raise DelegationInvalid(
            f"delegation {record.number} is {standing}: whoever gets its text might believe it",
            f"`keynote-pki delegations show {record.number}` has the text",
        )
