# SPDX-License-Identifier: ISC
"""RFC 5280 on the form of a certificate: version, serial number, validity, extensions and their criticality, and what
RFC 8813, 9295 and 9881 say of keys."""

import datetime
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, mldsa, rsa
from cryptography.x509.oid import AuthorityInformationAccessOID

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject

_MAX_SERIAL_OCTETS = 20
_MUST_BE_CRITICAL = (x509.NameConstraints, x509.PolicyConstraints, x509.InhibitAnyPolicy)
_MUST_NOT_BE_CRITICAL = (
    x509.AuthorityKeyIdentifier,
    x509.SubjectKeyIdentifier,
    x509.AuthorityInformationAccess,
    x509.SubjectInformationAccess,
    x509.FreshestCRL,
)
_SHOULD_NOT_BE_CRITICAL = (x509.CRLDistributionPoints, x509.IssuerAlternativeName)
_SHORTEST_RSA = 2048
_SIGNS_ONLY = (
    ec.EllipticCurvePublicKey,
    ed25519.Ed25519PublicKey,
    ed448.Ed448PublicKey,
    mldsa.MLDSA44PublicKey,
    mldsa.MLDSA65PublicKey,
    mldsa.MLDSA87PublicKey,
)


def named(extension: x509.ExtensionType) -> str:
    """An extension as the RFCs call it, for messages."""
    name = type(extension).__name__
    return {"CRLDistributionPoints": "cRLDistributionPoints", "FreshestCRL": "freshestCRL"}.get(
        name, name[0].lower() + name[1:].replace("Alternative", "Alt")
    )


def _version(subject: Subject) -> Iterator[str]:
    if subject.certificate.certificate.version is not x509.Version.v3:
        yield "X.509 version 1, which has no extensions"


def _serial(subject: Subject) -> Iterator[str]:
    octets = subject.certificate.certificate.serial_number.bit_length() // 8 + 1
    if octets > _MAX_SERIAL_OCTETS:
        yield f"serial number of {octets} octets"


def _backwards(subject: Subject) -> Iterator[str]:
    certificate = subject.certificate
    if certificate.not_after < certificate.not_before:
        yield f"it ends on {certificate.not_after:%Y-%m-%d}, before it begins on {certificate.not_before:%Y-%m-%d}"


def _not_now(subject: Subject) -> Iterator[str]:
    certificate, now = subject.certificate, subject.now
    if now is None:
        return
    if now > certificate.not_after:
        yield f"it expired on {certificate.not_after:%Y-%m-%d %H:%M:%SZ}"
    elif now < certificate.not_before:
        yield f"it is not valid before {certificate.not_before:%Y-%m-%d %H:%M:%SZ}"


def _soon(subject: Subject) -> Iterator[str]:
    certificate, now = subject.certificate, subject.now
    if now is not None and certificate.not_before <= now <= certificate.not_after < now + datetime.timedelta(30):
        yield f"it ends on {certificate.not_after:%Y-%m-%d}"


def _critical(subject: Subject) -> Iterator[str]:
    for extension in subject.extensions:
        value = extension.value
        must = isinstance(value, _MUST_BE_CRITICAL) or (
            isinstance(value, x509.BasicConstraints) and not subject.is_leaf
        )
        if must and not extension.critical:
            yield f"{named(value)} is not critical"
        if isinstance(value, _MUST_NOT_BE_CRITICAL) and extension.critical:
            yield f"{named(value)} is critical"


def _should_be_critical(subject: Subject) -> Iterator[str]:
    for extension in subject.extensions:
        value = extension.value
        if isinstance(value, x509.KeyUsage) and not extension.critical:
            yield "keyUsage is not critical"
        if isinstance(value, _SHOULD_NOT_BE_CRITICAL) and extension.critical:
            yield f"{named(value)} is critical"


def _unknown_critical(subject: Subject) -> Iterator[str]:
    for extension in subject.extensions:
        if extension.critical and isinstance(extension.value, x509.UnrecognizedExtension):
            yield f"extension {extension.oid.dotted_string} is critical and not one of RFC 5280"


def _no_key_usage(subject: Subject) -> Iterator[str]:
    usage = subject.key_usage
    if usage is not None and usage == _NOTHING:
        yield "keyUsage with no bit set"


