# SPDX-License-Identifier: ISC
"""What is doubtful in a policy: `keynote lint`.

    findings = lint(policies, credentials, now=datetime.now(UTC))

A check is a function over the assertions with what is known of each (`subjects`), and a row of one table (`table`),
with its code, severity and documentation. The modules with checks are `attributes`, `openings`, `clauses`,
`delegations`, `times` and `strength`. What can be true where is computed in `flow`, in exact sets of values (`sets`).
"""

from keynote.lint.engine import in_order, lint, unreadable
from keynote.lint.findings import Check, Finding, Severity
from keynote.lint.table import CHECKS

__all__ = ["CHECKS", "Check", "Finding", "Severity", "in_order", "lint", "unreadable"]
