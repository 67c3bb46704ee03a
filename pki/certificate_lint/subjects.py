# SPDX-License-Identifier: ISC
"""A certificate as the checks see it: what its holder is to do with it, and what it says, by names of its own."""

import datetime
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki import chain_rules, distinguished_names, keys
from pki.chain_certificates import ReadCertificate

SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Role(StrEnum):
    """What the holder is."""

    GATEWAY = "gateway"
    CLIENT = "client"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class Subject:
    """One certificate, and what most checks ask of it. `issuer` is that of its authority, if at hand; `now` the time
    to hold its validity against, if at all. `signed` is false for a rehearsal, whose signature is nobody's."""

    certificate: ReadCertificate
    role: Role
    issuer: ReadCertificate | None
    now: datetime.datetime | None
    signed: bool
    key_usage: x509.KeyUsage | None
    usages: frozenset[x509.ObjectIdentifier] | None  # extended key usages; None: it is not limited to any
    alternatives: tuple[x509.GeneralName, ...]  # its subjectAltNames, in their order

    @classmethod
    def of(
        cls,
        certificate: ReadCertificate,
        role: Role,
        issuer: ReadCertificate | None = None,
        now: datetime.datetime | None = None,
        signed: bool = True,
    ) -> "Subject":
        usages = chain_rules.extension(certificate, x509.ExtendedKeyUsage)
        return cls(
            certificate,
            role,
            issuer,
            now,
            signed,
            key_usage=chain_rules.extension(certificate, x509.KeyUsage),
            usages=None if usages is None else frozenset(usages),
            alternatives=tuple(chain_rules.extension(certificate, x509.SubjectAlternativeName) or ()),
        )

    @property
    def is_leaf(self) -> bool:
        return self.role is not Role.AUTHORITY

    @property
    def authority(self) -> ReadCertificate | None:
        """The authority that is spoken of: itself or its issuer."""
        return self.issuer if self.is_leaf else self.certificate

    @property
    def extensions(self) -> x509.Extensions:
        return self.certificate.certificate.extensions

    def names_of(self, kind: type[x509.GeneralName]) -> tuple[str, ...]:
        """The subjectAltNames of one kind, as text."""
        return tuple(str(name.value) for name in self.alternatives if isinstance(name, kind))

    @property
    def common_names(self) -> tuple[str, ...]:
        return self.attributes(NameOID.COMMON_NAME)

    def attributes(self, kind: x509.ObjectIdentifier) -> tuple[str, ...]:
        """Attributes of its subject."""
        rdns = distinguished_names.decode(self.certificate.subject_der)
        return tuple(it.text for rdn in rdns for it in rdn if it.oid == kind.dotted_string)

    @property
    def is_rsa(self) -> bool:
        return isinstance(self.certificate.public_key, rsa.RSAPublicKey)

    @property
    def key(self) -> str:
        """The kind of its key, for messages."""
        return keys.kind(self.certificate.public_key)


def guessed_role(certificate: ReadCertificate) -> Role:
    """What its holder seems to be: by basicConstraints, by the extended key usages, by its first name."""
    constraints = chain_rules.extension(certificate, x509.BasicConstraints)
    if constraints is not None and constraints.ca:
        return Role.AUTHORITY
    usages = set(chain_rules.extension(certificate, x509.ExtendedKeyUsage) or ())
    if (SERVER_AUTH in usages) is not (CLIENT_AUTH in usages):
        return Role.GATEWAY if SERVER_AUTH in usages else Role.CLIENT
    alternatives = tuple(chain_rules.extension(certificate, x509.SubjectAlternativeName) or ())
    return Role.CLIENT if alternatives and isinstance(alternatives[0], x509.RFC822Name) else Role.GATEWAY
