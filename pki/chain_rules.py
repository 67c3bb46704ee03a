# SPDX-License-Identifier: ISC
"""The rules of RFC 4945 and RFC 5280 that stand beside the validation library's own, one function each.

Each raises ChainError. What the library checks as well (validity, algorithms) is here because its own words for it do
not say which certificate failed and what to do.
"""

import datetime
from enum import StrEnum

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID

from pki import distinguished_names
from pki.chain_certificates import ChainError, ReadCertificate, Reason
from pki.chain_certificates import extension as extension
from pki.chain_constraints import check_constraints as check_constraints
from pki.chain_constraints import check_identities as check_identities

IPSEC_IKE = x509.ObjectIdentifier("1.3.6.1.5.5.7.3.17")
IKE_INTERMEDIATE = x509.ObjectIdentifier("1.3.6.1.5.5.8.2.2")
ANY_EXTENDED_KEY_USAGE = x509.ObjectIdentifier("2.5.29.37.0")
# RFC 4945 5.1.3.12, and what Apple's and older clients' authorities wrote before it.
IKE_USAGES = frozenset({IPSEC_IKE, ANY_EXTENDED_KEY_USAGE, IKE_INTERMEDIATE})


class Role(StrEnum):
    """What the peer is to us, where its certificate may also be one that was made for TLS."""

    GATEWAY = "gateway"  # somebody whom clients call
    CLIENT = "client"


USAGES = {
    None: IKE_USAGES,
    Role.GATEWAY: IKE_USAGES | {ExtendedKeyUsageOID.SERVER_AUTH},
    Role.CLIENT: IKE_USAGES | {ExtendedKeyUsageOID.CLIENT_AUTH},
}

MIN_RSA_BITS, MAX_RSA_BITS = 2048, 8192  # above: each verification costs whoever is asked more than it costs to ask
MAX_EXPONENT_BITS = 64  # likewise
MIN_EC_BITS = 256
HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512)
# What is understood here or by the library, or says nothing about who may do what.
_CRITICAL = frozenset(
    {
        ExtensionOID.BASIC_CONSTRAINTS,
        ExtensionOID.KEY_USAGE,
        ExtensionOID.EXTENDED_KEY_USAGE,
        ExtensionOID.NAME_CONSTRAINTS,
        ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
        ExtensionOID.SUBJECT_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
        ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    }
)


def check_leaf(
    leaf: ReadCertificate,
    now: datetime.datetime,
    usages: frozenset[x509.ObjectIdentifier],
    *,
    legacy: bool = False,
) -> None:
    """Everything that a peer's own certificate must be, whoever issued it. `legacy`: SHA-1 will do."""
    check_form(leaf)
    check_validity(leaf, now)
    _check_no_authority(leaf)
    check_critical(leaf)
    check_key(leaf)
    check_signature_algorithm(leaf, legacy=legacy)
    _check_signs(leaf)
    check_usages(leaf, usages)


def check_form(certificate: ReadCertificate) -> None:
    """Version 3, a subject and an issuer: an empty name would be one principal shared by everybody without a name."""
    if certificate.certificate.version is not x509.Version.v3:
        raise ChainError(
            Reason.MALFORMED,
            f"certificate `{certificate.subject}` is of X.509 version 1, which has no extensions",
            "have it issued as version 3",
        )
    check_names(certificate)


def check_names(certificate: ReadCertificate) -> None:
    """No empty name: see `check_form`. And no NUL in one, which some would read as the shorter name before it."""
    for name in (certificate.subject_der, certificate.issuer_der):
        if distinguished_names.has_nul(name):
            raise ChainError(
                Reason.MALFORMED,
                f"certificate `{certificate.subject}`, issued by `{certificate.issuer}`, has NUL in a name",
                "no honest authority signs that",
            )
    if not certificate.subject or not certificate.issuer:
        raise ChainError(
            Reason.EMPTY_SUBJECT,
            f"certificate `{certificate.subject}`, issued by `{certificate.issuer}`, has an empty name",
            "have it issued with a subject: policies name its holder by that",
        )


