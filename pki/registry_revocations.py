# SPDX-License-Identifier: ISC
"""Revocations in the registry. The delegations that were issued with a certificate go with it, and where its key is
no good any more, all other certificates for that key do too."""

import datetime
from collections.abc import Iterable, Sequence

import sqlalchemy as sa
from sqlalchemy.orm import Session

from pki import registry_audit, registry_delegations, revocation
from pki.errors import RegistryError
from pki.models import ISSUED, Authority, Certificate


def revoke(session: Session, authority_id: int, serial: str, reason: str, now: datetime.datetime) -> Certificate:
    """Revoke an issued certificate, and say so in the audit log. One that was revoked for less may turn out to be
    compromised: its reason changes then, and not since when it is revoked. Raises RegistryError where it is unknown
    or revoked already, PkiError for an unknown reason."""
    revocation.check_reason(reason)
    certificate = session.get(Certificate, (authority_id, serial))
    if certificate is None or certificate.state != ISSUED:
        raise RegistryError(f"authority {authority_id} has issued no certificate with the serial number {serial}")
    before = certificate.revocation_reason
    if certificate.revoked_at is not None and not revocation.is_worse(reason, before):
        raise RegistryError(
            f"`{certificate.name}` (serial {serial}) was revoked already, on "
            f"{certificate.revoked_at:%Y-%m-%d %H:%M:%SZ}: {before}"
        )
    certificate.revoked_at = certificate.revoked_at or now
    certificate.revocation_reason = reason
    assert certificate.sha256 is not None  # the check constraint `issued_whole`
    details: dict[str, str | int | None] = {
        "authority": authority_id,
        "serial": serial,
        "name": certificate.name,
        "reason": reason,
    }
    registry_audit.append(session, now, "revoke", certificate.sha256, details)
    registry_delegations.revoke_bound(session, (certificate.sha256,), reason, now)
    return certificate


def revoke_all(
    session: Session, certificates: Sequence[tuple[int, str]], reason: str, now: datetime.datetime
) -> tuple[Certificate, ...]:
    """The same for several, and after them for those that `reached` has."""
    asked = [revoke(session, authority_id, serial, reason, now) for authority_id, serial in certificates]
    others = reached(session, certificates, reason, now)
    return (*asked, *(revoke(session, it.authority_id, it.serial, reason, now) for it in others))


def reached(
    session: Session, certificates: Iterable[tuple[int, str]], reason: str, now: datetime.datetime
) -> tuple[Certificate, ...]:
    """Which other certificates go with these, since they are for the same keys (`revocation.is_about_key`): those
    that are neither revoked nor expired, oldest first."""
    asked = set(certificates)
    keys = set()
    for authority_id, serial in asked:
        certificate = session.get(Certificate, (authority_id, serial))
        own = sa.select(Authority.id).where(Authority.issuer_id == authority_id, Authority.serial == serial)
        of_authority = session.scalar(own) is not None
        if certificate is not None and revocation.is_about_key(reason, of_authority=of_authority):
            keys.add(certificate.key_sha256)
    query = (
        sa.select(Certificate)
        .where(
            Certificate.key_sha256.in_(sorted(keys)),
            Certificate.state == ISSUED,
            Certificate.revoked_at.is_(None),
            Certificate.not_after >= now,
        )
        .order_by(Certificate.issued_at, Certificate.authority_id, Certificate.serial)
    )
    found = session.scalars(query).all() if keys else ()
    return tuple(it for it in found if (it.authority_id, it.serial) not in asked)