_NOTHING: Final = x509.KeyUsage(
    digital_signature=False,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def _authority_signs(subject: Subject) -> Iterator[str]:
    if subject.is_leaf:
        return
    usage = subject.key_usage
    if usage is None:
        yield "an authority without keyUsage"
    elif not usage.key_cert_sign:
        yield "an authority whose keyUsage lacks keyCertSign"


def _leaf_signs_certificates(subject: Subject) -> Iterator[str]:
    usage = subject.key_usage
    if subject.is_leaf and usage is not None and usage.key_cert_sign:
        yield "keyCertSign in the keyUsage of what is no authority"


def _leaf_constrains(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and any(isinstance(it.value, x509.NameConstraints) for it in subject.extensions):
        yield "nameConstraints in what is no authority"


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


def _not_fetched(subject: Subject) -> Iterator[str]:
    for where, uris in _locations(subject):
        if uris and not any(uri.startswith(("http://", "ldap://")) for uri in map(str.lower, uris)):
            yield f"{where} is told by {', '.join(sorted({uri.split(':')[0].lower() for uri in uris}))} only"


def _circular(subject: Subject) -> Iterator[str]:
    for where, uris in _locations(subject):
        for uri in uris:
            if uri.lower().startswith(("https:", "ldaps:")):
                yield f"{where} is at {uri.split(':')[0].lower()}:"


def _locations(subject: Subject) -> Iterator[tuple[str, list[str]]]:
    """Where its CRLs, its issuer's certificate and its OCSP responder are said to be: each with its URIs."""
    for extension in subject.extensions:
        value = extension.value
        if isinstance(value, x509.CRLDistributionPoints):
            for point in value:
                yield "a CRL", _uris(point.full_name or [])
        if isinstance(value, x509.AuthorityInformationAccess):
            for method in {access.access_method for access in value}:
                name = "the issuer's certificate" if method == _CA_ISSUERS else "an OCSP responder"
                yield name, _uris([it.access_location for it in value if it.access_method == method])


_CA_ISSUERS = AuthorityInformationAccessOID.CA_ISSUERS


def _uris(found: list[x509.GeneralName]) -> list[str]:
    return [name.value for name in found if isinstance(name, x509.UniformResourceIdentifier)]


CHECKS: Final = (
    Check(
        "PK101",
        Severity.ERROR,
        Platform.RFC,
        "not of version 3",
        "It can say neither who its holder is nor what the key is for: peers may refuse any other version.",
        "Have it issued as version 3; `certpatch` makes it one.",
        "RFC 5280 4.1.2.1, RFC 4945 5.1.1",
        _version,
    ),
    Check(
        "PK102",
        Severity.ERROR,
        Platform.RFC,
        "serial number too long",
        "Software need not cope with more than 20 octets; revocation lists and logs may cut it.",
        "Have it issued with a serial number below 2^159.",
        "RFC 5280 4.1.2.2",
        _serial,
    ),
    Check(
        "PK103",
        Severity.ERROR,
        Platform.RFC,
        "ends before it begins",
        "It is never valid.",
        "Have it issued anew.",
        "RFC 5280 4.1.2.5",
        _backwards,
    ),
    Check(
        "PK104",
        Severity.ERROR,
        Platform.RFC,
        "not valid now",
        "Every peer whose clock is right refuses it.",
        "Renew it; if it is new, look at the clocks.",
        "RFC 5280 6.1.3",
        _not_now,
    ),
    Check(
        "PK105",
        Severity.INFO,
        Platform.RFC,
        "valid for less than 30 days",
        "Nothing yet; from that day on every peer refuses it.",
        "Renew it in time.",
        "RFC 5280 6.1.3",
        _soon,
    ),
    Check(
        "PK106",
        Severity.ERROR,
        Platform.RFC,
        "wrong criticality",
        "Strict validators refuse it; others may pass over what had to bind them.",
        "Have it issued with nameConstraints, policyConstraints, inhibitAnyPolicy and an authority's"
        " basicConstraints critical, and key identifiers, information access and freshestCRL not.",
        "RFC 5280 4.2.1.1, 4.2.1.2, 4.2.1.9 to 4.2.1.11, 4.2.1.14, 4.2.1.15, 4.2.2",
        _critical,
    ),
    Check(
        "PK107",
        Severity.WARNING,
        Platform.RFC,
        "unusual criticality",
        "Software that does not know the extension passes over a keyUsage that is not critical, and refuses the"
        " certificate for the others.",
        "Have it issued with keyUsage critical, cRLDistributionPoints and issuerAltName not.",
        "RFC 5280 4.2.1.3, 4.2.1.7, 4.2.1.13",
        _should_be_critical,
    ),
    Check(
        "PK108",
        Severity.ERROR,
        Platform.RFC,
        "unknown critical extension",
        'Whoever does not know it has to refuse the certificate. strongSwan says "critical extension not supported".',
        "Have it issued without that extension, or with it not critical.",
        "RFC 5280 4.2",
        _unknown_critical,
    ),
    Check(
        "PK109",
        Severity.ERROR,
        Platform.RFC,
        "keyUsage that allows nothing",
        "Its key is good for nothing, so peers refuse it.",
        "Have it issued with digitalSignature.",
        "RFC 5280 4.2.1.3",
        _no_key_usage,
    ),
    Check(
        "PK110",
        Severity.ERROR,
        Platform.RFC,
        "authority that may not sign",
        "What it issues is refused where keyUsage lacks keyCertSign; where there is no keyUsage, by strict"
        " validators.",
        "Have the authority's certificate issued anew, with keyCertSign and cRLSign.",
        "RFC 5280 4.2.1.3, 6.1.4",
        _authority_signs,
    ),
    Check(
        "PK111",
        Severity.ERROR,
        Platform.RFC,
        "keyCertSign without being an authority",
        "Strict validators refuse it. Those that do not look at basicConstraints would take it for an authority.",
        "Have it issued with digitalSignature alone.",
        "RFC 5280 4.2.1.9",
        _leaf_signs_certificates,
    ),
    Check(
        "PK112",
        Severity.ERROR,
        Platform.RFC,
        "nameConstraints without being an authority",
        "They constrain nobody, and strict validators refuse the certificate.",
        "Have it issued without them.",
        "RFC 5280 4.2.1.10",
        _leaf_constrains,
    ),
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
    Check(
        "PK117",
        Severity.WARNING,
        Platform.RFC,
        "told in a place that few can fetch from",
        "Whoever knows neither the scheme nor another way goes without the revocation list or the issuer.",
        "Have it issued with an http URI.",
        "RFC 5280 4.2.1.13, 4.2.2.1",
        _not_fetched,
    ),
    Check(
        "PK118",
        Severity.WARNING,
        Platform.RFC,
        "revocation told by TLS",
        "To fetch it a certificate has to be validated, whose revocation list has to be fetched, and so on.",
        "Have it issued with an http URI: what is there is signed anyway.",
        "RFC 5280 8",
        _circular,
    ),
)
