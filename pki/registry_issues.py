# SPDX-License-Identifier: ISC
"""Rows of certificates from the moment that a serial number is taken. Each function does its part in the caller's
transaction, so that what belongs together is there together."""

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import fields, replace
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import distinguished_names, names, registry_audit, registry_delegations, registry_names, registry_standing
from pki.audit import Details
from pki.errors import RegistryError
from pki.models import ISSUED, PENDING, Authority, Certificate, SubjectAltName
from pki.records import Reservation, Signed
from pki.registry_standing import Standing


def add_authority(
    session: Session, reservation: Reservation, issuer_id: int | None = None, *, foreign: bool = False
) -> int:
    """Take the name of a new authority, and the serial number of its own certificate from its issuer, who may be
    itself; the authority's id. Where another authority goes by its common name, it goes by its whole subject.

    Raises RegistryError where somebody is called like it, its issuer is revoked, or its key is compromised."""
    standing = registry_standing.read(session.connection(), (reservation.key_sha256,))
    standing.check_key(reservation.key_sha256)
    if issuer_id is not None:
        standing.check_issues(issuer_id)
    registry_names.check_authority(
        session.connection(), reservation.subject_der, reservation.issued_at, standing.fallen
    )
    if session.scalar(sa.select(Authority.id).where(Authority.name == reservation.name)):
        reservation = replace(reservation, name=reservation.subject)
    new_id = (session.scalar(sa.select(sa.func.max(Authority.id))) or 0) + 1
    authority = Authority(
        id=new_id,
        name=reservation.name,
        subject_der=reservation.subject_der,
        issuer_id=issuer_id or new_id,
        serial=reservation.serial,
        key_sha256=reservation.key_sha256,
        foreign=foreign,
    )
    session.add(authority)
    session.flush()
    insert_pending(session, authority.issuer_id, reservation)
    return authority.id


def reserve(
    session: Session,
    authority_id: int,
    reservation: Reservation,
    now: datetime.datetime,
    standing: Standing,
    *,
    again: bool,
) -> None:
    """See `Registry.reserve`. `standing` is of this transaction. Where it raises, nothing was written."""
    standing.check_issues(authority_id)
    standing.check_key(reservation.key_sha256)
    if reservation.identities:
        connection = session.connection()
        registry_names.check_identities(connection, reservation, now, standing.fallen, again=again)
        registry_names.check_names(connection, reservation, now, standing.fallen)
    insert_pending(session, authority_id, reservation)


def insert_pending(session: Session, authority_id: int, reservation: Reservation) -> None:
    """The row of a certificate that awaits its signature."""
    # Rows, not objects, which take four times as long: a table of peers has thousands.
    connection = session.connection()
    key = {"authority_id": authority_id, "serial": reservation.serial}
    taken = {name: getattr(reservation, name) for name in _TAKEN}
    folded_sha256 = distinguished_names.folded_sha256(reservation.subject_der)
    connection.execute(_ADD, {**key, "state": PENDING, "folded_sha256": folded_sha256, **taken})
    certified = [
        {
            **key,
            "position": position,
            "kind": identity.kind,
            "value": identity.value,
            "folded_sha256": names.folded_sha256(identity),
        }
        for position, identity in enumerate(reservation.identities)
    ]
    if certified:
        connection.execute(_ADD_NAMES, certified)


_ADD = sa.insert(Certificate)
_ADD_NAMES = sa.insert(SubjectAltName)
_TAKEN = tuple(it.name for it in fields(Reservation) if it.name not in ("serial", "identities"))


