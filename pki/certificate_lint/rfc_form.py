# SPDX-License-Identifier: ISC
"""RFC 5280 on the form of a certificate: version, serial number, validity, extensions and their criticality."""

import datetime
from collections.abc import Iterator
from typing import Final

from cryptography import x509

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
        "Software need not cope with more than 20 octets.",
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
)
