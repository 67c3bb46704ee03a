# SPDX-License-Identifier: ISC
"""What has the form of a certificate (RFC 5280 4.1, 5.1; RFC 6960 4.2.1): rehearsed with a key that is thrown away,
then the same bytes signed by whoever holds the authority's key."""

from pki import der, keys
from pki.errors import PkiError
from pki.keys import Signer


def algorithm_of(rehearsed: bytes) -> bytes:
    """The AlgorithmIdentifier that follows what is signed, whole. Raises DerInvalid."""
    begin, end = der.expect(rehearsed, 0, len(rehearsed), der.SEQUENCE)
    _, start = der.expect(rehearsed, begin, end, der.SEQUENCE)
    _, stop = der.expect(rehearsed, start, end, der.SEQUENCE)
    return rehearsed[start:stop]


def signed(tbs: bytes, algorithm: bytes, signer: Signer, rest: bytes = b"") -> bytes:
    """The SEQUENCE of what is signed, with which algorithm, and the signature; `rest` follows it.

    Raises PkiError where the signature is none of the signer's key: a token may answer anything."""
    signature = signer.sign(tbs)
    if not keys.verifies(signer.public_key, signature, tbs):
        raise PkiError("the signature is not one of this key", "is the token in order, and does it hold this key?")
    return der.encode(der.SEQUENCE, tbs + algorithm + der.encode(der.BIT_STRING, b"\0" + signature) + rest)
