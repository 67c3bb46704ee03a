# SPDX-License-Identifier: ISC
"""libreswan: pluto, which has NSS check certificates.

From libreswan's CHANGES for 5.3, nss_cert_verify.c and peer_id.c as of August 2026, the tests of extended key usages
and key usages named for RFC 4945, and ipsec.conf(5), require-id-on-certificate.
"""

from collections.abc import Iterator
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ed448, ed25519

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.rfc_ike import FOR_IKE
from pki.certificate_lint.subjects import Subject


def _no_identity(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and not subject.certificate.names:
        yield "no identity among its subjectAltNames"


def _other_uses(subject: Subject) -> Iterator[str]:
    usages = subject.usages
    if subject.is_leaf and usages is not None and FOR_IKE.isdisjoint(usages):
        yield "neither ipsecIKE nor anyExtendedKeyUsage among its extended key usages"


def _edwards(subject: Subject) -> Iterator[str]:
    if isinstance(subject.certificate.public_key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        yield f"its key is {subject.key}"


CHECKS: Final = (
    Check(
        "PK921",
        Severity.WARNING,
        Platform.LIBRESWAN,
        "no identity but the subject",
        'pluto says "X509: authentication failed" to a peer with an identity other than its whole subject: with'
        " require-id-on-certificate, which is on, it has to be a subjectAltName.",
        "Have it issued with the identity as subjectAltName, or use `rightid=%fromcert`.",
        "ipsec.conf(5); libreswan, peer_id.c",
        _no_identity,
    ),
    Check(
        "PK922",
        Severity.ERROR,
        Platform.LIBRESWAN,
        "not for IKE",
        "From 5.3 on pluto asks NSS for use with IPsec only, and refuses the certificate; before that serverAuth"
        " or clientAuth would do, as with builds with USE_NSS_TLS_SECURITY_PROFILE.",
        "Have it issued with ipsecIKE (1.3.6.1.5.5.7.3.17) among them, or without extended key usages.",
        "libreswan, CHANGES 5.3; libreswan/libreswan#2075, #2078",
        _other_uses,
    ),
    Check(
        "PK923",
        Severity.WARNING,
        Platform.LIBRESWAN,
        "Ed25519 or Ed448",
        "Only the newest versions know Ed25519 (`authby=eddsa`), and not on every distribution.",
        "Make an RSA key of 2048 bits or more.",
        "libreswan, CHANGES",
        _edwards,
    ),
)