def check_critical(certificate: ReadCertificate) -> None:
    """RFC 5280 4.2: what is critical and not understood makes a certificate unfit."""
    for found in certificate.certificate.extensions:
        if found.critical and found.oid not in _CRITICAL:
            raise ChainError(
                Reason.CRITICAL_EXTENSION,
                f"certificate `{certificate.subject}` has a critical extension that is unknown here: "
                f"{found.oid.dotted_string}",
                "have it issued without, or not critical",
            )


def check_validity(certificate: ReadCertificate, now: datetime.datetime) -> None:
    """RFC 5280 4.1.2.5: valid from not_before to not_after, both included."""
    if now < certificate.not_before:
        raise ChainError(
            Reason.NOT_YET_VALID,
            f"certificate `{certificate.subject}` is not valid before {certificate.not_before:%Y-%m-%d %H:%M:%SZ}",
            f"here it is {now.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%SZ}: check the clocks of both sides",
        )
    if now > certificate.not_after:
        raise ChainError(
            Reason.EXPIRED,
            f"certificate `{certificate.subject}` expired on {certificate.not_after:%Y-%m-%d %H:%M:%SZ}",
            f"have it renewed; here it is {now.astimezone(datetime.UTC):%Y-%m-%d %H:%M:%SZ}",
        )


