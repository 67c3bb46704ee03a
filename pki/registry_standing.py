# SPDX-License-Identifier: ISC
"""Which authorities still stand, and which keys are known to others.

An authority stands while a certificate for its name and key that is not revoked leads to one that signed itself: its
own, or one by which another authority vouches for it. Ends do not count here; `records.validity` has them. What an
authority that has fallen issued holds no more, whether it was itself revoked or not.

There are few authorities and the registry knows which, so the questions go by the index of keys, and the way up is
found here.
"""

import datetime
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa

from pki import revocation
from pki.errors import RegistryError
from pki.models import ISSUED, Authority, Certificate

_AT_ONCE = 1000  # values in one question


class Withdrawn(NamedTuple):
    """A certificate whose revocation is about its key."""

    name: str
    serial: str
    at: datetime.datetime
    reason: str

    def __str__(self) -> str:
        return f"`{self.name}`, revoked on {self.at:%Y-%m-%d} ({self.reason})"


class _Link(NamedTuple):
    """A certificate of an authority, one of perhaps several."""

    by: int  # the authority that issued it
    serial: str
    name: str
    subject_der: bytes
    key_sha256: str
    revoked_at: datetime.datetime | None
    revocation_reason: str | None


class _Authority(NamedTuple):
    id: int
    name: str
    issuer_id: int
    serial: str
    subject_der: bytes
    key_sha256: str
    foreign: bool


@dataclass(frozen=True, slots=True)
class Standing:
    """Of the authorities, at one moment."""

    fallen: frozenset[int]  # what these issued holds no more
    revoked: Mapping[int, str]  # those whose own certificate is revoked, with what to say of it
    names: Mapping[int, str]
    requested: frozenset[int]  # those that somebody else's authority has certified
    compromised: Mapping[str, Withdrawn]  # of the keys that were asked for

    def check_issues(self, authority_id: int) -> None:
        """Raises RegistryError for an authority that was revoked, or stands below one: what it issued would be
        refused. Revocation lists are for it to sign all the same."""
        if authority_id not in self.fallen and authority_id not in self.revoked:
            return
        name = self.names.get(authority_id, "")
        replace, both = _ROLL_OVER, 'replace both: keynote-pki rollover --name "…" --root "…"'
        if authority_id in self.requested:
            replace = both = REQUEST
        if (told := self.revoked.get(authority_id)) is not None:
            raise RegistryError(f"authority `{name}` {told}, and issues no more", replace)
        raise RegistryError(f"authority `{name}` stands below one that was revoked, and issues no more", both)

    def check_key(self, key_sha256: str) -> None:
        """Raises RegistryError for a key that was compromised, which is certified no more, whoever holds it."""
        if (told := self.compromised.get(key_sha256)) is not None:
            raise RegistryError(
                f"the key is compromised: it is that of {told}, serial {told.serial}",
                "have a new key made: one that others may hold is certified no more",
            )


# Nobody here could sign what a rollover needs.
REQUEST = 'request a certificate for another authority: keynote-pki init NEWDIR --name "…" --request FILE'
_ROLL_OVER = 'make another in its place: keynote-pki rollover --name "…"'


def read(connection: sa.Connection, key_sha256s: Collection[str] = ()) -> Standing:
    """With which of these keys are compromised."""
    authorities = [_Authority._make(row) for row in connection.execute(_AUTHORITIES)]
    keys = sorted({it.key_sha256 for it in authorities})
    links = [_Link._make(row) for row in _in_parts(connection, _LINKS, keys)]
    own = {(it.issuer_id, it.serial): it.id for it in authorities}
    revoked = {
        own[it.by, it.serial]: f"was revoked on {it.revoked_at:%Y-%m-%d} ({it.revocation_reason})"
        for it in links
        if it.revoked_at is not None and (it.by, it.serial) in own
    }
    compromised = _taken_back(connection, key_sha256s, lambda reason, own: reason in revocation.COMPROMISES)
    names = {it.id: it.name for it in authorities}
    foreign = {it.id for it in authorities if it.foreign}
    requested = frozenset(it.id for it in authorities if it.issuer_id in foreign)
    return Standing(_fallen(authorities, links, own), revoked, names, requested, compromised)


def _fallen(
    authorities: Sequence[_Authority], links: Sequence[_Link], own: Mapping[tuple[int, str], int]
) -> frozenset[int]:
    gone = {
        it.key_sha256
        for it in links
        if it.revoked_at is not None
        and revocation.is_about_key(it.revocation_reason, of_authority=(it.by, it.serial) in own)
    }
    # An authority that is about to be made has no certificate that is issued, and has not fallen.
    there = {own[it.by, it.serial] for it in links if (it.by, it.serial) in own}
    standing = {it.id for it in authorities if it.id not in there}
    found = True
    while found:
        found = False
        for authority in authorities:
            if authority.id in standing or authority.key_sha256 in gone:
                continue
            if any(
                it.revoked_at is None
                and (it.key_sha256, it.subject_der) == (authority.key_sha256, authority.subject_der)
                and (it.by == authority.id or it.by in standing)
                for it in links
            ):
                standing.add(authority.id)
                found = True
    return frozenset(it.id for it in authorities) - standing


def withdrawn(connection: sa.Connection, key_sha256s: Collection[str]) -> Mapping[str, Withdrawn]:
    """Of these keys, those that nobody is to be believed by any more: they were compromised, or an authority was
    revoked whose they are."""
    return _taken_back(connection, key_sha256s, lambda reason, own: revocation.is_about_key(reason, of_authority=own))


def _taken_back(
    connection: sa.Connection, key_sha256s: Collection[str], is_meant: Callable[[str | None, bool], bool]
) -> Mapping[str, Withdrawn]:
    found: dict[str, Withdrawn] = {}
    for row in _in_parts(connection, _REVOKED, sorted(set(key_sha256s))):
        if is_meant(row.revocation_reason, row.id is not None):
            told = Withdrawn(row.name, row.serial, row.revoked_at, row.revocation_reason)
            found.setdefault(row.key_sha256, told)
    return found


def _in_parts(
    connection: sa.Connection, query: sa.Select[*tuple[Any, ...]], keys: Sequence[str]
) -> Iterable[sa.Row[*tuple[Any, ...]]]:
    for start in range(0, len(keys), _AT_ONCE):
        yield from connection.execute(query, {"keys": keys[start : start + _AT_ONCE]})


_AUTHORITIES = sa.select(
    Authority.id,
    Authority.name,
    Authority.issuer_id,
    Authority.serial,
    Authority.subject_der,
    Authority.key_sha256,
    Authority.foreign,
)
_WITH_KEYS = (Certificate.key_sha256.in_(sa.bindparam("keys", expanding=True)), Certificate.state == ISSUED)
_LINKS = sa.select(
    Certificate.authority_id,
    Certificate.serial,
    Certificate.name,
    Certificate.subject_der,
    Certificate.key_sha256,
    Certificate.revoked_at,
    Certificate.revocation_reason,
).where(*_WITH_KEYS)
_REVOKED = (
    sa.select(
        Certificate.key_sha256,
        Certificate.name,
        Certificate.serial,
        Certificate.revoked_at,
        Certificate.revocation_reason,
        Authority.id,
    )
    .outerjoin(
        Authority, (Certificate.authority_id == Authority.issuer_id) & (Certificate.serial == Authority.serial)
    )
    .where(*_WITH_KEYS, Certificate.revoked_at.is_not(None))
    .order_by(Certificate.revoked_at, Certificate.serial)
)
