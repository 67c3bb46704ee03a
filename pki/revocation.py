# SPDX-License-Identifier: ISC
"""Taking certificates back: why (RFC 5280 5.3.1), and the list of them that an authority signs (RFC 5280 section 5).

As with certificates, a list is built and signed with a key that is thrown away; the authority's key then signs the
same bytes.
"""

import datetime
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtensionOID

from pki import keys, signing
from pki.errors import EDITED, PkiError, RegistryError, shown
from pki.keys import Signer

# Those that begin and end a hold are missing: a revocation is for ever here. One can always issue anew.
_HOLD: Final = (x509.ReasonFlags.certificate_hold, x509.ReasonFlags.remove_from_crl)
REASONS: Final = tuple(str(flag.value) for flag in x509.ReasonFlags if flag not in _HOLD)
UNSPECIFIED: Final = str(x509.ReasonFlags.unspecified.value)

# Somebody else may hold the key, so it is good for nothing any more, whatever certificate it is in.
COMPROMISES: Final = tuple(
    str(flag.value)
    for flag in (x509.ReasonFlags.key_compromise, x509.ReasonFlags.ca_compromise, x509.ReasonFlags.aa_compromise)
)
# X.509 8.5.2.2: "no cause to suspect that the private key has been compromised". These are about one certificate.
_KEY_IS_GOOD: Final = (
    str(x509.ReasonFlags.superseded.value),
    str(x509.ReasonFlags.cessation_of_operation.value),
    str(x509.ReasonFlags.affiliation_changed.value),
)

LIFETIME: Final = datetime.timedelta(days=7)  # of a list


def check_reason(reason: str) -> None:
    """Raises PkiError for what is none of REASONS."""
    if reason not in REASONS:
        raise PkiError(f"`{shown(reason)}` is no reason for a revocation", f"one of {', '.join(REASONS)}")


def reason_flag(reason: str) -> x509.ReasonFlags | None:
    """As a list or an answer has it: RFC 5280 5.3.1 wants none in the place of `unspecified`. A registry from before
    there were reasons may hold any word."""
    return x509.ReasonFlags(reason) if reason in REASONS and reason != UNSPECIFIED else None


def listed_reason(entry: x509.RevokedCertificate) -> str:
    """The reason that an entry of a list has."""
    try:
        value = entry.extensions.get_extension_for_class(x509.CRLReason).value
    except x509.ExtensionNotFound:
        return UNSPECIFIED
    return str(value.reason.value)


def is_about_key(reason: str | None, *, of_authority: bool) -> bool:
    """Whether a revocation reaches every certificate for the same key (RFC 5280 5.3.1). That of an authority's own
    certificate does unless its reason says that the key is good: what another authority vouches for is the same name
    and key, and would give back all that was taken."""
    return reason not in _KEY_IS_GOOD if of_authority else reason in COMPROMISES


def is_worse(reason: str, before: str | None) -> bool:
    """Whether a certificate that was revoked for `before` may be said to be revoked for `reason`: that its key is
    compromised can come to light later."""
    return reason in COMPROMISES and before not in COMPROMISES


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of a list."""

    serial: int
    at: datetime.datetime
    reason: str


@dataclass(frozen=True, slots=True)
class ListRecord:
    """A list that an authority signed, as the registry keeps it: with the head of the audit log at that moment,
    signed with the same key."""

    authority_id: int
    number: int
    this_update: datetime.datetime
    next_update: datetime.datetime
    der: bytes = field(repr=False)
    audit_sequence: int
    audit_hash: str
    audit_signature: bytes = field(repr=False)

    @property
    def crl(self) -> x509.CertificateRevocationList:
        """Raises RegistryError where the row holds none, as it was when it was recorded."""
        try:
            return x509.load_der_x509_crl(self.der)
        except ValueError as error:
            raise RegistryError(
                f"what the registry has of revocation list {self.number} of authority {self.authority_id} is none: "
                f"{shown(str(error))}",
                EDITED,
            ) from error


@dataclass(frozen=True, slots=True)
class PreparedList:
    """A list that awaits its signature."""

    tbs: bytes = field(repr=False)
    algorithm: bytes = field(repr=False)
    issuer_key: CertificatePublicKeyTypes

    def sign(self, signer: Signer) -> bytes:
        """The DER of the list. Raises PkiError where the signer's key is not the issuer's."""
        if signer.public_key != self.issuer_key:
            raise PkiError("the key at hand is not the key of this authority")
        return signing.signed(self.tbs, self.algorithm, signer)


def prepare_list(
    issuer: x509.Certificate,
    number: int,
    entries: Iterable[Entry],
    this_update: datetime.datetime,
    next_update: datetime.datetime,
) -> PreparedList:
    """A complete list of what `issuer` has revoked. Raises PkiError."""
    key = issuer.public_key()
    try:
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(issuer.subject)
            .last_update(this_update)
            .next_update(next_update)
            .add_extension(_key_identifier(issuer), critical=False)
            .add_extension(x509.CRLNumber(number), critical=False)
        )
        for entry in entries:
            builder = builder.add_revoked_certificate(_revoked(entry))
        rehearsed = builder.sign(keys.throw_away(keys.kind(key)), keys.signature_hash(key))
    except (ValueError, TypeError) as error:
        raise PkiError(f"no such revocation list can be made: {error}") from error
    algorithm = signing.algorithm_of(rehearsed.public_bytes(Encoding.DER))
    return PreparedList(rehearsed.tbs_certlist_bytes, algorithm, key)


def _key_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """RFC 5280 5.2.1. Authorities of others may have no identifier of their own."""
    try:
        own = issuer.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_KEY_IDENTIFIER).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    assert isinstance(own, x509.SubjectKeyIdentifier)
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def _revoked(entry: Entry) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(entry.serial).revocation_date(entry.at)
    if (flag := reason_flag(entry.reason)) is not None:
        builder = builder.add_extension(x509.CRLReason(flag), critical=False)
    return builder.build()
