# SPDX-License-Identifier: ISC
"""What our own daemon, ike-auth, does with a certificate: the validator is asked itself."""

import re
from collections.abc import Iterator
from typing import Final

from keynote.severity import Severity
from pki import chain_rules
from pki.certificate_lint.findings import Check, Platform
from pki.certificate_lint.subjects import Subject
from pki.chain_certificates import ChainError

# Within the text of a name `/` and `+` stand between attributes only, and a string type only before `=`.
_STRING_TYPE = re.compile(r"[/+][A-Za-z0-9.]+:[a-z0-9]+=")


def _validator(subject: Subject) -> Iterator[str]:
    certificate = subject.certificate
    try:
        if subject.is_leaf:
            chain_rules.check_leaf(certificate, subject.now or certificate.not_before, chain_rules.IKE_USAGES)
        else:
            chain_rules.check_authority(certificate)
            chain_rules.check_usages(certificate, chain_rules.IKE_USAGES)
        if subject.is_leaf and subject.issuer is not None:
            chain_rules.check_constraints(subject.issuer, certificate)
            chain_rules.check_identities(subject.issuer, certificate)
    except ChainError as error:
        yield str(error)


def _authoritys_subject(subject: Subject) -> Iterator[str]:
    issuer = subject.issuer
    if issuer is not None and subject.is_leaf and subject.certificate.folded_subject == issuer.folded_subject:
        yield "it bears the subject of its authority"


def _no_rsa(subject: Subject) -> Iterator[str]:
    if subject.is_leaf and not subject.is_rsa:
        yield f"its key is {subject.key}"


def _marked_strings(subject: Subject) -> Iterator[str]:
    if _STRING_TYPE.search(subject.certificate.subject):
        yield f"policies name it `{subject.certificate.principal}`"


CHECKS: Final = (
    Check(
        "PK501",
        Severity.ERROR,
        Platform.IKE_AUTH,
        "refused by ike-auth",
        "ike-auth refuses every chain with it; the message has its own words.",
        "Have it issued anew without what the message says.",
        "decisions/0204",
        _validator,
    ),
    Check(
        "PK502",
        Severity.ERROR,
        Platform.IKE_AUTH,
        "called like its authority",
        "ike-auth refuses it: a policy trusts authorities by name, and would trust this peer as one. Names that"
        " RFC 5280 7.1 calls the same count as one.",
        "Have it issued with another subject.",
        "decisions/0204",
        _authoritys_subject,
    ),
    Check(
        "PK503",
        Severity.WARNING,
        Platform.IKE_AUTH,
        "key that is not RSA",
        "ike-auth proves and believes identities by RSA signatures (RSA_SIG of IKEv1) only.",
        "Make an RSA key of 2048 bits or more.",
        "RFC 2409 5.1",
        _no_rsa,
    ),
    Check(
        "PK504",
        Severity.INFO,
        Platform.IKE_AUTH,
        "unusual string types in the subject",
        "A policy that has the name as isakmpd or `openssl` print it does not mean this holder.",
        "Copy the principal from the message into the policy, or have it issued with UTF8String, country with"
        " PrintableString.",
        "decisions/0201",
        _marked_strings,
    ),
)
