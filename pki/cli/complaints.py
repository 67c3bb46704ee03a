# SPDX-License-Identifier: ISC
"""What errors of this library tell at a command line."""

from collections.abc import Iterable

from keynote.complaints import BadInput, Complaint
from pki.errors import ConditionsInvalid, PkiError


def complaints(error: Exception) -> Iterable[Complaint]:
    """What an error of this library tells."""
    if isinstance(error, ConditionsInvalid):
        return error.complaints
    if isinstance(error, BadInput):
        return (error.complaint,)
    return (Complaint(str(error), hint=error.hint),) if isinstance(error, PkiError) else ()
