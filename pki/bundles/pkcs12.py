# SPDX-License-Identifier: ISC
"""PKCS#12 (RFC 7292): a key with its certificates under a password.

Two ways to seal it. `modern`: PBES2 with AES-256 and HMAC-SHA-256, as OpenSSL 3 writes it. `legacy`: 3DES and SHA-1
of RFC 7292 appendix C, for what says `wrong password` to the first. The password is ours and long (`passwords`), so
neither can be guessed.
"""

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import KeySerializationEncryption, PrivateFormat
from cryptography.hazmat.primitives.serialization.pkcs12 import (
    PBES,
    serialize_key_and_certificates,
)

from pki.bundles import texts
from pki.bundles.files import SECRET, Bundle, File
from pki.bundles.handover import Handover
from pki.bundles.request import Compat, Request

_KEYS = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey)
_ROUNDS = 20_000  # costs whoever opens it a few milliseconds; the password does not need it


def make(handover: Handover, request: Request) -> Bundle:
    """One file."""
    data = sealed(handover, request, (*handover.intermediates, *handover.anchors))
    return Bundle((File(f"{texts.stem(handover.identity)}.p12", data, SECRET),))


def sealed(handover: Handover, request: Request, others: tuple[x509.Certificate, ...] = ()) -> bytes:
    """The leaf with its key and `others`. Its friendly name is the identity."""
    key = handover.key
    assert isinstance(key, _KEYS)  # no format with PKCS#12 takes others, or does without
    return serialize_key_and_certificates(
        handover.identity.value.encode(), key, handover.leaf.certificate, others, _protection(request)
    )


def _protection(request: Request) -> KeySerializationEncryption:
    algorithms: dict[Compat, tuple[PBES, hashes.HashAlgorithm]] = {
        "modern": (PBES.PBESv2SHA256AndAES256CBC, hashes.SHA256()),
        "legacy": (PBES.PBESv1SHA1And3KeyTripleDESCBC, hashes.SHA1()),
    }
    encryption, mac = algorithms[request.compat]
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(_ROUNDS)
    return builder.key_cert_algorithm(encryption).hmac_hash(mac).build(request.password.encode("ascii"))
