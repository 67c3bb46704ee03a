# SPDX-License-Identifier: ISC
"""RFC 5280 and RFC 4945 on names: the subject, and the subjectAltNames that are IKE identities."""

import ipaddress
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from keynote.severity import Severity
from pki import distinguished_names, names
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject
from pki.errors import NameInvalid, shown

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def address(text: str) -> Address | None:
    """The address that a text is, or None."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _no_issuer(subject: Subject) -> Iterator[str]:
    if not subject.certificate.issuer:
        yield "the issuer's name is empty"


def _no_subject(subject: Subject) -> Iterator[str]:
    if subject.certificate.subject:
        return
    if not subject.is_leaf:
        yield "an authority without a subject"
    elif not _has_critical_alternatives(subject):
        yield "no subject, and no critical subjectAltName instead"


def _critical_alternatives(subject: Subject) -> Iterator[str]:
    if subject.certificate.subject and _has_critical_alternatives(subject):
        yield "subjectAltName is critical beside a subject"


def _has_critical_alternatives(subject: Subject) -> bool:
    return any(it.critical and isinstance(it.value, x509.SubjectAlternativeName) for it in subject.extensions)


def _no_identity(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and not subject.alternatives:
        yield "it has no subjectAltName, so peers know it by its whole subject only"
    elif subject.is_leaf and not subject.certificate.names:
        yield "none of its subjectAltNames is an identity in IKE"


def _bad_syntax(subject: Subject) -> Iterator[str]:
    for name in subject.alternatives:
        match name:
            case x509.DNSName(value=text) if not text.startswith("*.") and (why := _no_host(text)):
                yield f"dNSName `{shown(text)}` {why}"
            case x509.RFC822Name(value=text) if why := _no_mailbox(text):
                yield f"rfc822Name `{shown(text)}` {why}"
            case x509.IPAddress(value=ipaddress.IPv4Network() | ipaddress.IPv6Network() as network):
                yield f"iPAddress {network} is a network"


def _no_host(text: str) -> str:
    """What RFC 5280 4.2.1.6 has against a dNSName, or nothing."""
    if "_" in text:
        return "has a `_`, which no host name has"
    try:
        if address(text) is None:
            names.fqdn(text)
    except NameInvalid:
        return "is not a host name"
    return ""


def _no_mailbox(text: str) -> str:
    """What RFC 5280 4.2.1.6 has against an rfc822Name, or nothing."""
    try:
        names.mail(text)
    except NameInvalid:
        return "is not a mail address"
    return "has a `_`, which no host name has" if "_" in text.rpartition("@")[2] else ""


def _wildcard(subject: Subject) -> Iterator[str]:
    for text in subject.names_of(x509.DNSName):
        if text.startswith("*."):
            yield f"dNSName `{shown(text)}` is a wildcard"


def _nobodys_address(subject: Subject) -> Iterator[str]:
    for name in subject.alternatives:
        if isinstance(name, x509.IPAddress) and isinstance(name.value, Address):
            try:
                names.address(str(name.value))
            except NameInvalid as error:
                yield str(error)


def _address_as_host(subject: Subject) -> Iterator[str]:
    addresses = {address(text) for text in subject.names_of(x509.IPAddress)}
    for text in subject.names_of(x509.DNSName):
        found = address(text)
        if found is not None and found not in addresses:
            yield f"dNSName `{shown(text)}` is an address, and no iPAddress says so"


def _no_ike_name(subject: Subject) -> Iterator[str]:
    for name in subject.alternatives:
        if not isinstance(name, x509.DNSName | x509.RFC822Name | x509.IPAddress):
            yield f"subjectAltName of the kind {type(name).__name__}"


def _mail_in_subject(subject: Subject) -> Iterator[str]:
    if not subject.is_leaf:
        return
    mails = {text.lower() for text in subject.names_of(x509.RFC822Name)}
    for text in subject.attributes(NameOID.EMAIL_ADDRESS):
        if text.lower() not in mails:
            yield f"mail address `{shown(text)}` stands in the subject only"


def _common_name_only(subject: Subject) -> Iterator[str]:
    if not subject.is_leaf or not subject.alternatives:
        return
    certified = {str(name.value).lower() for name in subject.alternatives if hasattr(name, "value")}
    for text in subject.common_names:
        if looks_like_identity(text) and text.lower() not in certified:
            yield f"common name `{shown(text)}` is none of the subjectAltNames"


def looks_like_identity(text: str) -> bool:
    """Whether a common name seems to be meant as a host's name, an address or a mail address."""
    try:
        return names.identity(text).kind != "FQDN" or "." in text
    except NameInvalid:
        return False


