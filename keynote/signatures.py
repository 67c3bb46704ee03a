# SPDX-License-Identifier: ISC
"""Signatures on assertions (RFC 2704 4.6.7, RFC 2792), byte for byte as libkeynote makes and checks them.

What is signed is the text from the first field (or a comment before it) up to the Signature keyword, then the name of
the algorithm as the assertion writes it, with its colon.

| algorithm          | key                | signed                                                            |
|--------------------|--------------------|-------------------------------------------------------------------|
| `sig-rsa-sha1-`    | RSA                | an OCTET STRING of the digest, without the DigestInfo of PKCS#1   |
| `sig-rsa-md5-`     | RSA                | the same                                                          |
| `sig-x509-sha1-`   | RSA                | a DigestInfo with the identifier that SSLeay had for SHA          |
| `sig-dsa-sha1-`    | DSA                | the digest                                                        |
| `sig-rsa-sha256-`  | RSA                | a DigestInfo, as PKCS#1 v1.5 has it                               |
| `sig-ecdsa-sha256-`| elliptic curve     | the digest; SEQUENCE {r, s}                                       |
| `sig-ed25519-`     | Ed25519            | the input itself                                                  |

`hex:` or `base64:` follows. Which kind of text the key was written in (`rsa-`, `x509-`) makes no difference.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo, Prehashed
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from keynote import expressions, keys, limits, principals
from keynote.errors import SignatureError
from keynote.redaction import quoted

if TYPE_CHECKING:
    from keynote.assertions import Assertion

ENCODINGS: Final = ("hex", "base64")
_FORM: Final = re.compile(r"sig-[a-z0-9-]+-(hex|base64):[A-Za-z0-9+/=\s]+", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Algorithm:
    """One way to sign. `verify` and `sign` get a key of the kind `key`, an algorithm of `keynote.keys`, and the bytes
    that are signed; `verify` raises InvalidSignature, and both raise ValueError for a key that is too short."""

    name: str
    key: str
    verify: Callable[[Any, bytes, bytes], object]
    sign: Callable[[Any, bytes], bytes]
    legacy: bool = False


# -- algorithms ------------------------------------------------------------------------------------------------------

_PKCS1: Final = PKCS1v15()
_BARE: Final = NoDigestInfo()
_SHA1: Final = Prehashed(SHA1())
_ECDSA: Final = ECDSA(SHA256())

_sha1 = partial(hashlib.sha1, usedforsecurity=False)
_md5 = partial(hashlib.md5, usedforsecurity=False)


def _rsa_over(name: str, hash: Callable[[bytes], Any], prefix: bytes, *, legacy: bool = True) -> Algorithm:
    """An RSA signature over a digest in a wrapping: PKCS#1 does not know all of them, and hashlib is quicker than the
    library would be with the one that it knows."""

    def verify(key: Any, signature: bytes, content: bytes) -> None:
        # RFC 8017 8.2.2 step 1, which the library leaves to its callers where it does not make the wrapping.
        if len(signature) != (key.key_size + 7) // 8:
            raise InvalidSignature
        key.verify(signature, prefix + hash(content).digest(), _PKCS1, _BARE)

    def sign(key: Any, content: bytes) -> bytes:
        return bytes(key.sign(prefix + hash(content).digest(), _PKCS1, _BARE))

    return Algorithm(name, "rsa", verify, sign, legacy)


ALGORITHMS: Final = {
    algorithm.name: algorithm
    for algorithm in (
        _rsa_over("sig-rsa-sha1", _sha1, bytes.fromhex("0414")),
        _rsa_over("sig-rsa-md5", _md5, bytes.fromhex("0410")),
        # 1.3.14.3.2.15, NULL
        _rsa_over("sig-x509-sha1", _sha1, bytes.fromhex("3021 3009 06052b0e03020f 0500 0414")),
        Algorithm(
            "sig-dsa-sha1",
            "dsa",
            lambda key, signature, content: key.verify(signature, _sha1(content).digest(), _SHA1),
            lambda key, content: key.sign(_sha1(content).digest(), _SHA1),
            legacy=True,
        ),
        # RFC 8017 9.2 note 1
        _rsa_over(
            "sig-rsa-sha256",
            hashlib.sha256,
            bytes.fromhex("3031 300d 0609608648016503040201 0500 0420"),
            legacy=False,
        ),
        Algorithm(
            "sig-ecdsa-sha256",
            "ec",
            lambda key, signature, content: key.verify(signature, content, _ECDSA),
            lambda key, content: key.sign(content, _ECDSA),
        ),
        Algorithm(
            "sig-ed25519",
            "ed25519",
            lambda key, signature, content: key.verify(signature, content),
            lambda key, content: key.sign(content),
        ),
    )
}

#: An algorithm and an encoding by what stands before the colon, in lower case.
_LABELS: Final = {
    f"{algorithm.name}-{encoding}": (algorithm, encoding)
    for algorithm in ALGORITHMS.values()
    for encoding in ENCODINGS
}


# -- verifying -------------------------------------------------------------------------------------------------------


def is_well_formed(signature: str) -> bool:
    """Whether a text is an algorithm and a signature's bits, as RFC 2792 writes them."""
    return _FORM.fullmatch(signature) is not None


