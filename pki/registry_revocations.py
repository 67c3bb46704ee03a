# SPDX-License-Identifier: ISC
"""Revocations in the registry. The delegations that were issued with a certificate go with it."""

import datetime

from sqlalchemy.orm import Session

from pki import registry_audit, registry_delegations, revocation
from pki.errors import RegistryError
from pki.models import ISSUED, Certificate


def revoke(session: Session, authority_id: int, serial: str, reason: str, now: datetime.datetime) -> Certificate:
    """Revoke an issued certificate, and say so in the audit log. Raises RegistryError where it is unknown or revoked
    already, PkiError for an unknown reason."""
    revocation.check_reason(reason)
    certificate = session.get(Certificate, (authority_id, serial))
    if certificate is None or certificate.state != ISSUED:
        raise RegistryError(f"authority {authority_id} has issued no certificate with the serial number {serial}")
    if certificate.revoked_at is not None:
        raise RegistryError(
            f"`{certificate.name}` (serial {serial}) was revoked already, on "
            f"{certificate.revoked_at:%Y-%m-%d %H:%M:%SZ}: {certificate.revocation_reason}"
        )
    certificate.revoked_at = now
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
