# SPDX-License-Identifier: ISC
"""RFC 5280 on a certificate beside that of its authority: names, identifiers, signature, time."""

from collections.abc import Iterator
from typing import Final

from cryptography import x509

from keynote.severity import Severity
from pki import chain_rules
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject
from pki.certificate_signatures import is_signed_by
from pki.chain_certificates import ReadCertificate


def _no_identifier(subject: Subject) -> Iterator[str]:
    certificate = subject.certificate
    if not subject.is_leaf and chain_rules.extension(certificate, x509.SubjectKeyIdentifier) is None:
        yield "an authority without subjectKeyIdentifier"
    if not certificate.self_issued and _authority_identifier(certificate) is None:
        yield "its authorityKeyIdentifier is missing"


def _no_own_identifier(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and chain_rules.extension(subject.certificate, x509.SubjectKeyIdentifier) is None:
        yield "no subjectKeyIdentifier"


def _other_identifier(subject: Subject) -> Iterator[str]:
    if subject.issuer is None:
        return
    found = _authority_identifier(subject.certificate)
    wanted = chain_rules.extension(subject.issuer, x509.SubjectKeyIdentifier)
    if found is not None and wanted is not None and found != wanted.digest:
        yield "its authorityKeyIdentifier is not its authority's"


def _authority_identifier(certificate: ReadCertificate) -> bytes | None:
    found = chain_rules.extension(certificate, x509.AuthorityKeyIdentifier)
    return None if found is None else found.key_identifier


def _other_issuer(subject: Subject) -> Iterator[str]:
    certificate, issuer = subject.certificate, subject.issuer
    if issuer is not None and certificate.issuer_der != issuer.subject_der:
        yield f"its issuer `{certificate.issuer}` is not the authority's subject `{issuer.subject}`"


def _not_signed_by(subject: Subject) -> Iterator[str]:
    issuer = subject.issuer
    if not subject.signed or issuer is None:
        return
    if not is_signed_by(subject.certificate.certificate, issuer.public_key):
        yield f"its signature is not that of the key of `{issuer.subject}`"


def _outlives(subject: Subject) -> Iterator[str]:
    certificate, issuer = subject.certificate, subject.issuer
    if issuer is None:
        return
    if certificate.not_after > issuer.not_after:
        yield f"it would outlive its authority, which ends on {issuer.not_after:%Y-%m-%d}"
    if certificate.not_before < issuer.not_before:
        yield f"it would begin before its authority, which begins on {issuer.not_before:%Y-%m-%d}"


CHECKS: Final = (
    Check(
        "PK401",
        Severity.ERROR,
        Platform.RFC,
        "no key identifier",
        "Where an authority has two certificates, or two authorities one name, validators try the wrong one."
        " OpenSSL with -x509_strict refuses it.",
        "Have it issued with key identifiers.",
        "RFC 5280 4.2.1.1, 4.2.1.2",
        _no_identifier,
    ),
    Check(
        "PK402",
        Severity.INFO,
        Platform.RFC,
        "no subjectKeyIdentifier",
        "Nothing, as a rule; it helps those who look for the certificate of a key.",
        "Have it issued with subjectKeyIdentifier.",
        "RFC 5280 4.2.1.2",
        _no_own_identifier,
    ),
    Check(
        "PK403",
        Severity.ERROR,
        Platform.RFC,
        "key identifier of another authority",
        "Validators that go by it do not find this authority: no chain, or unknown authority.",
        "Give the certificate of the authority that did issue it, or have it issued anew.",
        "RFC 5280 4.2.1.1",
        _other_identifier,
    ),
    Check(
        "PK404",
        Severity.ERROR,
        Platform.RFC,
        "issuer of another name",
        "No chain leads to this authority: names are compared, and by many byte for byte.",
        "Give the certificate of the authority that did issue it, or have it issued anew.",
        "RFC 5280 4.1.2.4, 4.1.2.6, 6.1.3",
        _other_issuer,
    ),
    Check(
        "PK405",
        Severity.ERROR,
        Platform.RFC,
        "not signed by this authority",
        "Every peer refuses it.",
        "Give the certificate of the authority that did issue it.",
        "RFC 5280 6.1.3",
        _not_signed_by,
    ),
    Check(
        "PK406",
        Severity.WARNING,
        Platform.RFC,
        "valid when its authority is not",
        "Outside the authority's time peers refuse it, though it says that it is valid.",
        "Have it issued for a time within that of the authority, or renew the authority.",
        "RFC 5280 6.1.3",
        _outlives,
    ),
)
