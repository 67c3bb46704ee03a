# SPDX-License-Identifier: ISC
"""RFC 4945 on what a peer's certificate is for, RFC 7296 on how large a message may be."""

from collections.abc import Iterator
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, mldsa, rsa

from keynote.severity import Severity
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject
from pki.chain_rules import ANY_EXTENDED_KEY_USAGE, IPSEC_IKE

FOR_IKE = frozenset({IPSEC_IKE, ANY_EXTENDED_KEY_USAGE})
_DEPRECATED = {
    "1.3.6.1.5.5.7.3.5": "ipsecEndSystem",
    "1.3.6.1.5.5.7.3.6": "ipsecTunnel",
    "1.3.6.1.5.5.7.3.7": "ipsecUser",
}
_ONE_DATAGRAM = 1500 - 20 - 8 - 4  # IPv4 and UDP headers, non-ESP marker
_EVERYBODY_TAKES = 3000  # RFC 7296 2
# Header of the message, of the payloads ID (and its own), CERT (and encoding), SIG or AUTH; padding and ICV.
_AROUND = 28 + 8 + 5 + 8 + 32
_EDWARDS_SIGNATURE = 64
_MLDSA_SIGNATURES = {  # FIPS 204 4, table 2
    mldsa.MLDSA44PublicKey: 2420,
    mldsa.MLDSA65PublicKey: 3309,
    mldsa.MLDSA87PublicKey: 4627,
}


def _may_not_sign(subject: Subject) -> Iterator[str]:
    usage = subject.key_usage
    if subject.is_leaf and usage is not None and not (usage.digital_signature or usage.content_commitment):
        yield "its keyUsage lacks digitalSignature and nonRepudiation"


def _other_uses(subject: Subject) -> Iterator[str]:
    usages = subject.usages
    if subject.is_leaf and usages is not None and FOR_IKE.isdisjoint(usages):
        yield f"it is for other uses than IKE: {', '.join(sorted(usage.dotted_string for usage in usages))}"


def _deprecated_uses(subject: Subject) -> Iterator[str]:
    for usage in subject.usages or ():
        if usage.dotted_string in _DEPRECATED:
            yield f"extended key usage {_DEPRECATED[usage.dotted_string]}"


def message_size(subject: Subject) -> int:
    """Octets of the smallest message that brings this certificate: main mode's fifth or sixth, or IKE_AUTH."""
    match subject.certificate.public_key:
        case rsa.RSAPublicKey() as key:
            signature = key.key_size // 8
        case ec.EllipticCurvePublicKey() as curve:
            signature = 2 * ((curve.key_size + 7) // 8)
        case other:
            sizes = (size for kind, size in _MLDSA_SIGNATURES.items() if isinstance(other, kind))
            signature = next(sizes, _EDWARDS_SIGNATURE)
    names = subject.certificate.names
    identity = len(names[0].value) if names else len(subject.certificate.subject_der)
    return _AROUND + identity + len(subject.certificate.der) + signature


def _in_fragments(subject: Subject) -> Iterator[str]:
    size = message_size(subject)
    if subject.is_leaf and _ONE_DATAGRAM < size <= _EVERYBODY_TAKES:
        yield f"a message with it has {size} octets or more, and one datagram {_ONE_DATAGRAM}"


def _too_large(subject: Subject) -> Iterator[str]:
    size = message_size(subject)
    if subject.is_leaf and size > _EVERYBODY_TAKES:
        yield f"a message with it has {size} octets or more, and peers should take {_EVERYBODY_TAKES}"


def _constrains_unknown(subject: Subject) -> Iterator[str]:
    authority = subject.authority
    for extension in authority.certificate.extensions if authority is not None else ():
        if isinstance(extension.value, x509.NameConstraints):
            for subtree in (*(extension.value.permitted_subtrees or ()), *(extension.value.excluded_subtrees or ())):
                if not isinstance(subtree, _COMPARED):
                    yield f"name constraints on {type(subtree).__name__}"


_COMPARED = (x509.DNSName, x509.RFC822Name, x509.IPAddress, x509.DirectoryName)

CHECKS: Final = (
    Check(
        "PK301",
        Severity.ERROR,
        Platform.RFC,
        "key that may not sign",
        "Peers refuse it: in IKE a peer proves itself by a signature.",
        "Have it issued with digitalSignature.",
        "RFC 4945 5.1.3.2",
        _may_not_sign,
    ),
    Check(
        "PK302",
        Severity.ERROR,
        Platform.RFC,
        "not for IKE",
        "Implementations that look at extended key usages have to refuse it, where there are any and neither"
        " ipsecIKE nor anyExtendedKeyUsage is one of them.",
        "Have it issued with ipsecIKE (1.3.6.1.5.5.7.3.17) among them, or without extended key usages.",
        "RFC 4945 5.1.3.12",
        _other_uses,
    ),
    Check(
        "PK303",
        Severity.WARNING,
        Platform.RFC,
        "deprecated extended key usage",
        "These three never had a clear meaning; nobody has to honour them.",
        "Have it issued with ipsecIKE (1.3.6.1.5.5.7.3.17) in their place.",
        "RFC 4945 5.1.3.12",
        _deprecated_uses,
    ),
    Check(
        "PK304",
        Severity.INFO,
        Platform.RFC,
        "does not fit into one datagram",
        "The message goes in fragments of IP, which firewalls and NATs may drop: the handshake then stalls at"
        " main mode's fifth message or at IKE_AUTH. Not so where both sides know fragments of IKE.",
        "Take a shorter key, fewer names, or an elliptic curve; else switch on fragmentation of IKE on both sides.",
        "RFC 7383 1",
        _in_fragments,
    ),
    Check(
        "PK305",
        Severity.WARNING,
        Platform.RFC,
        "larger than messages that peers have to take",
        "Implementations should take messages of 3000 octets, and need not take larger ones.",
        "Take a shorter key, fewer names, or an elliptic curve.",
        "RFC 7296 2",
        _too_large,
    ),
    Check(
        "PK306",
        Severity.WARNING,
        Platform.RFC,
        "name constraints that are seldom known",
        "Validators need not know constraints on other names than host names, mail addresses, IP addresses and"
        " directory names, and have to refuse certificates with names that they cannot compare.",
        "Constrain the authority by host names, mail addresses or IP addresses.",
        "RFC 5280 4.2.1.10",
        _constrains_unknown,
    ),
)