def confirm_all(
    session: Session,
    signed: Sequence[Signed],
    now: datetime.datetime,
    action: str = "issue",
    more: Details = MappingProxyType({}),
) -> None:
    """Make reserved certificates issued ones at `now`, which may be later than they were reserved; the log has `more`
    of each. Raises RegistryError where one is not reserved, or its key or who issued it was taken back meanwhile."""
    connection = session.connection()
    told, rows = [], []
    reserved_keys = set()
    for each in signed:
        key = {"of": each.authority_id, "number": each.serial}
        reserved = connection.execute(_RESERVED, key).first()
        if reserved is None:
            raise RegistryError(f"serial number {each.serial} is not reserved")
        reserved_keys.add(reserved.key_sha256)
        sha256 = hashlib.sha256(each.der).hexdigest()
        rows.append({**key, "new_der": each.der, "new_sha256": sha256, "at": now})
        details: dict[str, str | int | None] = {
            "authority": each.authority_id,
            "serial": each.serial,
            **reserved._mapping,
            **more,
        }
        told.append(registry_audit.Told(action, sha256, details))
    standing = registry_standing.read(connection, reserved_keys)
    for authority_id in {it.authority_id for it in signed}:
        standing.check_issues(authority_id)
    for key_sha256 in reserved_keys:
        standing.check_key(key_sha256)
    if rows:
        connection.execute(_ISSUE, rows)
    registry_audit.append_all(session, now, told)
    for each, (_, sha256, _) in zip(signed, told, strict=True):
        for draft in each.delegations:
            registry_delegations.insert(session, draft, now, sha256)


_THIS = (Certificate.authority_id == sa.bindparam("of"), Certificate.serial == sa.bindparam("number"))
_RESERVED = sa.select(
    Certificate.name,
    Certificate.profile,
    Certificate.key_sha256,
    Certificate.supersedes,
    Certificate.directory,
    Certificate.key_file,
).where(*_THIS, Certificate.state == PENDING)
_ISSUE = (
    sa.update(Certificate)
    .where(*_THIS)
    .values(
        state=ISSUED,
        der=sa.bindparam("new_der"),
        sha256=sa.bindparam("new_sha256"),
        issued_at=sa.bindparam("at"),
    )
)
_SETTLE = sa.update(Certificate).where(*_THIS).values(temporary_file=None)


def settle(session: Session, certificates: Sequence[tuple[int, str]]) -> None:
    """Their key files have their names."""
    session.connection().execute(_SETTLE, [{"of": of, "number": number} for of, number in certificates])


def retire(session: Session, authority_id: int, now: datetime.datetime) -> None:
    """An authority issues no more. Raises RegistryError where it does not already."""
    authority = session.get(Authority, authority_id)
    if authority is None or authority.retired_at is not None:
        raise RegistryError(f"there is no authority {authority_id} that issues")
    authority.retired_at = now
    own = session.get(Certificate, (authority.issuer_id, authority.serial))
    subject = own.sha256 if own is not None and own.sha256 is not None else ""
    registry_audit.append(session, now, "retire", subject, {"authority": authority_id, "name": authority.name})


def adopt(
    session: Session,
    above: Sequence[tuple[Reservation, bytes]],
    own: tuple[Reservation, bytes],
    now: datetime.datetime,
) -> int:
    """See `Registry.adopt`. An authority above that is recorded already, by name and key, is that one."""
    issuer_id: int | None = None
    for reservation, der in above:
        known = session.scalar(
            sa.select(Authority.id).where(
                Authority.subject_der == reservation.subject_der, Authority.key_sha256 == reservation.key_sha256
            )
        )
        issuer_id = known or _add_issued(session, reservation, der, issuer_id, now, foreign=True)
    return _add_issued(session, *own, issuer_id, now, foreign=False)


def _add_issued(
    session: Session,
    reservation: Reservation,
    der: bytes,
    issuer_id: int | None,
    now: datetime.datetime,
    *,
    foreign: bool,
) -> int:
    number = add_authority(session, reservation, issuer_id, foreign=foreign)
    signed = Signed(issuer_id or number, reservation.serial, der)
    confirm_all(session, (signed,), now, "adopt", {"foreign": foreign})
    return number


def cancel(session: Session, certificates: Sequence[tuple[int, str]]) -> None:
    """Forget reservations, and the authorities whose own certificates they were to be; what is issued stays."""
    gone = []
    for authority_id, serial in certificates:
        certificate = session.get(Certificate, (authority_id, serial))
        if certificate is not None and certificate.state == PENDING:
            session.delete(certificate)
            gone.append((authority_id, serial))
    if not gone:
        return
    session.flush()
    query = sa.select(Authority).where(sa.tuple_(Authority.issuer_id, Authority.serial).in_(gone))
    for authority in session.scalars(query.order_by(Authority.id.desc())):  # those below first
        session.delete(authority)
        session.flush()
