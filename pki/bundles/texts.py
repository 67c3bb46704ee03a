# SPDX-License-Identifier: ISC
"""Names of files and of connections, and certificates as text."""

import re
import uuid
from collections.abc import Iterable

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from pki import distinguished_names
from pki.names import Identity

_SUFFIX_DIGITS = 8


def pem(*certificates: x509.Certificate) -> str:
    """Certificates in PEM, one after the other."""
    return "".join(it.public_bytes(Encoding.PEM).decode("ascii") for it in certificates)


def sha256(certificate: x509.Certificate) -> str:
    """The fingerprint, in hex."""
    return certificate.fingerprint(hashes.SHA256()).hex()


def unique_id(fingerprint: str, role: str) -> uuid.UUID:
    """The same UUID (RFC 9562 5.5) each time for one certificate and what it is used for."""
    return uuid.uuid5(uuid.NAMESPACE_URL, f"ni:///sha-256;{fingerprint}#{role}")


def common_name(certificate: x509.Certificate) -> str:
    """The subject's last common name, else the whole subject."""
    found = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    if found:
        return str(found[-1].value)
    return distinguished_names.openssl(certificate.subject.public_bytes())


def stem(identity: Identity) -> str:
    """An identity as the name of a file that every system takes, without its suffix."""
    return re.sub(r"[^A-Za-z0-9._@+-]", "_", identity.value).lstrip(".-") or "certificate"


def authority_stems(certificates: Iterable[x509.Certificate]) -> list[tuple[str, x509.Certificate]]:
    """Certificates of authorities with names for their files. Where several have one common name, all but the first
    have the beginning of their fingerprint as well."""
    found: dict[str, x509.Certificate] = {}
    for certificate in certificates:
        name = re.sub(r"[^a-z0-9]+", "-", common_name(certificate).lower()).strip("-") or "authority"
        if name in found:
            name = f"{name}-{sha256(certificate)[:_SUFFIX_DIGITS]}"
        found[name] = certificate
    return list(found.items())


def section(title: str) -> str:
    """A title as the name of a connection in configuration files: begins with a letter, holds no dot or blank."""
    name = re.sub(r"[^A-Za-z0-9_-]+", "-", title).strip("-_")
    return name if name[:1].isalpha() else f"vpn-{name}".rstrip("-")
