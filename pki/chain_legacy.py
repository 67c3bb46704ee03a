# SPDX-License-Identifier: ISC
"""What only a peer that is marked as legacy may do: SHA-1 signatures, and an authority of X.509 version 1.

The library refuses both whoever asks, so here is the one signature check of our own. Everything else is asked of such
chains as of all others: `chain_walk` builds their path and applies the rules of `chain_rules` to it.
"""

from collections.abc import Sequence

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.x509.oid import SignatureAlgorithmOID

from pki import chain_rules
from pki.chain_certificates import ReadCertificate


def is_sha1(algorithm: x509.ObjectIdentifier) -> bool:
    """Whether a signature algorithm is the one that legacy allows: sha1WithRSAEncryption (RFC 3279 2.2.1)."""
    return algorithm == SignatureAlgorithmOID.RSA_WITH_SHA1


def signed(key: CertificatePublicKeyTypes, signature: bytes, data: bytes) -> bool:
    """Whether this is the key's sha1WithRSAEncryption signature of `data`."""
    if not isinstance(key, rsa.RSAPublicKey):
        return False
    try:
        key.verify(signature, data, padding.PKCS1v15(), SHA1())
    except InvalidSignature:
        return False
    return True


def needed_for(path: Sequence[ReadCertificate]) -> bool:
    """Whether anything in a path, leaf first, is for legacy peers alone."""
    *below, anchor = path
    return is_version_1(anchor) or any(is_sha1(one.certificate.signature_algorithm_oid) for one in below)


def is_version_1(certificate: ReadCertificate) -> bool:
    return certificate.certificate.version is x509.Version.v1


def check_anchor(anchor: ReadCertificate) -> None:
    """A configured authority for legacy peers. Version 1 has no basicConstraints that could say that it is one: that
    it is configured has to do, so nothing that a peer sends ever gets here. Raises ChainError."""
    if is_version_1(anchor):
        chain_rules.check_names(anchor)
        chain_rules.check_key(anchor)
    else:
        chain_rules.check_authority(anchor)
