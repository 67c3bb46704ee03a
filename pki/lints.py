# SPDX-License-Identifier: ISC
"""Rules for a certificate that we are about to sign, run on a rehearsal of it (the same bytes, signed with a key that
is thrown away): nothing that breaks one is ever signed.

A lint yields a sentence for each thing wrong. What a validator checks is asked of the validator's own rules; what the
library refuses to build (serial numbers beyond RFC 5280 4.1.2.2, an end before the beginning) is not looked at again.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography import x509

from pki import chain_rules
from pki.chain_certificates import ChainError, ReadCertificate
from pki.errors import LintFailed
from pki.names import Identity
from pki.profiles import Profile


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
        raise LintFailed(f"certificate `{rehearsal.certificate.subject}` is not issued: {'; '.join(found)}")


def validators_rules(rehearsal: Rehearsal) -> Iterator[str]:
    """What `chain.validate` would ask of it (RFC 4945, RFC 5280)."""
    certificate = rehearsal.certificate
    try:
        if rehearsal.profile.is_authority:
            chain_rules.check_authority(certificate)
        else:
            chain_rules.check_leaf(certificate, certificate.not_before, chain_rules.IKE_USAGES)
    except ChainError as error:
        yield str(error)


def validity(rehearsal: Rehearsal) -> Iterator[str]:
    """Its issuer is there from its first day to its last."""
    certificate, issuer = rehearsal.certificate, rehearsal.issuer
    if issuer is not None and certificate.not_after > issuer.not_after:
        yield f"it would outlive its authority, which ends on {issuer.not_after:%Y-%m-%d}"
    if issuer is not None and certificate.not_before < issuer.not_before:
        yield f"it would begin before its authority, which begins on {issuer.not_before:%Y-%m-%d}"


def issuer_name(rehearsal: Rehearsal) -> Iterator[str]:
    """RFC 5280 4.1.2.4: byte for byte the subject of the authority; and not its own."""
    issuer = rehearsal.issuer or rehearsal.certificate
    if rehearsal.certificate.issuer_der != issuer.subject_der:
        yield f"its issuer `{rehearsal.certificate.issuer}` is not the authority's subject `{issuer.subject}`"
    if rehearsal.issuer is not None and rehearsal.certificate.folded_subject == rehearsal.issuer.folded_subject:
        yield "it bears the subject of its authority"


def key_identifiers(rehearsal: Rehearsal) -> Iterator[str]:
    """RFC 5280 4.2.1.1 and 4.2.1.2: there, and fitting together."""
    own = chain_rules.extension(rehearsal.certificate, x509.SubjectKeyIdentifier)
    if own is None or own != x509.SubjectKeyIdentifier.from_public_key(rehearsal.certificate.public_key):
        yield "its subjectKeyIdentifier is missing or not its key's"
    if rehearsal.issuer is None:
        return
    authority = chain_rules.extension(rehearsal.certificate, x509.AuthorityKeyIdentifier)
    wanted = chain_rules.extension(rehearsal.issuer, x509.SubjectKeyIdentifier)
    if authority is None or wanted is None or authority.key_identifier != wanted.digest:
        yield "its authorityKeyIdentifier is missing or not its authority's"


def identities(rehearsal: Rehearsal) -> Iterator[str]:
    """RFC 4945 5.1.3.6: each subjectAltName an identity, those asked for, none twice, the first of a kind that the
    profile is known by."""
    if rehearsal.profile.is_authority:
        return
    if not rehearsal.identities:
        yield "it has no subjectAltName, so peers could not tell who it is"
        return
    if rehearsal.certificate.names != rehearsal.identities:
        yield "its subjectAltNames are not the identities that were asked for"
    for identity in rehearsal.identities:
        if identity.kind in ("FQDN", "USER_FQDN") and "_" in identity.value.rpartition("@")[2]:
            yield f"`{identity.value}` has a `_`, which no host name has (RFC 5280 4.2.1.6)"
    if len(set(rehearsal.identities)) != len(rehearsal.identities):
        yield "it names an identity twice"
    if rehearsal.identities[0].kind not in rehearsal.profile.identities:
        yield f"a {rehearsal.profile.name} is not known by a name like `{rehearsal.identities[0].value}`"


def profile(rehearsal: Rehearsal) -> Iterator[str]:
    """Key usages, basic constraints and criticality as the profile and RFC 5280 4.2.1 say."""
    wanted = rehearsal.profile
    for extension in rehearsal.certificate.certificate.extensions:
        must_be_critical = isinstance(extension.value, x509.KeyUsage | x509.BasicConstraints)
        if extension.critical is not must_be_critical:
            yield f"extension {extension.oid.dotted_string} is{'' if extension.critical else ' not'} critical"
    usages = chain_rules.extension(rehearsal.certificate, x509.ExtendedKeyUsage)
    if tuple(usages or ()) != wanted.extended_key_usages:
        yield f"its extended key usages are not those of profile {wanted.name}"
    constraints = chain_rules.extension(rehearsal.certificate, x509.BasicConstraints)
    if constraints is None or (constraints.ca, constraints.path_length) != (wanted.is_authority, wanted.path_length):
        yield f"its basic constraints are not those of profile {wanted.name}"


LINTS: tuple[Lint, ...] = (validators_rules, validity, issuer_name, key_identifiers, identities, profile)
