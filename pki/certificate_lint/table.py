# SPDX-License-Identifier: ISC
"""The table of all checks, by their code."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from keynote.severity import Severity
from pki.certificate_lint import (
    android,
    apple,
    legacy,
    libreswan,
    own,
    rfc_form,
    rfc_ike,
    rfc_issuer,
    rfc_keys,
    rfc_locations,
    rfc_names,
    strongswan,
    windows,
)
from pki.certificate_lint.findings import Check, Platform

#: What no function finds: whoever reads the certificate does.
UNREADABLE: Final = Check(
    "PK100",
    Severity.ERROR,
    Platform.RFC,
    "cannot be read",
    "Peers cannot read it either, or should not: a serial number that is not positive and names with control"
    " characters count as unreadable here.",
    "Have it issued anew; if the file should be a certificate, look at what it is.",
    "RFC 5280 4.1",
)

#: Every check by its code, in the order of the codes.
CHECKS: Final[Mapping[str, Check]] = MappingProxyType(
    {
        check.code: check
        for check in (
            UNREADABLE,
            *rfc_form.CHECKS,
            *rfc_keys.CHECKS,
            *rfc_locations.CHECKS,
            *rfc_names.CHECKS,
            *rfc_ike.CHECKS,
            *rfc_issuer.CHECKS,
            *own.CHECKS,
            *apple.CHECKS,
            *windows.CHECKS,
            *android.CHECKS,
            *strongswan.CHECKS,
            *libreswan.CHECKS,
            *legacy.CHECKS,
        )
    }
)
