# SPDX-License-Identifier: ISC
"""RFC 5280 on where a certificate says that revocation lists, OCSP responders and its issuer are."""

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject


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
