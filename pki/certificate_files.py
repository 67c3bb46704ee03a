# SPDX-License-Identifier: ISC
"""The certificates in a file, PEM or DER, each as its bytes."""

import base64
import binascii
import re

from pki.errors import DerInvalid

_PEM = re.compile(rb"-----BEGIN (?:X509 |TRUSTED )?CERTIFICATE-----(.*?)-----END ", re.DOTALL)
_SEQUENCE = b"\x30"


def certificates(data: bytes) -> tuple[bytes, ...]:
    """The DER of each, in their order; it is not looked into. Raises DerInvalid where there is none."""
    blocks = _PEM.findall(data)
    if not blocks:
        if data.startswith(_SEQUENCE):
            return (data,)
        raise DerInvalid("no certificate, neither in PEM nor in DER")
    try:
        return tuple(base64.b64decode(block) for block in blocks)
    except binascii.Error as error:
        raise DerInvalid(f"a certificate in PEM is not base64: {error}") from error
