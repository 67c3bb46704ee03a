# SPDX-License-Identifier: ISC
"""Whose signature is on a certificate? The library's own question refuses SHA-1 and MD5 and has no other answer for
them than that; here they are looked at like all others."""

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, mldsa, padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes


def is_signed_by(certificate: x509.Certificate, key: CertificatePublicKeyTypes) -> bool:
    """Whether this key made the certificate's signature. Names and all else are not looked at."""
    signature, signed = certificate.signature, certificate.tbs_certificate_bytes
    try:
        match key, certificate.signature_hash_algorithm:
            case rsa.RSAPublicKey(), digest if digest is not None:
                parameters = certificate.signature_algorithm_parameters
                if not isinstance(parameters, padding.PKCS1v15 | padding.PSS):
                    return False
                key.verify(signature, signed, parameters, digest)
            case ec.EllipticCurvePublicKey(), digest if digest is not None:
                key.verify(signature, signed, ec.ECDSA(digest))
            case dsa.DSAPublicKey(), digest if digest is not None:
                key.verify(signature, signed, digest)
            case (ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey(), None):
                key.verify(signature, signed)
            case (mldsa.MLDSA44PublicKey() | mldsa.MLDSA65PublicKey() | mldsa.MLDSA87PublicKey(), None):
                key.verify(signature, signed)
            case _:
                return False
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
