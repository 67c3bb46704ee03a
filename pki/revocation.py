# SPDX-License-Identifier: ISC
"""Taking a certificate back: why (RFC 5280 5.3.1)."""

from typing import Final

from cryptography import x509

from pki.errors import PkiError, shown

# Those that begin and end a hold are missing: a revocation is for ever here. One can always issue anew.
_HOLD: Final = (x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl)
REASONS: Final = tuple(str(flag.value) for flag in x509.ReasonFlags if flag not in _HOLD)


def check_reason(reason: str) -> None:
    """Raises PkiError for what is none of REASONS."""
    if reason not in REASONS:
        raise PkiError(f"`{shown(reason)}` is no reason for a revocation", f"one of {', '.join(REASONS)}")
