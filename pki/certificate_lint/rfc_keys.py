# SPDX-License-Identifier: ISC
"""What the RFCs say of keys and of the algorithm of the signature."""

from collections.abc import Iterator
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject

_SHORTEST_RSA = 2048
_SIGNS_ONLY = (
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)


def _enciphers(subject: Subject) -> Iterator[str]:
    usage = subject.key_usage
    if usage is not None and isinstance(subject.certificate.public_key, _SIGNS_ONLY):
        bits = {"keyEncipherment": usage.key_encipherment, "dataEncipherment": usage.data_encipherment}
        for bit in (bit for bit, is_set in bits.items() if is_set):
            yield f"{bit} for a key that cannot encipher ({subject.key})"


def digest(subject: Subject) -> str:
    """The digest that it is signed with, or nothing."""
    try:
        algorithm = subject.certificate.certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        return ""
    return "" if algorithm is None else algorithm.name


def _is_believed(subject: Subject) -> bool:
    """Whether anybody relies on its signature: that of a root is looked at by nobody (RFC 5280 6.1.1 d)."""
    return subject.signed and not subject.certificate.self_issued


def _md5(subject: Subject) -> Iterator[str]:
    if _is_believed(subject) and digest(subject) == hashes.MD5.name:
        yield "signed with MD5"


def _sha1(subject: Subject) -> Iterator[str]:
    if _is_believed(subject) and digest(subject) == hashes.SHA1.name:
        yield "signed with SHA-1"


def _short_rsa(subject: Subject) -> Iterator[str]:
    key = subject.certificate.public_key
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _SHORTEST_RSA:
        yield f"RSA key of {key.key_size} bits"


CHECKS: Final = (
    Check(
        "PK113",
        Severity.ERROR,
        Platform.RFC,
        "key that may encipher and cannot",
        "Validators that hold key usages against the kind of key refuse it.",
        "Have it issued with digitalSignature alone.",
        "RFC 8813, RFC 9295, RFC 9881",
        _enciphers,
    ),
    Check(
        "PK114",
        Severity.ERROR,
        Platform.RFC,
        "signed with MD5",
        "Such signatures can be forged; hardly anybody takes them any more.",
        "Have it signed with SHA-256.",
        "RFC 6151 2",
        _md5,
    ),
    Check(
        "PK115",
        Severity.WARNING,
        Platform.RFC,
        "signed with SHA-1",
        "Such signatures can be forged; current software refuses them.",
        "Have it signed with SHA-256.",
        "RFC 6194",
        _sha1,
    ),
    Check(
        "PK116",
        Severity.WARNING,
        Platform.RFC,
        "short RSA key",
        "Current software refuses RSA below 2048 bits.",
        "Make a key of 2048 bits or more.",
        "RFC 8247 3.1.1",
        _short_rsa,
    ),
)
