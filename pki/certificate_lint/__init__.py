# SPDX-License-Identifier: ISC
"""What is doubtful in a certificate, and where it would fail: `keynote-pki lint`.

    findings = lint(chain_certificates.load(der), issuer, platforms={Platform.WINDOWS}, now=datetime.now(UTC))

A check is a function over a certificate (`subjects`) and a row of one table (`table`), with its code, severity,
platform, source and documentation. The modules are by whose rules they are: six of the RFCs (`rfc_…`), then `own`,
`apple`, `windows`, `android`, `strongswan`, `libreswan` and `legacy`. What is said of a platform has a source, which
was read.

What we issue is held against the RFCs and our own daemon before it is signed (`lints`).
"""

from pki.certificate_lint.engine import EVERYWHERE, advice, lint, unreadable
from pki.certificate_lint.findings import Check, Finding, Platform
from pki.certificate_lint.pages import page, reference
from pki.certificate_lint.subjects import Role, guessed_role
from pki.certificate_lint.table import CHECKS

__all__ = [
    "CHECKS",
    "EVERYWHERE",
    "Check",
    "Finding",
    "Platform",
    "Role",
    "advice",
    "guessed_role",
    "lint",
    "page",
    "reference",
    "unreadable",
]
