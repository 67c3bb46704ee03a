# SPDX-License-Identifier: ISC
"""The table of all checks, by their code."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from keynote.lint import attributes, clauses, delegations, openings, principals, strength, times
from keynote.lint.findings import Check, Severity

#: What no function finds: the parser does, and whoever counts what comments took back.
NOT_KEYNOTE: Final = Check(
    "KN001",
    Severity.ERROR,
    "no KeyNote",
    "A policy file with a mistake is refused as a whole by everything that reads policies; a credential with one"
    " is set"
    " aside. The other assertions are checked all the same. This one cannot be ignored.",
    'Authorizer: "POLICY"\nConditions: app_domain = "IPsec policy";',
    "The message says what is wrong, and mostly what to write.",
)
USELESS_COMMENT: Final = Check(
    "KN002",
    Severity.WARNING,
    "comment that ignores nothing",
    "`# lint: ignore` with a code that there is not, with none, or with one that finds nothing there. The mistake was"
    " mended, or never is told.",
    'Authorizer: "POLICY"  # lint: ignore KN999\nLicensees: "DN:/CN=CA"',
    "Take the comment away, or write the code that is meant. `--explain CODE` says what a code is.",
)

#: Every check by its code, in the order of the codes.
CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        check.code: check
        for check in (
            NOT_KEYNOTE,
            USELESS_COMMENT,
            *attributes.CHECKS,
            *openings.CHECKS,
            *clauses.CHECKS,
            *delegations.CHECKS,
            *principals.CHECKS,
            *times.CHECKS,
            *strength.CHECKS,
        )
    }
)
