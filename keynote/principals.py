# SPDX-License-Identifier: ISC
"""Principals: who authorizes and who is licensed (RFC 2704 4.5 and 5.2, RFC 2792).

Opaque identifiers, `DN:` names and passphrases among them, are equal if their texts are. Keys are equal if their
numbers are, whatever the encoding: `keynote.keys` has the forms.
"""

import functools
import re

from keynote import keys, limits
from keynote.errors import KeynoteError
from keynote.redaction import shown

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


def can_sign(principal: str) -> bool:
    """Whether a principal is a key with which something can be signed."""
    try:
        return is_key(principal) and not canonical(principal).startswith("binary-")
    except UndecodableKey:
        return False


def canonical(principal: str) -> str:
    """The text that equal principals share. Raises UndecodableKey."""
    # The dash of a key's algorithm comes early. What has none is no key; above all it is no passphrase that would
    # stay in the cache.
    return _canonical_key(principal) if "-" in principal[:8] else principal


def _canonical_key(principal: str) -> str:
    if len(principal) <= limits.KEY_SIZE:
        return _decoded(principal)
    if is_key(principal):
        raise UndecodableKey(f"a key of more than {limits.KEY_SIZE} characters")
    return principal  # too long to keep


@functools.lru_cache(maxsize=1024)
def _decoded(principal: str) -> str:
    match = _KEY.fullmatch(principal)
    if match is None:
        return principal
    try:
        content = keys.from_ascii(match["encoding"].lower(), match["bits"])
        return keys.canonical(match["algorithm"].lower(), content)
    except keys.NoKey as error:
        raise UndecodableKey(f"`{shown_principal(principal)}` {error}") from error


def key_principal(key: object) -> str:
    """The canonical principal of a public key of `cryptography`, or UndecodableKey for kinds that cannot be one."""
    try:
        return keys.text(key)
    except keys.NoKey as error:
        raise UndecodableKey(f"a key that {error}") from error


def shown_principal(principal: str) -> str:
    """A principal as people read it: passphrases hidden, keys cut down to what tells them apart."""
    if principal.startswith("\0"):
        return "(unknown)"  # the evaluator's stand-in; no principal of an assertion contains NUL
    if not principal:
        return '""'  # of an attribute that is empty, often
    match = _KEY.fullmatch(principal)
    if match is None or len(match["bits"]) <= _SHOWN_DIGITS * 3:
        return shown(principal)
    bits = match["bits"]
    head = f"{match['algorithm']}-{match['encoding']}:{bits[:_SHOWN_DIGITS]}"
    # RSA keys begin and end alike, and DSA keys end with what several share: a quarter in, each has its own digits.
    within = bits[len(bits) // 4 :][:_SHOWN_DIGITS]
    return "…".join(map(shown, (head, within, bits[-_SHOWN_DIGITS:])))
