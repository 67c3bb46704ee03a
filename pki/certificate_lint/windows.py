# SPDX-License-Identifier: ISC
"""The IKEv2 client and RRAS of Windows.

From Microsoft's "Troubleshooting IKEv2 VPN Connections" and [MS-RRASM] 2.2.2.2.35; strongSwan's documentation, page
"Windows Certificate Requirements"; Richard Hicks, "Always On VPN Error 13806" and "Always On VPN Intermittent 13801
Error" (directaccess.richardhicks.com); and the issues named at the checks.
"""

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.rfc_names import looks_like_identity
from pki.certificate_lint.subjects import CLIENT_AUTH, SERVER_AUTH, Role, Subject
from pki.chain_rules import IKE_INTERMEDIATE


def _no_server_auth(subject: Subject) -> Iterator[str]:
    if subject.role is Role.GATEWAY and SERVER_AUTH not in (subject.usages or ()):
        yield "no serverAuth among its extended key usages"


def _no_host(subject: Subject) -> Iterator[str]:
    if (
        subject.role is Role.GATEWAY
        and not subject.names_of(x509.DNSName)
        and not any(looks_like_identity(text) for text in subject.common_names)
    ):
        yield "neither a dNSName nor a common name that is a host name"


def _address_only(subject: Subject) -> Iterator[str]:
    hosts = subject.names_of(x509.DNSName)
    for text in subject.names_of(x509.IPAddress) if subject.role is Role.GATEWAY else ():
        if text not in hosts:
            yield f"address {text} stands in an iPAddress only"


def _no_client_auth(subject: Subject) -> Iterator[str]:
    if subject.role is Role.CLIENT and CLIENT_AUTH not in (subject.usages or ()):
        yield "no clientAuth among its extended key usages"


def _one_of_several(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and IKE_INTERMEDIATE not in (subject.usages or ()):
        yield "no ikeIntermediate among its extended key usages"


def _no_digital_signature(subject: Subject) -> Iterator[str]:
    usage = subject.key_usage
    if subject.is_leaf and usage is not None and not usage.digital_signature:
        yield "its keyUsage lacks digitalSignature"


def _edwards(subject: Subject) -> Iterator[str]:
    if isinstance(subject.certificate.public_key, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
        yield f"its key is {subject.key}"


def _elliptic(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and isinstance(subject.certificate.public_key, ec.EllipticCurvePublicKey):
        yield f"its key is {subject.key}"


CHECKS: Final = (
    Check(
        "PK701",
        Severity.ERROR,
        Platform.WINDOWS,
        "gateway without serverAuth",
        'Windows refuses the gateway: error 13801, "IKE authentication credentials are unacceptable".',
        "Have it issued with serverAuth (1.3.6.1.5.5.7.3.1) beside ipsecIKE.",
        "Microsoft, Troubleshooting IKEv2 VPN Connections; [MS-RRASM] 2.2.2.2.35; strongSwan documentation,"
        " Windows Certificate Requirements",
        _no_server_auth,
    ),
    Check(
        "PK702",
        Severity.ERROR,
        Platform.WINDOWS,
        "gateway without a host name",
        "Windows compares what was dialled with dNSNames and the subject, finds neither, and refuses the gateway:"
        " error 13801.",
        "Have it issued with the host name that clients dial as dNSName.",
        "Microsoft, Troubleshooting IKEv2 VPN Connections; strongSwan documentation, Windows Certificate"
        " Requirements",
        _no_host,
    ),
    Check(
        "PK703",
        Severity.WARNING,
        Platform.WINDOWS,
        "address in an iPAddress only",
        "Whoever dials the address gets error 13801: Windows looks for it among the dNSNames.",
        "Let clients dial a host name that it certifies. An address as dNSName, which would do as well, is nothing"
        " that keynote-pki issues.",
        "strongSwan documentation, Windows Certificate Requirements",
        _address_only,
    ),
    Check(
        "PK704",
        Severity.ERROR,
        Platform.WINDOWS,
        "client without clientAuth",
        'Windows does not take it for a machine certificate: error 13806, "IKE failed to find valid machine'
        ' certificate".',
        "Have it issued with clientAuth (1.3.6.1.5.5.7.3.2) beside ipsecIKE.",
        "Richard Hicks, Always On VPN Error 13806; hwdsl2/setup-ipsec-vpn#106",
        _no_client_auth,
    ),
    Check(
        "PK705",
        Severity.INFO,
        Platform.WINDOWS,
        "may not be the one that is chosen",
        "Where several certificates would do, Windows prefers those with ikeIntermediate. With another one chosen"
        " the connection fails now and then with error 13801.",
        "Have it issued with ikeIntermediate (1.3.6.1.5.5.8.2.2) too, if the machine has more than one certificate.",
        "Richard Hicks, Always On VPN Intermittent 13801 Error",
        _one_of_several,
    ),
    Check(
        "PK706",
        Severity.WARNING,
        Platform.WINDOWS,
        "no digitalSignature",
        "Where a Windows server is the gateway, it does not take the certificate for IKEv2: error 13806."
        " nonRepudiation alone, which RFC 4945 allows, is not enough.",
        "Have it issued with digitalSignature.",
        "Microsoft, Troubleshooting IKEv2 VPN Connections",
        _no_digital_signature,
    ),
    Check(
        "PK707",
        Severity.ERROR,
        Platform.WINDOWS,
        "Ed25519 or Ed448",
        'Windows cannot check certificates with such keys: "Invalid algorithm specified".',
        "Make an RSA key of 2048 bits or more.",
        "rustls/rustls-platform-verifier#195, dotnet/runtime#99388",
        _edwards,
    ),
    Check(
        "PK708",
        Severity.INFO,
        Platform.WINDOWS,
        "elliptic curve",
        "Windows signs by the methods of RFC 4754 (ECDSA with SHA-256 on P-256, and so on), not by digital"
        " signatures of RFC 7427: the other side has to know those.",
        "See that the other side takes them; libreswan has not always.",
        "libreswan/libreswan#659",
        _elliptic,
    ),
)
