# SPDX-License-Identifier: ISC
"""Signatures on assertions (RFC 2704 4.6.7, RFC 2792): the place for them.

There is no signature support yet, so no credential is believed: `verify` refuses each one. An assertion that is
trusted because of where it came from may carry a signature; until it can be checked, only its form is.
"""

import re
from typing import TYPE_CHECKING

from keynote.errors import SignatureError

if TYPE_CHECKING:
    from keynote.assertions import Assertion

_FORM = re.compile(r"sig-[a-z0-9]+-[a-z0-9]+-(hex|base64):[A-Za-z0-9+/=\s]+", re.IGNORECASE)


def verify(assertion: "Assertion") -> None:
    """Raises SignatureError unless the authorizer's key signed the assertion."""
    raise SignatureError("no signature support yet")


def is_well_formed(signature: str) -> bool:
    """Whether a text is an algorithm and a signature's bits, as RFC 2792 writes them."""
    return _FORM.fullmatch(signature) is not None
