# SPDX-License-Identifier: ISC
"""Requests for certificates (PKCS#10, RFC 2986): whose key, and what names and extensions are asked for. What is
asked for is shown and decided on, never taken as it is."""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import NameOID

from pki import distinguished_names, keys, names
from pki.errors import DerInvalid, NameInvalid, PkiError, shown
from pki.names import Identity

_MAX = 32768  # bytes
_PEM = re.compile(rb"-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----(.*?)-----END ", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """A request whose signature is that of its key."""

    public_key: CertificatePublicKeyTypes = field(repr=False)
    subject: str  # as KeyNote names it; empty where there is none
    common_names: tuple[str, ...]
    identities: tuple[Identity, ...]  # of its subjectAltNames, those that can be certified
    unfit_names: tuple[str, ...]  # those that cannot
    other_extensions: tuple[str, ...]  # what else is asked for; profiles decide on all that

    @property
    def kind(self) -> str:
        """The kind of its key."""
        return keys.kind(self.public_key)


def read(data: bytes) -> SigningRequest:
    """From PEM or DER. Raises PkiError for what is no request, whose signature is not that of its key, or whose key
    is none that certificates are issued for."""
    if len(data) > _MAX:
        raise PkiError(f"a request of {len(data)} bytes, more than {_MAX}")
    block = _PEM.search(data)
    try:
        request = x509.load_der_x509_csr(base64.b64decode(block[1]) if block else data)
        public_key = request.public_key()
        signed = request.is_signature_valid
        asked = list(request.extensions)
        subject = distinguished_names.keynote(request.subject.public_bytes())
    except UnsupportedAlgorithm as error:
        raise PkiError(f"a request with an algorithm that is not known here: {error}") from error
    except (ValueError, TypeError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType, binascii.Error) as error:
        raise PkiError(f"this is no request for a certificate (PKCS#10): {error}") from error
    except DerInvalid as error:
        raise PkiError(f"the subject of the request cannot be read: {error}") from error
    if not signed:
        raise PkiError("the request is not signed by its own key", "whoever sent it has to make it anew")
    if keys.kind(public_key) not in keys.KINDS:
        raise PkiError(
            f"the request is for a key of kind {keys.kind(public_key)}, which is weak or unfit",
            f"have it made with one of {', '.join(keys.KINDS)}",
        )
    found = [_named(name) for it in asked if isinstance(it.value, x509.SubjectAlternativeName) for name in it.value]
    return SigningRequest(
        public_key=public_key,
        subject=subject,
        common_names=tuple(str(it.value) for it in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)),
        identities=tuple(dict.fromkeys(it for it in found if isinstance(it, Identity))),
        unfit_names=tuple(it for it in found if isinstance(it, str)),
        other_extensions=tuple(_others(asked)),
    )


def _named(name: x509.GeneralName) -> Identity | str:
    """The identity that a subjectAltName stands for, or what it says, where nobody can be called so in IKE."""
    try:
        if isinstance(name, x509.DirectoryName):
            named = Identity("DER_ASN1_DN", distinguished_names.keynote(name.value.public_bytes()))
            names.general_name(named)  # raises where it cannot stand in a certificate of ours
            return named
        found = names.certified(name)
    except (NameInvalid, DerInvalid):
        found = None
    if found is not None:
        return found
    return f"{type(name).__name__} {shown(_value(name))}".rstrip()


def _value(name: x509.GeneralName) -> str:
    """For people to read."""
    match name:
        case x509.DirectoryName():
            try:
                return f"`{distinguished_names.keynote(name.value.public_bytes())}`"
            except DerInvalid:
                return f"`{name.value.rfc4514_string()}`"
        case x509.OtherName():
            return f"{name.type_id.dotted_string}:{name.value.hex()}"
        case x509.RegisteredID():
            return name.value.dotted_string
    return str(name.value)


def _others(asked: list[x509.Extension[x509.ExtensionType]]) -> Iterator[str]:
    for extension in asked:
        if not isinstance(extension.value, x509.SubjectAlternativeName):
            name = type(extension.value).__name__
            oid = extension.oid.dotted_string
            yield oid if isinstance(extension.value, x509.UnrecognizedExtension) else f"{name} ({oid})"