# DirectoryStrings that RFC 5280 leaves to authorities that had them before (X.690 tags).
_OLD_STRINGS: Final = {0x14: "TeletexString", 0x1C: "UniversalString", 0x1E: "BMPString"}


def _old_string(subject: Subject) -> Iterator[str]:
    for rdn in distinguished_names.decode(subject.certificate.subject_der):
        for attribute in rdn:
            if attribute.tag in _OLD_STRINGS:
                yield f"attribute {attribute.oid} of the subject is a {_OLD_STRINGS[attribute.tag]}"


CHECKS: Final = (
    Check(
        "PK201",
        Severity.ERROR,
        Platform.RFC,
        "no issuer",
        "Nobody can tell whose signature it bears: peers refuse it.",
        "Have it issued by an authority that has a name.",
        "RFC 5280 4.1.2.4",
        _no_issuer,
    ),
    Check(
        "PK202",
        Severity.ERROR,
        Platform.RFC,
        "no subject",
        "An authority without a subject cannot be found as an issuer. A peer without one is refused unless its"
        " subjectAltName is critical.",
        "Have it issued with a subject: policies name its holder by that.",
        "RFC 5280 4.1.2.6, 4.2.1.6",
        _no_subject,
    ),
    Check(
        "PK203",
        Severity.INFO,
        Platform.RFC,
        "critical subjectAltName beside a subject",
        "Software that does not know the extension refuses the certificate. IKE peers know it.",
        "Have it issued with subjectAltName not critical.",
        "RFC 5280 4.2.1.6",
        _critical_alternatives,
    ),
    Check(
        "PK204",
        Severity.WARNING,
        Platform.RFC,
        "no identity but the subject",
        "A peer that calls itself by a host name, a mail address or an IP address is refused: these have to be"
        " certified by a subjectAltName. Only ID_DER_ASN1_DN is left.",
        "Have it issued with the identity as subjectAltName, or configure the whole subject as identity on both"
        " sides.",
        "RFC 4945 3.1, 5.1.3.6",
        _no_identity,
    ),
    Check(
        "PK205",
        Severity.ERROR,
        Platform.RFC,
        "subjectAltName of bad syntax",
        "Peers pass over the name, or refuse the certificate.",
        "Write host names with letters, digits and hyphens, mail addresses as `alice@example.org`, addresses alone.",
        "RFC 5280 4.2.1.6",
        _bad_syntax,
    ),
    Check(
        "PK206",
        Severity.WARNING,
        Platform.RFC,
        "wildcard",
        "RFC 5280 gives it no meaning, and an identity in IKE is compared whole: it certifies nobody.",
        "Have it issued with each name.",
        "RFC 5280 4.2.1.6, RFC 4945 3.1.2",
        _wildcard,
    ),
    Check(
        "PK207",
        Severity.WARNING,
        Platform.RFC,
        "address of nobody",
        "No peer has it, so it certifies nobody.",
        "Have it issued with the peer's own address.",
        "RFC 4945 3.1.1",
        _nobodys_address,
    ),
    Check(
        "PK208",
        Severity.WARNING,
        Platform.RFC,
        "address as a host name",
        "It does not certify ID_IPV4_ADDR or ID_IPV6_ADDR: a peer that calls itself by this address is refused."
        " (Windows wants it like this, beside the other: PK703.)",
        "Have it issued with an iPAddress as well.",
        "RFC 4945 3.1.1, 5.1.3.6",
        _address_as_host,
    ),
    Check(
        "PK209",
        Severity.INFO,
        Platform.RFC,
        "name that is no identity in IKE",
        "Peers need only know host names, mail addresses and IP addresses, and pass over others.",
        "Nothing has to be done, unless the peer is to be known by it.",
        "RFC 4945 5.1.3.6",
        _no_ike_name,
    ),
    Check(
        "PK210",
        Severity.WARNING,
        Platform.RFC,
        "mail address in the subject only",
        "It does not certify ID_USER_FQDN.",
        "Have it issued with the address as subjectAltName.",
        "RFC 5280 4.1.2.6, RFC 4945 3.1.3",
        _mail_in_subject,
    ),
    Check(
        "PK211",
        Severity.WARNING,
        Platform.RFC,
        "common name that nothing certifies",
        "Identities are compared with subjectAltNames. Whoever types the common name into a client is refused.",
        "Have it issued with that name as subjectAltName, or tell everybody the other one.",
        "RFC 4945 3.1, 5.1.3.6",
        _common_name_only,
    ),
    Check(
        "PK212",
        Severity.WARNING,
        Platform.RFC,
        "old kind of string",
        "Software differs in how it reads and compares these, and then in who the holder is.",
        "Have it issued with UTF8String or PrintableString.",
        "RFC 5280 4.1.2.4, 4.1.2.6",
        _old_string,
    ),
)
