# SPDX-License-Identifier: ISC
"""The documentation of the checks, in Markdown: what `--explain` prints, and the reference in docs/lint.md."""

from keynote.lint.findings import Check
from keynote.lint.table import CHECKS


def page(check: Check) -> str:
    """One check: why, an example, and how to mend it."""
    example = "\n".join(f"    {line}".rstrip() for line in check.example.split("\n"))
    return f"### {check.code} {check.title} ({check.severity})\n\n{check.why}\n\n{example}\n\n{check.mend}\n"


def reference() -> str:
    """All of them, in the order of their codes."""
    return "\n".join(page(check) for check in CHECKS.values())
