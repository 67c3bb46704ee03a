# SPDX-License-Identifier: ISC
"""Whose name is whose: an identity and a subject have one holder in the whole registry, and nobody is called like an
authority. Subjects are one where RFC 5280 7.1 calls them the same (docs/decisions/0227-names-that-are-alike.md).

What is pending counts as well: it is about to be issued, or undone by the next command of its directory.
"""

import datetime
from typing import Any

import sqlalchemy as sa

from pki import distinguished_names, models
from pki.errors import RegistryError
from pki.models import PENDING, Authority, Certificate, SubjectAltName
from pki.records import Reservation

_ANOTHER = "give it another subject"


def check_authority(
    connection: sa.Connection,
    subject_der: bytes,
    now: datetime.datetime,
    fallen: frozenset[int],
    directory: str | None = None,
) -> None:
    """Whether a new authority may have this name. What is pending in `directory` was interrupted, and does not count.

    Raises RegistryError where an authority is called like it, or a peer whose certificate holds; or where a
    delegation is in force from or to that name, which would count for the authority then."""
    subject = distinguished_names.keynote(subject_der)
    rows = [
        row
        for row in connection.execute(_BEARERS, {"folded": distinguished_names.folded_sha256(subject_der)})
        if row.state != PENDING or row.directory != directory
    ]
    for row in rows:
        if row.authority is not None:
            raise RegistryError(
                f"there is an authority `{row.subject}` already",
                "peers tell authorities apart by their names: give the new one another",
            )
    for row in rows:
        if _holds(row, now, fallen):
            raise RegistryError(
                f"`{row.subject}` is the subject of `{row.name}` (serial {row.serial}), whom peers would take for an "
                "authority of that name",
                "give the authority another name",
            )
    # Principals are compared byte by byte: who looks like one has nothing of it.
    found = connection.execute(_DELEGATIONS, {"principal": f"DN:{subject}", "now": now}).first()
    if found is not None:
        raise RegistryError(
            f"delegation {found.id} is {'to' if found.licensee == f'DN:{subject}' else 'from'} `DN:{subject}`, and "
            "would count for an authority of that name",
            f"give the authority another name, or first: keynote-pki delegations revoke {found.id}",
        )


def check_identities(
    connection: sa.Connection,
    reservation: Reservation,
    now: datetime.datetime,
    fallen: frozenset[int],
    *,
    again: bool,
) -> None:
    """Raises RegistryError where somebody else has a certificate for one of the identities. Names are of one
    directory, so another one's holder of the same name is somebody else."""
    wanted = [identity.value for identity in reservation.identities]
    # By the index of identities; few have many certificates, so the rest is looked at here.
    holders = [
        row
        for row in connection.execute(_HOLDERS, {"wanted": wanted})
        if _holds(row, now, fallen)
        and not (again and row.name == reservation.name and row.directory == reservation.directory)
    ]
    for identity in reservation.identities if holders else ():
        for valid in holders:
            if (valid.kind, valid.value) == (identity.kind, identity.value):
                of = "" if valid.name == identity.value else f", that of `{valid.name}`"
                by = _elsewhere(connection, valid.authority_id, valid.directory, reservation.directory)
                raise RegistryError(
                    f"`{identity.value}` has a certificate already{of}, valid until {valid.not_after:%Y-%m-%d} "
                    f"(serial {valid.serial}{by})",
                    f"look at it with `keynote-pki show {valid.name}`",
                )


def check_subject(
    connection: sa.Connection, reservation: Reservation, now: datetime.datetime, fallen: frozenset[int]
) -> None:
    """Raises RegistryError where an authority, whatever became of it, or somebody else is called like whom this
    certificate is for."""
    folded = distinguished_names.folded_sha256(reservation.subject_der)
    rows = connection.execute(_BEARERS, {"folded": folded}).all()
    for row in rows:
        if row.authority is not None:
            raise RegistryError(
                f"`{reservation.subject}` is called like the authority `{row.subject}`, and would be refused: "
                "policies trust authorities by their names",
                _ANOTHER,
            )
    for row in rows:
        is_holder = (row.directory, row.name) == (reservation.directory, reservation.name)
        if _holds(row, now, fallen) and not is_holder:
            by = _elsewhere(connection, row.authority_id, row.directory, reservation.directory)
            like = "is" if row.subject == reservation.subject else f"is called like `{row.subject}`,"
            raise RegistryError(
                f"`{reservation.subject}` {like} the subject of `{row.name}` (serial {row.serial}{by}), and policies "
                "know holders by their subjects",
                _ANOTHER,
            )


def _holds(row: sa.Row[*tuple[Any, ...]], now: datetime.datetime, fallen: frozenset[int]) -> bool:
    return row.revoked_at is None and row.not_after >= now and row.authority_id not in fallen


def _elsewhere(connection: sa.Connection, authority_id: int, directory: str, own: str) -> str:
    """Who issued what is not of the same directory."""
    if directory == own:
        return ""
    name = connection.scalar(sa.select(Authority.name).where(Authority.id == authority_id))
    return f", by `{name}`, the authority of another directory"


_ROW = (
    Certificate.authority_id,
    Certificate.directory,
    Certificate.serial,
    Certificate.name,
    Certificate.revoked_at,
    Certificate.not_after,
)
_BEARERS = (
    sa.select(*_ROW, Certificate.state, Certificate.subject, Authority.id.label("authority"))
    .outerjoin(
        Authority, (Certificate.authority_id == Authority.issuer_id) & (Certificate.serial == Authority.serial)
    )
    .where(Certificate.folded_sha256 == sa.bindparam("folded"))
)
_HOLDERS = (
    sa.select(*_ROW, SubjectAltName.kind, SubjectAltName.value)
    .join(Certificate.names)
    .where(SubjectAltName.value.in_(sa.bindparam("wanted", expanding=True)))
)
_PRINCIPAL: sa.BindParameter[str] = sa.bindparam("principal")
_DELEGATIONS = (
    sa.select(models.Delegation.id, models.Delegation.licensee)
    .where(
        sa.or_(models.Delegation.licensee == _PRINCIPAL, models.Delegation.authorizer == _PRINCIPAL),
        models.Delegation.revoked_at.is_(None),
        sa.or_(models.Delegation.not_after.is_(None), models.Delegation.not_after >= sa.bindparam("now")),
    )
    .order_by(models.Delegation.id)
    .limit(1)
)