def check_authority(certificate: ReadCertificate) -> None:
    """RFC 5280 4.2.1.9 and 4.2.1.3: basicConstraints must say CA, and keyUsage, where there is one, keyCertSign."""
    check_form(certificate)
    constraints = extension(certificate, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise ChainError(
            Reason.ISSUER_NOT_CA,
            f"certificate `{certificate.subject}` is no authority's: its basicConstraints do not say so",
            "what it issued cannot be trusted; use the certificate of an authority",
        )
    usage = extension(certificate, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise ChainError(
            Reason.KEY_USAGE,
            f"authority `{certificate.subject}` may not sign certificates: its keyUsage lacks keyCertSign",
            "have the authority's certificate reissued with keyCertSign",
        )
    check_key(certificate)


def _check_no_authority(leaf: ReadCertificate) -> None:
    constraints = extension(leaf, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        raise ChainError(
            Reason.LEAF_IS_CA,
            f"certificate `{leaf.subject}` is an authority's, not a peer's",
            "authorities do not speak IKE: have it issue a certificate for the peer",
        )


def _check_signs(leaf: ReadCertificate) -> None:
    """RFC 4945 5.1.3.2: a peer signs with its key, so where there is a keyUsage it must allow that, and nothing
    that only authorities do (RFC 5280 4.2.1.3)."""
    usage = extension(leaf, x509.KeyUsage)
    if usage is None:
        return
    if not (usage.digital_signature or usage.content_commitment):
        raise ChainError(
            Reason.KEY_USAGE,
            f"certificate `{leaf.subject}` may not sign: its keyUsage lacks digitalSignature and nonRepudiation",
            "have it issued with digitalSignature",
        )
    if usage.key_cert_sign:
        raise ChainError(
            Reason.KEY_USAGE,
            f"certificate `{leaf.subject}` has keyCertSign in its keyUsage and is no authority's",
            "have it issued with digitalSignature alone",
        )


def check_above_leaf(
    authority: ReadCertificate, leaf: ReadCertificate, usages: frozenset[x509.ObjectIdentifier]
) -> None:
    """What an authority anywhere above has to be for this leaf, beyond what it has to be in itself."""
    check_usages(authority, usages)
    check_constraints(authority, leaf)
    check_identities(authority, leaf)
    check_not_called_like(leaf, authority)


def check_not_called_like(certificate: ReadCertificate, authority: ReadCertificate) -> None:
    """Policies trust authorities by name, so nobody may bear one's; look-alikes by RFC 5280 7.1 included."""
    if certificate.folded_subject == authority.folded_subject:
        raise ChainError(
            Reason.AUTHORITY_SUBJECT,
            f"certificate `{certificate.subject}` bears the subject of the authority `{authority.subject}`",
            "nobody may be called like an authority: have it issued under another subject",
        )


def check_key_identifiers(child: ReadCertificate, issuer: ReadCertificate) -> None:
    """RFC 5280 4.2.1.1: where both say which key signed the one, they agree."""
    named = extension(child, x509.AuthorityKeyIdentifier)
    own = extension(issuer, x509.SubjectKeyIdentifier)
    if named is not None and named.key_identifier and own is not None and named.key_identifier != own.digest:
        raise ChainError(
            Reason.UNKNOWN_AUTHORITY,
            f"certificate `{child.subject}` names another key of `{issuer.subject}` than the one known here "
            f"(authorityKeyIdentifier {named.key_identifier.hex()[:16]}…, here {own.digest.hex()[:16]}…)",
            "have it issued anew, or have the peer send the authority's other certificate",
            avoid=issuer.sha256,
        )


def check_usages(certificate: ReadCertificate, usages: frozenset[x509.ObjectIdentifier]) -> None:
    """RFC 4945 5.1.3.12: where there are extended key usages one of them must be for IKE; an authority that is
    limited to other uses cannot issue for this one."""
    found = extension(certificate, x509.ExtendedKeyUsage)
    if found is not None and usages.isdisjoint(found):
        shown = ", ".join(usage.dotted_string for usage in found)
        raise ChainError(
            Reason.EXTENDED_KEY_USAGE,
            f"certificate `{certificate.subject}` is for other uses than IKE: {shown}",
            "have it issued with ipsecIKE (1.3.6.1.5.5.7.3.17), or without extended key usages",
        )


def check_key(certificate: ReadCertificate) -> None:
    """The key-size policy, which the library has for authorities only. It reads no even exponents and no 1."""
    key = certificate.public_key
    match key:
        case rsa.RSAPublicKey():
            exponent = key.public_numbers().e.bit_length()
            weak = not MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS or exponent > MAX_EXPONENT_BITS
            shown = f"RSA key of {key.key_size} bits with an exponent of {exponent} bits"
        case ec.EllipticCurvePublicKey():
            weak, shown = key.key_size < MIN_EC_BITS, f"key on the curve {key.curve.name}"
        case dsa.DSAPublicKey():
            weak, shown = True, f"DSA key of {key.key_size} bits"
        case _:
            return
    if weak:
        raise ChainError(
            Reason.WEAK_KEY,
            f"certificate `{certificate.subject}` has an unfit key: {shown}",
            f"use RSA with {MIN_RSA_BITS} to {MAX_RSA_BITS} bits or an elliptic curve of {MIN_EC_BITS} bits and more",
        )


def check_signature_algorithm(certificate: ReadCertificate, *, legacy: bool = False) -> None:
    """MD5 and SHA-1 signatures can be forged. `legacy`: SHA-1 will do."""
    try:
        digest = certificate.certificate.signature_hash_algorithm
    except UnsupportedAlgorithm as error:
        oid = certificate.certificate.signature_algorithm_oid.dotted_string
        raise ChainError(
            Reason.UNSUPPORTED_ALGORITHM,
            f"certificate `{certificate.subject}` is signed with an unknown algorithm ({oid})",
            "have it signed with SHA-256",
        ) from error
    if digest is not None and not isinstance(digest, HASHES) and not (legacy and isinstance(digest, hashes.SHA1)):
        raise ChainError(
            Reason.UNSUPPORTED_ALGORITHM,
            f"certificate `{certificate.subject}` is signed with {digest.name}, which is not trusted any more",
            "have it signed with SHA-256",
        )
