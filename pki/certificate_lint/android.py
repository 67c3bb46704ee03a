# SPDX-License-Identifier: ISC
"""Android: its own IKEv2 client (from Android 11 on), and the strongSwan app.

From the source of the Android Open Source Project, module IPsec, classes IkeIdentification, IkeFqdnIdentification,
IkeCertPayload and IkeAuthDigitalSignPayload; from that of strongSwan 6.0, android_service.c and auth_cfg.c; and
strongSwan's documentation, page "Windows Certificate Requirements".
"""

from collections.abc import Iterator
from typing import Final

from cryptography import x509

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Role, Subject
from pki.errors import shown


def _no_name(subject: Subject) -> Iterator[str]:
    if subject.role is Role.GATEWAY and not subject.certificate.names:
        yield "no identity among its subjectAltNames"


def _no_rsa(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and not subject.is_rsa:
        yield f"its key is {subject.key}"


def _capitals(subject: Subject) -> Iterator[str]:
    for text in subject.names_of(x509.DNSName) if subject.role is Role.GATEWAY else ():
        if text != text.lower():
            yield f"dNSName `{shown(text)}` has capital letters"


CHECKS: Final = (
    Check(
        "PK801",
        Severity.ERROR,
        Platform.ANDROID,
        "gateway without a name that can be dialled",
        'Android\'s client: "End certificate does not contain SAN", or "SAN and FQDN ID mismatched". The'
        ' strongSwan app: "constraint check failed: identity … required", unless the whole subject is set as'
        " server identity.",
        "Have it issued with the host name that clients dial as dNSName.",
        "AOSP, IkeIdentification; strongSwan, auth_cfg.c; trailofbits/algo#556",
        _no_name,
    ),
    Check(
        "PK802",
        Severity.WARNING,
        Platform.ANDROID,
        "key that is not RSA",
        "Android's client knew RSA signatures only, and its settings offer no other (IKEv2/IPSec RSA):"
        " authentication fails. The strongSwan app knows ECDSA too.",
        "Make an RSA key of 2048 bits or more, or have people use the strongSwan app.",
        "AOSP, IkeAuthDigitalSignPayload",
        _no_rsa,
    ),
    Check(
        "PK803",
        Severity.WARNING,
        Platform.ANDROID,
        "capital letters in a host name",
        "Android's client compares the gateway's identity with dNSNames letter by letter: \"End certificate SAN"
        ' and FQDN ID mismatched", unless the gateway sends it with the same capitals.',
        "Have it issued in lower case.",
        "AOSP, IkeFqdnIdentification",
        _capitals,
    ),
)
