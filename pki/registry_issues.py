# SPDX-License-Identifier: ISC
"""Rows of certificates from the moment that a serial number is taken. Each function does its part in the caller's
transaction, so that what belongs together is there together."""

import datetime
import hashlib
from collections.abc import Sequence
from types import MappingProxyType

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import registry_audit, registry_delegations
from pki.audit import Details
from pki.errors import RegistryError
from pki.models import ISSUED, PENDING, Authority, Certificate, SubjectAltName
from pki.records import Reservation, Signed


def add_authority(
    session: Session, reservation: Reservation, issuer_id: int | None = None, *, foreign: bool = False
) -> int:
    """Take the name of a new authority, and the serial number of its own certificate from its issuer, who may be
    itself; the authority's id. Raises RegistryError where the name is taken."""
    if session.scalar(sa.select(Authority.id).where(Authority.name == reservation.name)):
        raise RegistryError(f"authority `{reservation.name}` exists already", "choose another name")
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
    session.add(pending(authority.issuer_id, reservation))
    session.flush()
    return authority.id


def pending(authority_id: int, reservation: Reservation) -> Certificate:
    return Certificate(
        authority_id=authority_id,
        serial=reservation.serial,
        state=PENDING,
        profile=reservation.profile,
        name=reservation.name,
        subject=reservation.subject,
        subject_der=reservation.subject_der,
        not_before=reservation.not_before,
        not_after=reservation.not_after,
        issued_at=reservation.issued_at,
        key_sha256=reservation.key_sha256,
        supersedes=reservation.supersedes,
        directory=reservation.directory,
        key_file=reservation.key_file,
        temporary_file=reservation.temporary_file,
        names=[
            SubjectAltName(position=position, kind=identity.kind, value=identity.value)
            for position, identity in enumerate(reservation.identities)
        ],
    )


def check_subject(session: Session, authority_id: int, reservation: Reservation, now: datetime.datetime) -> None:
    """Raises RegistryError where somebody else is known by the subject of this certificate."""
    query = sa.select(Certificate).where(
        Certificate.subject == reservation.subject,
        sa.or_(Certificate.authority_id == authority_id, Certificate.directory == reservation.directory),
        Certificate.name != reservation.name,
        Certificate.revoked_at.is_(None),
        Certificate.not_after >= now,
    )
    if (other := session.scalars(query).first()) is not None:
        raise RegistryError(
            f"`{reservation.subject}` is the subject of `{other.name}` (serial {other.serial}), and policies know "
            "holders by their subjects",
            "give it another subject",
        )


def confirm(
    session: Session,
    signed: Signed,
    now: datetime.datetime,
    action: str = "issue",
    more: Details = MappingProxyType({}),
) -> None:
    """Make a reserved certificate an issued one; the log has `more` of it. Raises RegistryError where nothing is
    reserved."""
    certificate = session.get(Certificate, (signed.authority_id, signed.serial))
    if certificate is None or certificate.state != PENDING:
        raise RegistryError(f"serial number {signed.serial} is not reserved")
    certificate.state = ISSUED
    certificate.der = signed.der
    certificate.sha256 = hashlib.sha256(signed.der).hexdigest()
    details: dict[str, str | int | None] = {
        "authority": signed.authority_id,
        "serial": signed.serial,
        "name": certificate.name,
        "profile": certificate.profile,
        "key_sha256": certificate.key_sha256,
        "supersedes": certificate.supersedes,
        "directory": certificate.directory,
        "key_file": certificate.key_file,
        **more,
    }
    registry_audit.append(session, now, action, certificate.sha256, details)
    for draft in signed.delegations:
        registry_delegations.insert(session, draft, now, certificate.sha256)


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
    confirm(session, Signed(issuer_id or number, reservation.serial, der), now, "adopt", {"foreign": foreign})
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
