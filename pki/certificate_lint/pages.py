# SPDX-License-Identifier: ISC
"""The documentation of the checks, in Markdown: what `--explain` prints, and the reference in docs/pki-lint.md."""

from pki.certificate_lint.findings import Check
from pki.certificate_lint.table import CHECKS


def page(check: Check) -> str:
    """One check: what fails, what to do, and where that is from."""
    head = f"### {check.code} {check.title} ({check.severity}, {check.platform})"
    return f"{head}\n\n{check.fails}\n\n{check.mend}\n\nSource: {check.source}\n"


def reference() -> str:
    """All of them, in the order of their codes."""
    return "\n".join(page(check) for check in CHECKS.values())
