# SPDX-License-Identifier: ISC
"""Rules for a certificate that we are about to sign, run on a rehearsal of it (the same bytes, signed with a key that
is thrown away): nothing that breaks one is ever signed.

What any certificate has to be is asked of `certificate_lint`, for the RFCs and our own daemon. Here stands what this
one ought to be: its profile, and what was asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from cryptography import x509

from keynote.severity import Severity
from pki import certificate_lint, chain_rules, names
from pki.certificate_lint import Role
from pki.chain_certificates import ReadCertificate
from pki.errors import LintFailed
from pki.names import Identity
from pki.profiles import Profile

# Beside all errors: what may be in others' certificates for a reason, but never in ours.
_NEVER_OURS: Final = frozenset(
    {
        "PK204",  # no identity but the subject
        "PK206",  # wildcard
        "PK207",  # address of nobody
        "PK406",  # valid when its authority is not
    }
)


_BY_SUBJECT: Final = (
    "name a host, mail or IP address first, and the distinguished name as its --subject: its holder may call itself "
    "ID_DER_ASN1_DN by that"
)

CRITICAL: Final = (x509.KeyUsage, x509.BasicConstraints, x509.NameConstraints)  # RFC 5280 4.2.1.3, .9, .10


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """A certificate as it would be, and what it ought to be. `issuer` is None for a self-signed authority."""

    certificate: ReadCertificate
    profile: Profile
    identities: tuple[Identity, ...]
    issuer: ReadCertificate | None


Lint = Callable[[Rehearsal], Iterator[str]]


def check(rehearsal: Rehearsal) -> None:
    """Run every lint. Raises LintFailed, which has all that is wrong."""
    found = [finding for lint in LINTS for finding in lint(rehearsal)]
    if found:
        identities = rehearsal.identities
        raise LintFailed(
            f"certificate `{rehearsal.certificate.subject}` is not issued: {'; '.join(found)}",
            _BY_SUBJECT if identities and identities[0].kind == "DER_ASN1_DN" else "",
        )


def everybodys_rules(rehearsal: Rehearsal) -> Iterator[str]:
    """What any certificate has to be by the RFCs and for our own daemon."""
    role = Role.AUTHORITY if rehearsal.profile.is_authority else Role.GATEWAY
    for finding in certificate_lint.lint(
        rehearsal.certificate,
        rehearsal.issuer or rehearsal.certificate,
        role=role,
        platforms=certificate_lint.EVERYWHERE,
        signed=False,
    ):
        if finding.severity is Severity.ERROR or finding.code in _NEVER_OURS:
            yield f"{finding.message} [{finding.code}]"


def key_identifier(rehearsal: Rehearsal) -> Iterator[str]:
    """RFC 5280 4.2.1.2: there, and made of the key by the usual method."""
    own = chain_rules.extension(rehearsal.certificate, x509.SubjectKeyIdentifier)
    if own is None or own != x509.SubjectKeyIdentifier.from_public_key(rehearsal.certificate.public_key):
        yield "its subjectKeyIdentifier is missing or not its key's"


def identities(rehearsal: Rehearsal) -> Iterator[str]:
    """RFC 4945 5.1.3.6: each subjectAltName an identity, those asked for, none twice, the first of a kind that the
    profile is known by."""
    if rehearsal.profile.is_authority:
        return
    if not rehearsal.identities:
        yield "it has no subjectAltName, so peers could not tell who it is"
        return
    named = chain_rules.extension(rehearsal.certificate, x509.SubjectAlternativeName)
    if list(named or ()) != [names.general_name(identity) for identity in rehearsal.identities]:
        yield "its subjectAltNames are not the identities that were asked for"
    if len(set(rehearsal.identities)) != len(rehearsal.identities):
        yield "it names an identity twice"
    if rehearsal.identities[0].kind not in rehearsal.profile.identities:
        yield f"a {rehearsal.profile.name} is not known by a name like `{rehearsal.identities[0].value}`"


def profile(rehearsal: Rehearsal) -> Iterator[str]:
    """Key usages, basic constraints and criticality as the profile and RFC 5280 4.2.1 say."""
    wanted = rehearsal.profile
    for extension in rehearsal.certificate.certificate.extensions:
        must_be_critical = isinstance(extension.value, CRITICAL)
        if extension.critical is not must_be_critical:
            yield f"extension {extension.oid.dotted_string} is{'' if extension.critical else ' not'} critical"
    usages = chain_rules.extension(rehearsal.certificate, x509.ExtendedKeyUsage)
    if tuple(usages or ()) != wanted.extended_key_usages:
        yield f"its extended key usages are not those of profile {wanted.name}"
    constraints = chain_rules.extension(rehearsal.certificate, x509.BasicConstraints)
    if constraints is None or (constraints.ca, constraints.path_length) != (wanted.is_authority, wanted.path_length):
        yield f"its basic constraints are not those of profile {wanted.name}"


LINTS: tuple[Lint, ...] = (everybodys_rules, key_identifier, identities, profile)
