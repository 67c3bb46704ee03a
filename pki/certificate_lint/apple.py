# SPDX-License-Identifier: ISC
"""The IKEv2 client of iOS and macOS.

From strongSwan's documentation, page "iOS and macOS" and its older wiki page "iOS (Apple iPhone, iPad...) and macOS";
from Apple's pages "Requirements for trusted certificates in iOS 13 and macOS 10.15" (103769), "About upcoming limits
on trusted certificates" (102028) and NEVPNIKEv2CertificateType; from the issues named at the checks. Apple writes of
TLS servers. That the IKEv2 client asks for a subjectAltName and serverAuth as well is known from strongSwan's pages;
of the other rules it is not, so these are warnings or less.
"""

import datetime
import ipaddress
from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from keynote.severity import Severity
from pki import chain_rules
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.rfc_keys import digest
from pki.certificate_lint.subjects import SERVER_AUTH, Role, Subject

_RULES_BEGIN = datetime.datetime(2019, 7, 1, tzinfo=datetime.UTC)
_LONGEST = datetime.timedelta(825)
_ALL_OF_IPV6 = ipaddress.IPv6Network("::/0")
_CURVES = ("secp256r1", "secp384r1", "secp521r1")


def _no_server_auth(subject: Subject) -> Iterator[str]:
    if subject.role is Role.GATEWAY and SERVER_AUTH not in (subject.usages or ()):
        yield "no serverAuth among its extended key usages"


def _no_name(subject: Subject) -> Iterator[str]:
    if subject.role is Role.GATEWAY and not subject.names_of(x509.DNSName) and not subject.names_of(x509.IPAddress):
        yield "no dNSName or iPAddress among its subjectAltNames"


def _long(subject: Subject) -> Iterator[str]:
    certificate = subject.certificate
    lifetime = certificate.not_after - certificate.not_before
    if subject.role is Role.GATEWAY and certificate.not_before >= _RULES_BEGIN and lifetime > _LONGEST:
        yield f"valid for {lifetime.days} days"


def _weak(subject: Subject) -> Iterator[str]:
    key = subject.certificate.public_key
    if subject.role is Role.CLIENT:
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < 2048:
        yield f"RSA key of {key.key_size} bits"
    if subject.signed and digest(subject) in (hashes.SHA1.name, hashes.MD5.name):
        yield f"signed with {digest(subject).upper()}"


def _elliptic_gateway(subject: Subject) -> Iterator[str]:
    if subject.role is Role.GATEWAY and isinstance(subject.certificate.public_key, ec.EllipticCurvePublicKey):
        yield f"its key is {subject.key}"


def _certificate_type(subject: Subject) -> Iterator[str]:
    if subject.role is Role.CLIENT and not subject.is_rsa and _is_known(subject):
        yield f"its key is {subject.key}"


def _unknown_key(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and not _is_known(subject):
        yield f"its key is {subject.key}"


def _is_known(subject: Subject) -> bool:
    match subject.certificate.public_key:
        case rsa.RSAPublicKey() | ed25519.Ed25519PublicKey():
            return True
        case ec.EllipticCurvePublicKey() as key:
            return key.curve.name in _CURVES
    return False


def _address_only(subject: Subject) -> Iterator[str]:
    hosts = subject.names_of(x509.DNSName)
    for text in subject.names_of(x509.IPAddress) if subject.role is Role.GATEWAY else ():
        if text not in hosts:
            yield f"address {text} stands in an iPAddress only"


def _everything_excluded(subject: Subject) -> Iterator[str]:
    authority = subject.authority
    constraints = None if authority is None else chain_rules.extension(authority, x509.NameConstraints)
    for subtree in (constraints.excluded_subtrees or ()) if constraints is not None else ():
        if isinstance(subtree, x509.IPAddress) and subtree.value == _ALL_OF_IPV6:
            yield f"name constraints exclude {subtree.value}"


CHECKS: Final = (
    Check(
        "PK601",
        Severity.ERROR,
        Platform.IOS,
        "gateway without serverAuth",
        "iOS and macOS do not accept the gateway: the connection ends at IKE_AUTH.",
        "Have it issued with serverAuth (1.3.6.1.5.5.7.3.1) beside ipsecIKE.",
        "strongSwan documentation, iOS and macOS; Apple 103769",
        _no_server_auth,
    ),
    Check(
        "PK602",
        Severity.ERROR,
        Platform.IOS,
        "gateway without a name that can be dialled",
        "Since iOS 13 and macOS 10.15 the remote identifier has to be a subjectAltName; the common name does not"
        " count.",
        "Have it issued with the host name that clients dial as dNSName.",
        "strongSwan documentation, iOS and macOS; Apple 103769",
        _no_name,
    ),
    Check(
        "PK603",
        Severity.INFO,
        Platform.IOS,
        "valid for more than 825 days",
        "Apple refuses such certificates of TLS servers, whoever issued them, if they begin in July 2019 or"
        " later; so EAP-TLS may fail. The IKEv2 client is not known to look. The limit of 398 days is for"
        " authorities that come with the system only, not for those that users or administrators add.",
        "Issue for 825 days or less where EAP-TLS is used.",
        "Apple 103769, 102028",
        _long,
    ),
    Check(
        "PK604",
        Severity.WARNING,
        Platform.IOS,
        "too weak for Apple",
        "Since iOS 13 and macOS 10.15 RSA below 2048 bits and SHA-1 are not trusted for TLS servers, with EAP-TLS"
        " in any case.",
        "Make an RSA key of 2048 bits or more, and have it signed with SHA-256.",
        "Apple 103769",
        _weak,
    ),
    Check(
        "PK605",
        Severity.WARNING,
        Platform.IOS,
        "gateway with an elliptic curve",
        "iOS and macOS had trouble with gateways that authenticate by ECDSA.",
        "Give the gateway an RSA key, or test with the versions that are in use.",
        "jawj/IKEv2-setup#159 (January 2024), lionheart/openradar-mirror#16611",
        _elliptic_gateway,
    ),
    Check(
        "PK606",
        Severity.INFO,
        Platform.IOS,
        "client key that the profile has to name",
        "The client takes it for RSA, unless its profile says otherwise.",
        "Set CertificateType in the profile: ECDSA256, ECDSA384, ECDSA521, or Ed25519 (from iOS 13 and macOS"
        " 10.15 on).",
        "Apple, NEVPNProtocolIKEv2.certificateType",
        _certificate_type,
    ),
    Check(
        "PK607",
        Severity.ERROR,
        Platform.IOS,
        "kind of key that the client does not know",
        "There is no certificate type for it: RSA, P-256, P-384, P-521 and Ed25519 are all.",
        "Make an RSA key of 2048 bits or more.",
        "Apple, NEVPNIKEv2CertificateType",
        _unknown_key,
    ),
    Check(
        "PK608",
        Severity.INFO,
        Platform.IOS,
        "address in an iPAddress only",
        "Some versions of iOS and macOS compare an address that is dialled with dNSNames: EAP-TLS fails with"
        " error 1001 (-9807).",
        "Let clients dial a host name that it certifies. An address as dNSName, which would do as well, is nothing"
        " that keynote-pki issues.",
        "strongSwan documentation, Windows Certificate Requirements",
        _address_only,
    ),
    Check(
        "PK609",
        Severity.WARNING,
        Platform.IOS,
        "authority that excludes IPv6 addresses",
        "macOS refused the chains of an authority whose name constraints exclude all of IPv6.",
        "Leave IPv6 out of the name constraints, or test with the versions that are in use.",
        "trailofbits/algo#14809",
        _everything_excluded,
    ),
)
