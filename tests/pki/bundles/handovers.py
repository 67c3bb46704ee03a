# SPDX-License-Identifier: ISC
"""Handovers without a registry, and what is in bundles, for tests."""

import os
import stat
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from pki import keys, names
from pki.bundles.handover import Handover
from pki.bundles.request import Request
from pki.chain_certificates import from_certificate
from pki.names import Identity
from pki.records import Record
from tests.pki import factory
from tests.pki.factory import Issued

PASSWORD = "correct-horse-battery"
SERVER = Request(server=Identity("FQDN", "vpn.example.org"), password=PASSWORD)


def record(issued: Issued, profile: str = "road-warrior") -> Record:
    """As the registry would have it."""
    read = from_certificate(issued.certificate)
    alternatives = issued.certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    identities = tuple(found for name in alternatives if (found := names.certified(name)))
    return Record(
        authority_id=1,
        serial=f"{issued.certificate.serial_number:040x}",
        profile=profile,
        name=identities[0].value,
        identities=identities,
        subject=read.subject,
        not_before=read.not_before,
        not_after=read.not_after,
        issued_at=read.not_before,
        sha256=issued.certificate.fingerprint(factory.SHA256).hex(),
        key_sha256=keys.key_sha256(issued.certificate.public_key()),
        der=issued.der,
        supersedes=None,
        directory="here",
        key_file="key",
        revoked_at=None,
        revocation_reason=None,
    )


def under_an_intermediate(identity: str = "alice@example.org", key: factory.PrivateKey | str = "leaf") -> Handover:
    """A leaf under `Online CA` under `Root CA`."""
    root = factory.authority("Root CA", key="root")
    online = factory.authority("Online CA", root, key="online")
    leaf = factory.leaf(online, identity, key=key)
    return Handover(record(leaf), leaf.key, (online.certificate,), (root.certificate,))


def with_small_keys(identity: str = "alice@example.org") -> Handover:
    """All keys are P-256."""
    root = factory.authority("Root CA", key=factory.ec_key("root"))
    leaf = factory.leaf(root, identity, key=factory.ec_key("leaf"))
    return Handover(record(leaf), leaf.key, (), (root.certificate,))


def opened(data: bytes, password: str = PASSWORD) -> pkcs12.PKCS12KeyAndCertificates:
    return pkcs12.load_pkcs12(data, password.encode())


def subjects(certificates: list[x509.Certificate]) -> list[str]:
    return [str(it.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)[0].value) for it in certificates]


def listing(path: Path) -> dict[str, str]:
    """What is below a directory: links with their target, all else with its mode."""

    def shown(it: Path) -> str:
        return f"-> {os.readlink(it)}" if it.is_symlink() else f"{stat.S_IMODE(it.stat().st_mode):o}"

    return {str(it.relative_to(path)): shown(it) for it in sorted(path.rglob("*"))}
