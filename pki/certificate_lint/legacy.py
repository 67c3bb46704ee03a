# SPDX-License-Identifier: ISC
"""racoon and isakmpd, which are not maintained any more.

racoon: from ipsec-tools' oakley.c (oakley_check_certid) and crypto_openssl.c. isakmpd: as its last version behaved
when it was run; isakmpd.conf(5).
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from cryptography import x509

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject

_IDENTITIES = (x509.DNSName, x509.RFC822Name, x509.IPAddress)
_RACOON_READS = (*_IDENTITIES, x509.UniformResourceIdentifier)


def _no_rsa(subject: Subject) -> Iterator[str]:
    if not subject.is_rsa:
        yield f"its key is {subject.key}"


def _no_alternatives(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and not subject.alternatives:
        yield "it has no subjectAltName"


def _second_of_a_kind(subject: Subject) -> Iterator[str]:
    kinds = Counter(type(name) for name in subject.alternatives if isinstance(name, _IDENTITIES))
    for kind, count in kinds.items():
        if subject.is_leaf and count > 1:
            yield f"{count} subjectAltNames of the kind {kind.__name__}"


def _unread(subject: Subject) -> Iterator[str]:
    for position, name in enumerate(subject.alternatives if subject.is_leaf else ()):
        followed = any(isinstance(later, _IDENTITIES) for later in subject.alternatives[position:])
        if followed and not isinstance(name, _RACOON_READS):
            yield f"subjectAltName of the kind {type(name).__name__}"


def _second_name(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and len(subject.alternatives) > 1:
        yield f"{len(subject.alternatives)} subjectAltNames"


CHECKS: Final = (
    Check(
        "PK941",
        Severity.ERROR,
        Platform.RACOON,
        "key that is not RSA",
        "racoon takes every key for RSA, and verifies no other signature.",
        "Make an RSA key of 2048 bits or more.",
        "ipsec-tools, crypto_openssl.c",
        _no_rsa,
    ),
    Check(
        "PK942",
        Severity.WARNING,
        Platform.RACOON,
        "no identity but the subject",
        'racoon says "no proper subjectAltName" and discards the certificate, unless the peer\'s identity is its'
        " subject (asn1dn) or `verify_cert` is off.",
        "Have it issued with the identity as subjectAltName, or configure `my_identifier asn1dn`.",
        "ipsec-tools, oakley.c",
        _no_alternatives,
    ),
    Check(
        "PK943",
        Severity.WARNING,
        Platform.RACOON,
        "second name of a kind",
        "racoon compares the peer's identity with the first subjectAltName of its kind only: with the others it"
        ' says "ID mismatched".',
        "Let the peer call itself by the first one, or have it issued with one name of each kind.",
        "ipsec-tools, oakley.c",
        _second_of_a_kind,
    ),
    Check(
        "PK944",
        Severity.WARNING,
        Platform.RACOON,
        "name that racoon cannot read",
        'Where it comes before the name that is looked for, racoon says "failed to get subjectAltName" and'
        " discards the certificate.",
        "Have it issued without it, or with it as the last.",
        "ipsec-tools, crypto_openssl.c",
        _unread,
    ),
    Check(
        "PK961",
        Severity.ERROR,
        Platform.ISAKMPD,
        "key that is not RSA",
        "isakmpd authenticates by RSA signatures (RSA_SIG) only.",
        "Make an RSA key of 2048 bits or more.",
        "isakmpd.conf(5)",
        _no_rsa,
    ),
    Check(
        "PK962",
        Severity.WARNING,
        Platform.ISAKMPD,
        "no identity but the subject",
        'isakmpd says "certificate does not contain subjectAltName" and knows its holder by the subject only.',
        "Have it issued with the identity as subjectAltName.",
        "isakmpd(8), as it was run",
        _no_alternatives,
    ),
    Check(
        "PK963",
        Severity.INFO,
        Platform.ISAKMPD,
        "second name",
        'isakmpd looks at the first subjectAltName only. Of a peer that calls itself by another one it says "no'
        ' CERT subject match the ID", and its own certificate it finds by the first.',
        "Let the peer call itself by the first one.",
        "isakmpd(8), as it was run",
        _second_name,
    ),
)
