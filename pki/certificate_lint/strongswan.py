# SPDX-License-Identifier: ISC
"""strongSwan: charon with swanctl or ipsec.conf.

From the source of strongSwan 6.0: x509_cert.c, openssl_x509.c, constraints_validator.c, phase1.c, auth_cfg.c and
stroke_config.c.
"""

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from keynote.severity import Severity
from pki import chain_rules
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.rfc_form import named
from pki.certificate_lint.subjects import Subject

_CURVES = ("secp256r1", "secp384r1", "secp521r1")
_OPENSSL_PLUGIN_KNOWS = (
    x509.AuthorityInformationAccess,
    x509.AuthorityKeyIdentifier,
    x509.SubjectKeyIdentifier,
    x509.SubjectAlternativeName,
    x509.IssuerAlternativeName,
    x509.BasicConstraints,
    x509.KeyUsage,
    x509.ExtendedKeyUsage,
    x509.CRLDistributionPoints,
)


def _no_identity(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and not subject.certificate.names:
        yield "no identity among its subjectAltNames"


def _unknown_constraints(subject: Subject) -> Iterator[str]:
    authority = subject.authority
    constraints = None if authority is None else chain_rules.extension(authority, x509.NameConstraints)
    if constraints is None:
        return
    for subtree in constraints.permitted_subtrees or ():
        if not isinstance(subtree, x509.DNSName | x509.RFC822Name | x509.IPAddress | x509.DirectoryName):
            yield f"name constraints permit a {type(subtree).__name__}"
    for subtree in constraints.excluded_subtrees or ():
        if not isinstance(subtree, x509.DNSName | x509.RFC822Name | x509.IPAddress):
            yield f"name constraints exclude a {type(subtree).__name__}"


def _seldom_known(subject: Subject) -> Iterator[str]:
    for extension in subject.extensions:
        value = extension.value
        known = (*_OPENSSL_PLUGIN_KNOWS, x509.UnrecognizedExtension)  # unknown to everybody: PK108
        if extension.critical and not isinstance(value, known):
            yield f"{named(value)} is critical"


def _version_two_only(subject: Subject) -> Iterator[str]:
    key = subject.certificate.public_key
    if subject.is_leaf and not subject.is_rsa and not _is_for_version_one(key):
        yield f"its key is {subject.key}"


def _is_for_version_one(key: object) -> bool:
    return isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name in _CURVES


CHECKS: Final = (
    Check(
        "PK901",
        Severity.WARNING,
        Platform.STRONGSWAN,
        "no identity but the subject",
        "With ipsec.conf the own identity falls back: \"id '…' not confirmed by certificate, defaulting to\" the"
        " subject, and the other side gets an identity that it does not expect. A peer with it is refused:"
        " \"constraint check failed: identity '…' required\".",
        "Have it issued with the identity as subjectAltName, or set the whole subject as `id` on both sides.",
        "strongSwan, stroke_config.c, auth_cfg.c",
        _no_identity,
    ),
    Check(
        "PK902",
        Severity.ERROR,
        Platform.STRONGSWAN,
        "name constraints of a kind that is not known",
        'charon says "NameConstraint not supported" and refuses every chain of this authority.',
        "Constrain the authority by host names, mail addresses and IP addresses; directory names may be"
        " permitted, not excluded.",
        "strongSwan, constraints_validator.c",
        _unknown_constraints,
    ),
    Check(
        "PK903",
        Severity.WARNING,
        Platform.STRONGSWAN,
        "critical extension that not every build knows",
        'Where certificates are read by the plugin openssl: "found unsupported critical X.509 extension", and it'
        " is not loaded. The plugin x509 knows policies and name constraints; older versions of openssl do not"
        " know the latter.",
        "Load the plugin x509, or set `charon.x509.enforce_critical = no` where the constraint may be passed over.",
        "strongSwan, openssl_x509.c, x509_cert.c; trailofbits/algo#1758",
        _seldom_known,
    ),
    Check(
        "PK904",
        Severity.INFO,
        Platform.STRONGSWAN,
        "key for IKEv2 only",
        'In IKEv1 charon says "private key of type … not supported": RSA, and ECDSA on P-256, P-384 and P-521,'
        " are all.",
        "Use IKEv2, or make an RSA key of 2048 bits or more.",
        "strongSwan, phase1.c; RFC 8420",
        _version_two_only,
    ),
)