def verify(assertion: "Assertion", *, legacy: bool = False) -> None:
    """Raises SignatureError unless the authorizer's key signed the assertion.

    `legacy` accepts signatures over MD5 and SHA-1.
    """
    if assertion.signature is None:
        raise SignatureError("not signed")
    constants = assertion.constants
    written = expressions.string(assertion.signature.tree, constants)
    authorizer = expressions.string(assertion.authorizer.tree, constants)
    if not isinstance(written, str) or not isinstance(authorizer, str):
        raise SignatureError("signature and authorizer of a signed assertion may not depend on the action")
    label, _, bits = written.partition(":")
    known = _LABELS.get(label.lower())
    if known is None:
        raise SignatureError(f"{quoted(label)} is no signature algorithm")
    algorithm, encoding = known
    if len(bits) > limits.KEY_SIZE:
        raise SignatureError(f"a signature of more than {limits.KEY_SIZE} characters")
    if algorithm.legacy and not legacy:
        raise SignatureError(f"{algorithm.name} is a legacy signature; --legacy-signatures accepts it")
    key = _signer(authorizer, algorithm)
    try:
        signature = keys.from_ascii(encoding, bits)
    except keys.NoKey as error:
        raise SignatureError(f"the signature {error}") from error
    try:
        algorithm.verify(key, signature, signed_bytes(assertion.text, f"{label}:"))
    except (InvalidSignature, ValueError) as error:
        raise SignatureError("the signature is not its authorizer's, or the text was changed since") from error
    except UnsupportedAlgorithm as error:
        raise SignatureError(f"the cryptographic library has no {algorithm.name}") from error


def verify_trusted(assertion: "Assertion") -> None:
    """Raises SignatureError if the assertion has a signature that is wrong (RFC 2704 4.6.7).

    For assertions that are trusted for where they come from: they need none, so one over MD5 or SHA-1 will do.
    """
    if assertion.signature is not None:
        verify(assertion, legacy=True)


def signed_bytes(text: str, label: str) -> bytes:
    """What is signed of an assertion with this text, up to the Signature keyword, under an algorithm's label."""
    return (text.lstrip(" \t\n") + label).encode("latin-1")


def _signer(authorizer: str, algorithm: Algorithm) -> keys.PublicKey:
    try:
        canonical = principals.canonical(authorizer)
    except principals.UndecodableKey as error:
        raise SignatureError(str(error)) from error
    if not canonical.startswith(f"{algorithm.key}-"):
        raise SignatureError(f"{algorithm.name} is made with {keys.NAMES[algorithm.key]}, and its authorizer is none")
    try:
        return keys.load(canonical)
    except keys.NoKey as error:
        raise SignatureError(f"its authorizer {error}".splitlines()[0]) from error
