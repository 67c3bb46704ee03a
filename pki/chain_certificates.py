# SPDX-License-Identifier: ISC
"""A certificate as chain validation, policy and logs see it: read once, then a value. And why one is refused."""

import datetime
import hashlib
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, load_der_public_key

from pki import der, distinguished_names
from pki.errors import DerInvalid, NameInvalid, PkiError
from pki.names import Identity, certified

E = TypeVar("E", bound=x509.ExtensionType)

MAX_DER = 32768  # bytes; what a peer calls a certificate is not looked at beyond


class Reason(StrEnum):
    """Why a chain was refused."""

    MALFORMED = "malformed"
    EXPIRED = "expired"
    NOT_YET_VALID = "not yet valid"
    UNKNOWN_AUTHORITY = "unknown authority"
    BAD_SIGNATURE = "bad signature"
    ISSUER_NOT_CA = "issuer is no authority"
    LEAF_IS_CA = "leaf is an authority"
    AUTHORITY_SUBJECT = "bears an authority's subject"
    AMBIGUOUS_AUTHORITY = "two authorities of one name"
    EMPTY_SUBJECT = "empty subject"
    KEY_USAGE = "wrong key usage"
    EXTENDED_KEY_USAGE = "wrong extended key usage"
    NAME_CONSTRAINTS = "outside the name constraints"
    PATH_LENGTH = "path too long"
    WEAK_KEY = "weak key"
    UNSUPPORTED_ALGORITHM = "unsupported algorithm"
    CRITICAL_EXTENSION = "unknown critical extension"
    REVOKED = "revoked"
    REVOCATION_UNKNOWN = "not known whether revoked"
    REFUSED = "refused"  # by a rule of the validation library that has no name here; the message has its words


class ChainError(PkiError):
    """A certificate is not good for IKE: `reason`, the certificate's subject in the message, `hint` what to do.

    `avoid`, where it is set, is the SHA-256 of the certificate without which another path may hold."""

    def __init__(self, reason: Reason, message: str, hint: str = "", avoid: bytes | None = None) -> None:
        super().__init__(message, hint)
        self.reason = reason
        self.avoid = avoid


@dataclass(frozen=True, slots=True)
class ChainCertificate:
    """One certificate of a chain that held, as policy, registry and logs want it; equal when its DER is."""

    der: bytes = field(repr=False)
    sha256: bytes = field(compare=False)
    subject_der: bytes = field(compare=False, repr=False)
    subject: str = field(compare=False)  # as KeyNote names it, without `DN:`
    issuer: str = field(compare=False)
    serial_number: int = field(compare=False)
    not_before: datetime.datetime = field(compare=False)
    not_after: datetime.datetime = field(compare=False)
    names: tuple[Identity, ...] = field(compare=False)  # what its subjectAltNames certify, in their order

    @property
    def principal(self) -> str:
        """`DN:` and the subject: this holder in a KeyNote assertion."""
        return "DN:" + self.subject

    @property
    def self_issued(self) -> bool:
        return self.subject == self.issuer  # no two names have one text

    def load_public_key(self) -> PublicKeyTypes:
        return load_der_public_key(der.slices(self.der).key)


@dataclass(frozen=True, slots=True)
class ReadCertificate(ChainCertificate):
    """A certificate with what the library made of it. That is larger than all the rest together, so whoever keeps
    chains (each SA does) keeps `kept()`."""

    issuer_der: bytes = field(compare=False, repr=False)
    folded_subject: object = field(compare=False, repr=False)  # equal where RFC 5280 7.1 calls two subjects the same
    public_key: CertificatePublicKeyTypes = field(compare=False, repr=False)
    certificate: x509.Certificate = field(compare=False, repr=False)

    def kept(self) -> ChainCertificate:
        return ChainCertificate(
            der=self.der,
            sha256=self.sha256,
            subject_der=self.subject_der,
            subject=self.subject,
            issuer=self.issuer,
            serial_number=self.serial_number,
            not_before=self.not_before,
            not_after=self.not_after,
            names=self.names,
        )


def load(certificate_der: bytes) -> ReadCertificate:
    """Read what a peer sent. Raises ChainError (malformed, unsupported algorithm)."""
    if len(certificate_der) > MAX_DER:
        raise ChainError(Reason.MALFORMED, f"certificate of {len(certificate_der)} bytes, more than {MAX_DER}")
    try:
        slices = der.slices(certificate_der)
        if slices.tbs_algorithm != slices.signature_algorithm:  # RFC 5280 4.1.1.2
            raise DerInvalid("it is signed with another algorithm than what is signed says")
        certificate = x509.load_der_x509_certificate(certificate_der)
        subject = distinguished_names.keynote(slices.subject)
        issuer = distinguished_names.keynote(slices.issuer)
    except (ValueError, x509.InvalidVersion, DerInvalid, Warning) as error:
        raise ChainError(Reason.MALFORMED, f"certificate cannot be read: {error}", "have it issued anew") from error
    try:
        # The library reads extensions when first asked: here, so that no rule meets one that cannot be read.
        return ReadCertificate(
            der=certificate_der,
            sha256=hashlib.sha256(certificate_der).digest(),
            subject_der=slices.subject,
            subject=subject,
            folded_subject=distinguished_names.folded(slices.subject),
            issuer_der=slices.issuer,
            issuer=issuer,
            serial_number=certificate.serial_number,
            public_key=certificate.public_key(),
            not_before=certificate.not_valid_before_utc,
            not_after=certificate.not_valid_after_utc,
            names=_names(certificate.extensions),
            certificate=certificate,
        )
    except UnsupportedAlgorithm as error:
        raise ChainError(
            Reason.UNSUPPORTED_ALGORITHM, f"certificate `{subject}` has a key of an unknown kind: {error}"
        ) from error
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, NameInvalid, Warning) as error:
        raise ChainError(
            Reason.MALFORMED, f"certificate `{subject}` cannot be read: {error}", "have it issued anew"
        ) from error


def from_certificate(certificate: x509.Certificate) -> ReadCertificate:
    """The same, of a certificate that was already read. Raises ChainError."""
    return load(certificate.public_bytes(Encoding.DER))


def _names(extensions: x509.Extensions) -> tuple[Identity, ...]:
    for found in extensions:
        if isinstance(found.value, x509.SubjectAlternativeName):
            return tuple(identity for name in found.value if (identity := certified(name)))
    return ()


def extension(certificate: ReadCertificate, kind: type[E]) -> E | None:
    """An extension's value, or None."""
    for found in certificate.certificate.extensions:
        if isinstance(found.value, kind):
            return found.value
    return None
