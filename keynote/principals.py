# SPDX-License-Identifier: ISC
"""Principals: who authorizes and who is licensed (RFC 2704 4.5 and 5.2, RFC 2792).

Opaque identifiers, `DN:` names and passphrases among them, are equal if their texts are. A key is equal to the same
bytes in another encoding: the algorithm's name and hexadecimal digits in either case, base64 with or without blanks.

Until keys themselves are read, two different encodings of one key's *contents* (a certificate and its bare key, or
RFC 2792's order of RSA numbers) count as two principals, and a text that decodes to bytes counts as a key. Both fail
closed: a delegation is missed, and none is made.
"""

import base64
import binascii
import functools
import re

from keynote.errors import KeynoteError
from keynote.redaction import quoted, shown

POLICY = "POLICY"

# Of a key's text: enough to tell two apart, and to find it in a file.
_SHOWN_DIGITS = 8

_KEY = re.compile(
    r"(?P<algorithm>rsa|dsa|x509|binary|ec|ed25519)-(?P<encoding>hex|base64):(?P<bits>.*)", re.IGNORECASE | re.DOTALL
)


class UndecodableKey(KeynoteError):
    """A principal says that it is a key, and is none."""


def is_key(principal: str) -> bool:
    """Whether a principal is cryptographic, so that it could have signed something."""
    return _KEY.fullmatch(principal) is not None


def canonical(principal: str) -> str:
    """The text that equal principals share. Raises UndecodableKey."""
    # The dash of a key's algorithm comes early. What has none is no key; above all it is no passphrase that would
    # stay in the cache.
    return _canonical_key(principal) if "-" in principal[:8] else principal


@functools.lru_cache(maxsize=1024)
def _canonical_key(principal: str) -> str:
    match = _KEY.fullmatch(principal)
    if match is None:
        return principal
    algorithm, encoding, bits = match["algorithm"].lower(), match["encoding"].lower(), match["bits"]
    try:
        content = _from_hex(bits) if encoding == "hex" else _from_base64(bits)
    except ValueError as error:
        raise UndecodableKey(f"{quoted(principal[:40])}… is not {_ENCODING_NAMES[encoding]}") from error
    if not content:
        raise UndecodableKey(f"{quoted(principal)} holds no key")
    return f"{algorithm}-hex:{content.hex()}"


_ENCODING_NAMES = {"hex": "an even number of hexadecimal digits", "base64": "base64"}


def _from_hex(digits: str) -> bytes:
    return binascii.unhexlify(digits)


def _from_base64(text: str) -> bytes:
    # RFC 2792 keys are often broken over lines, and the blanks between the pieces mean nothing.
    return base64.b64decode("".join(text.split()), validate=True)


def shown_principal(principal: str) -> str:
    """A principal as people read it: passphrases hidden, keys cut down to what tells them apart."""
    if principal.startswith("\0"):
        return "(unknown)"  # the evaluator's stand-in; no principal of an assertion contains NUL
    match = _KEY.fullmatch(principal)
    if match is None or len(match["bits"]) <= _SHOWN_DIGITS * 2:
        return shown(principal)
    head = f"{match['algorithm']}-{match['encoding']}:{match['bits'][:_SHOWN_DIGITS]}"
    return f"{shown(head)}…{shown(match['bits'][-_SHOWN_DIGITS:])}"
