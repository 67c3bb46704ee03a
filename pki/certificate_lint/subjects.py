# SPDX-License-Identifier: ISC
"""A certificate as the checks see it: what its holder is to do with it, and what it says, by names of its own."""

import datetime
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from pki import chain_rules, keys
from pki.chain_certificates import ReadCertificate

SERVER_AUTH, CLIENT_AUTH = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


class Role(StrEnum):
    """What the holder is."""

    GATEWAY = "gateway"
    CLIENT = "client"
    AUTHORITY = "authority"


@dataclass(frozen=True, slots=True)
class Subject:
    """One certificate. `issuer` is that of its authority, if at hand; `now` the time to hold its validity against, if
    at all. `signed` is false for a rehearsal, whose signature is nobody's."""

    certificate: ReadCertificate
    role: Role
    issuer: ReadCertificate | None = None
    now: datetime.datetime | None = None
    signed: bool = True

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

    @property
    def usages(self) -> frozenset[x509.ObjectIdentifier] | None:
        """Its extended key usages, or None where it is not limited to any."""
        found = chain_rules.extension(self.certificate, x509.ExtendedKeyUsage)
        return None if found is None else frozenset(found)

    @property
    def key_usage(self) -> x509.KeyUsage | None:
        return chain_rules.extension(self.certificate, x509.KeyUsage)

    @property
    def alternatives(self) -> tuple[x509.GeneralName, ...]:
        """Its subjectAltNames, in their order."""
        return tuple(chain_rules.extension(self.certificate, x509.SubjectAlternativeName) or ())

    def names_of(self, kind: type[x509.GeneralName]) -> tuple[str, ...]:
        """The subjectAltNames of one kind, as text."""
        return tuple(str(name.value) for name in self.alternatives if isinstance(name, kind))

    @property
    def common_names(self) -> tuple[str, ...]:
        return self.attributes(NameOID.COMMON_NAME)

    def attributes(self, kind: x509.ObjectIdentifier) -> tuple[str, ...]:
        """Attributes of its subject."""
        found = self.certificate.certificate.subject.get_attributes_for_oid(kind)
        return tuple(str(attribute.value) for attribute in found)

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
