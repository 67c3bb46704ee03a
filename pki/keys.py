# SPDX-License-Identifier: ISC
"""The kinds of keys that certificates have here, and signing with them.

RSA goes everywhere. Elliptic curves authenticate IKEv1 by RFC 4754 only, which not every peer has. Ed25519 is for
peers alone: the library that validates chains has no authorities with such keys. ML-DSA (FIPS 204) is experimental.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeAlias, cast

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import (
    CertificateIssuerPrivateKeyTypes,
    CertificatePublicKeyTypes,
    PublicKeyTypes,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from pki.errors import PkiError

PrivateKey: TypeAlias = (
    rsa.RSAPrivateKey
    | ec.EllipticCurvePrivateKey
    | ed25519.Ed25519PrivateKey
    | mldsa.MLDSA44PrivateKey
    | mldsa.MLDSA65PrivateKey
    | mldsa.MLDSA87PrivateKey
)
SignatureHash: TypeAlias = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
_MLDSA = (mldsa.MLDSA44PrivateKey, mldsa.MLDSA65PrivateKey, mldsa.MLDSA87PrivateKey)
PRIVATE_KEYS: Final = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, *_MLDSA)

RSA_EXPONENT: Final = 65537

_GENERATORS: Final[Mapping[str, Callable[[], PrivateKey]]] = {
    **{f"rsa-{bits}": functools.partial(rsa.generate_private_key, RSA_EXPONENT, bits) for bits in (2048, 3072, 4096)},
    "p-256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "p-521": lambda: ec.generate_private_key(ec.SECP521R1()),
    "ed25519": ed25519.Ed25519PrivateKey.generate,
    "ml-dsa-44": mldsa.MLDSA44PrivateKey.generate,
    "ml-dsa-65": mldsa.MLDSA65PrivateKey.generate,
    "ml-dsa-87": mldsa.MLDSA87PrivateKey.generate,
}
KINDS: Final = tuple(_GENERATORS)
AUTHORITY_KINDS: Final = tuple(kind for kind in KINDS if kind != "ed25519")
EXPERIMENTAL: Final = tuple(kind for kind in KINDS if kind.startswith("ml-dsa"))

_CURVES: Final = {"secp256r1": "p-256", "secp384r1": "p-384", "secp521r1": "p-521"}
_CURVE_HASHES: Final[Mapping[str, type[SignatureHash]]] = {
    "secp256r1": hashes.SHA256,
    "secp384r1": hashes.SHA384,
    "secp521r1": hashes.SHA512,
}


def generate(kind: str) -> PrivateKey:
    """A new key of one of KINDS. Raises PkiError."""
    try:
        make = _GENERATORS[kind]
    except KeyError:
        raise PkiError(f"there is no kind of key `{kind}`", f"one of {', '.join(KINDS)}") from None
    return make()


def kind(key: CertificatePublicKeyTypes | PrivateKey) -> str:
    """Its name among KINDS, or one in their style for a key that we would not make."""
    match key:
        case rsa.RSAPublicKey() | rsa.RSAPrivateKey():
            return f"rsa-{key.key_size}"
        case ec.EllipticCurvePublicKey() | ec.EllipticCurvePrivateKey():
            return _CURVES.get(key.curve.name, key.curve.name)
        case ed25519.Ed25519PublicKey() | ed25519.Ed25519PrivateKey():
            return "ed25519"
    name = type(key).__name__.removesuffix("PublicKey").removesuffix("PrivateKey").lower()
    return name.replace("mldsa", "ml-dsa-")


def key_sha256(key: PublicKeyTypes) -> str:
    """SHA-256, in hex, of the key's SubjectPublicKeyInfo as the library writes it: equal for equal keys, however a
    certificate wrote them."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def signature_hash(key: CertificatePublicKeyTypes) -> SignatureHash | None:
    """What such a key signs certificates with; None where the algorithm has its own."""
    match key:
        case rsa.RSAPublicKey():
            return hashes.SHA256()
        case ec.EllipticCurvePublicKey():
            return _CURVE_HASHES.get(key.curve.name, hashes.SHA256)()
    return None


class Signer(Protocol):
    """Whoever holds an authority's key, in memory or in a token. `sign` answers as certificates have it: PKCS#1 v1.5
    with SHA-256, ECDSA with the curve's hash (DER), ML-DSA (pure, no context)."""

    @property
    def public_key(self) -> CertificatePublicKeyTypes: ...

    def sign(self, data: bytes) -> bytes: ...


@dataclass(frozen=True, slots=True)
class KeySigner:
    """A signer with the key in memory."""

    key: PrivateKey = field(repr=False)

    @property
    def public_key(self) -> CertificatePublicKeyTypes:
        return self.key.public_key()

    def sign(self, data: bytes) -> bytes:
        match self.key:
            case rsa.RSAPrivateKey():
                return self.key.sign(data, padding.PKCS1v15(), hashes.SHA256())
            case ec.EllipticCurvePrivateKey():
                algorithm = signature_hash(self.key.public_key())
                assert algorithm is not None
                return self.key.sign(data, ec.ECDSA(algorithm))
            case _:
                return self.key.sign(data)


def verifies(key: CertificatePublicKeyTypes, signature: bytes, data: bytes) -> bool:
    """Whether a `Signer` with this key signed this."""
    try:
        match key:
            case rsa.RSAPublicKey():
                key.verify(signature, data, padding.PKCS1v15(), hashes.SHA256())
            case ec.EllipticCurvePublicKey():
                algorithm = signature_hash(key)
                assert algorithm is not None
                key.verify(signature, data, ec.ECDSA(algorithm))
            case (
                ed25519.Ed25519PublicKey()
                | mldsa.MLDSA44PublicKey()
                | mldsa.MLDSA65PublicKey()
                | mldsa.MLDSA87PublicKey()
            ):
                key.verify(signature, data)
            case _:
                return False
    except InvalidSignature:
        return False
    return True


@functools.cache
def throw_away(kind: str) -> CertificateIssuerPrivateKeyTypes:
    """A key of this kind for rehearsals, whose signatures nobody keeps; RSA keys are small, since only the algorithm
    counts."""
    if kind.startswith("rsa-"):
        return rsa.generate_private_key(RSA_EXPONENT, 1024)
    return cast(CertificateIssuerPrivateKeyTypes, generate(kind))
