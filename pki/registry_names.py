# SPDX-License-Identifier: ISC
"""Whose name is whose: an identity and a subject have one holder in the whole registry, and nobody is called like an
authority. A distinguished name is one name, be it a subject or among the subjectAltNames, and one with those that
RFC 5280 7.1 calls the same (docs/decisions/0227-names-that-are-alike.md).

What is pending counts as well: it is about to be issued, or undone by the next command of its directory.
"""

import datetime
from typing import Any

import sqlalchemy as sa

from pki import distinguished_names, models, names
from pki.errors import RegistryError
from pki.models import PENDING, Authority, Certificate, SubjectAltName
from pki.records import Reservation

_ANOTHER = "give it another subject"
_WITHOUT = "leave that directoryName out, or give it another"


def check_authority(
    connection: sa.Connection,
    subject_der: bytes,
    now: datetime.datetime,
    fallen: frozenset[int],
    directory: str | None = None,
) -> None:
    """Whether a new authority may have this name. What is pending in `directory` was interrupted, and does not count.

    Raises RegistryError where an authority is called like it, or a peer whose certificate holds, by its subject or by
    a directoryName among its subjectAltNames; or where a
    delegation is in force from or to that name, which would count for the authority then."""
    subject = distinguished_names.keynote(subject_der)
    rows = [
        row
        for row in _called(connection, [distinguished_names.folded_sha256(subject_der)])
        if row.state != PENDING or row.directory != directory
    ]
    for row in rows:
        if row.authority is not None:
            raise RegistryError(
                f"there is an authority `{row.called}` already",
                "peers tell authorities apart by their names: give the new one another",
            )
    for row in rows:
        if _holds(row, now, fallen):
            raise RegistryError(
                f"`{row.called}` is {row.what} of `{row.name}` (serial {row.serial}), whom peers would take for an "
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


def check_names(
    connection: sa.Connection, reservation: Reservation, now: datetime.datetime, fallen: frozenset[int]
) -> None:
    """Raises RegistryError where an authority, whatever became of it, or somebody else is called like whom this
    certificate is for: like its subject, or like a distinguished name among its subjectAltNames."""
    own = {distinguished_names.folded_sha256(reservation.subject_der): reservation.subject}
    for identity in reservation.identities:
        if (folded := names.folded_sha256(identity)) is not None:
            own.setdefault(folded, identity.value)
    rows = _called(connection, list(own))
    for row in rows:
        if row.authority is not None:
            name = own[row.folded]
            refused = ", and would be refused" if name == reservation.subject else ""
            raise RegistryError(
                f"`{name}` is called like the authority `{row.called}`{refused}: "
                "policies trust authorities by their names",
                _hint(reservation, name),
            )
    for row in rows:
        is_holder = (row.directory, row.name) == (reservation.directory, reservation.name)
        if _holds(row, now, fallen) and not is_holder:
            name = own[row.folded]
            by = _elsewhere(connection, row.authority_id, row.directory, reservation.directory)
            like = "is" if row.called == name else f"is called like `{row.called}`,"
            raise RegistryError(
                f"`{name}` {like} {row.what} of `{row.name}` (serial {row.serial}{by}), and policies "
                "know holders by their subjects",
                _hint(reservation, name),
            )


def _hint(reservation: Reservation, name: str) -> str:
    return _ANOTHER if name == reservation.subject else _WITHOUT


def _called(connection: sa.Connection, folded: list[str]) -> list[sa.Row[*tuple[Any, ...]]]:
    """Whoever goes by one of these names: the rows of subjects, and of directoryNames."""
    return [row for query in (_BEARERS, _NAMED) for row in connection.execute(query, {"folded": folded})]


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
    Certificate.state,
)
_FOLDED: sa.BindParameter[Any] = sa.bindparam("folded", expanding=True)
_BEARERS = (
    sa.select(
        *_ROW,
        Certificate.subject.label("called"),
        Certificate.folded_sha256.label("folded"),
        Authority.id.label("authority"),
        sa.literal("the subject").label("what"),
    )
    .outerjoin(
        Authority, (Certificate.authority_id == Authority.issuer_id) & (Certificate.serial == Authority.serial)
    )
    .where(Certificate.folded_sha256.in_(_FOLDED))
)
_NAMED = (
    sa.select(
        *_ROW,
        SubjectAltName.value.label("called"),
        SubjectAltName.folded_sha256.label("folded"),
        sa.null().label("authority"),
        sa.literal("a directoryName").label("what"),
    )
    .join(Certificate.names)
    .where(SubjectAltName.folded_sha256.in_(_FOLDED))
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
