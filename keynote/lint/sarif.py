# SPDX-License-Identifier: ISC
"""Findings as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the text."""

import os
from collections.abc import Iterable, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any, Final
from urllib.parse import quote

from keynote.lint.findings import Check, Finding, Severity
from keynote.lint.pages import page
from keynote.lint.table import CHECKS

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_LEVELS: Final = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


def sarif(findings: Sequence[Finding]) -> dict[str, Any]:
    """A log of one run, whose rules are all checks. Columns count characters."""
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {"driver": {"name": "keynote lint", "version": _version(), "rules": _rules(CHECKS.values())}},
                "columnKind": "unicodeCodePoints",
                "results": [_result(finding) for finding in findings],
            }
        ],
    }


def _version() -> str:
    try:
        return version("keynote-ike")
    except PackageNotFoundError:
        return "0"


def _rules(checks: Iterable[Check]) -> list[dict[str, Any]]:
    return [
        {
            "id": check.code,
            "shortDescription": {"text": check.title},
            "fullDescription": {"text": check.why},
            "help": {"text": f"{check.why} {check.mend}", "markdown": page(check)},
            "defaultConfiguration": {"level": _LEVELS[check.severity]},
        }
        for check in checks
    ]


def _result(finding: Finding) -> dict[str, Any]:
    text = f"{finding.message}; {finding.hint}" if finding.hint else finding.message
    region = {"startLine": finding.where.line, "startColumn": finding.character}
    place = {"artifactLocation": {"uri": _uri(finding.where.file)}, "region": region}
    return {
        "ruleId": finding.code,
        "ruleIndex": list(CHECKS).index(finding.code),
        "level": _LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [{"physicalLocation": place}],
    }


def _uri(name: str) -> str:
    path = PurePath(name)
    return path.as_uri() if path.is_absolute() else quote(os.fsencode(path.as_posix()))
