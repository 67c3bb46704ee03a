# SPDX-License-Identifier: ISC
"""Run the checks of some platforms on one certificate."""

import datetime
from collections.abc import Iterable
from typing import Final

from keynote.severity import Severity
from pki.certificate_lint.findings import Finding, Platform
from pki.certificate_lint.subjects import Role, Subject, guessed_role
from pki.certificate_lint.table import CHECKS, UNREADABLE
from pki.chain_certificates import ReadCertificate
from pki.errors import PkiError

EVERYWHERE: Final = frozenset({Platform.RFC, Platform.IKE_AUTH})  # what no certificate of ours may break


def lint(
    certificate: ReadCertificate,
    issuer: ReadCertificate | None = None,
    *,
    role: Role | None = None,
    platforms: Iterable[Platform] = Platform,
    now: datetime.datetime | None = None,
    signed: bool = True,
) -> tuple[Finding, ...]:
    """What is found, the worst first. The RFCs' checks are run whatever the `platforms`; `role` is guessed where none
    is given; without `now` validity is not looked at, without `signed` the signature."""
    subject = Subject.of(certificate, role or guessed_role(certificate), issuer, now, signed)
    wanted = {Platform.RFC, *platforms}
    found = [
        check.finding(message)
        for check in CHECKS.values()
        if check.run is not None and check.platform in wanted
        for message in check.run(subject)
    ]
    return tuple(sorted(found, key=lambda finding: -finding.severity))


def advice(
    certificate: ReadCertificate,
    issuer: ReadCertificate | None = None,
    *,
    role: Role | None = None,
    platforms: Iterable[Platform],
) -> tuple[Finding, ...]:
    """What whoever issues a certificate should hear of the platforms that it is meant for, errors there and warnings:
    for certificates that passed their rehearsal, so without the RFCs' findings."""
    wanted = set(platforms) - EVERYWHERE
    found = lint(certificate, issuer, role=role, platforms=wanted)
    return tuple(it for it in found if it.platform in wanted and it.severity >= Severity.WARNING)


def unreadable(error: PkiError) -> Finding:
    """The finding for a certificate that could not be read."""
    return UNREADABLE.finding(str(error))
