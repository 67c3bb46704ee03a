# SPDX-License-Identifier: ISC
"""What is handed over follows from the registry: with a hierarchy, and while one authority follows another."""

from pathlib import Path

import pytest

from pki import chain_certificates, keys
from pki.bundles import handover, texts
from pki.errors import PkiError
from pki.names import Identity
from pki.records import Record, Reservation
from pki.registry import Registry
from tests.pki import factory
from tests.pki.bundles.handovers import subjects
from tests.pki.factory import NOW, Issued


class Filled:
    """A registry into which certificates are put that others made."""

    def __init__(self, path: Path) -> None:
        self.registry = Registry.create(path)

    def authority(self, issued: Issued, name: str, issuer: int | None = None) -> int:
        reservation = _reservation(issued, name, "ca", ())
        number = self.registry.reserve_authority(reservation, issuer)
        self._confirm(issuer or number, reservation, issued)
        return number

    def certificate(self, issued: Issued, name: str, issuer: int, *identities: Identity) -> Record:
        reservation = _reservation(issued, name, "gateway" if identities else "ca", identities)
        self.registry.reserve(issuer, reservation, NOW)
        self._confirm(issuer, reservation, issued)
        (record,) = self.registry.find(issued.certificate.fingerprint(factory.SHA256).hex())
        return record

    def _confirm(self, authority: int, reservation: Reservation, issued: Issued) -> None:
        self.registry.confirm(authority, reservation.serial, issued.der, NOW)
        self.registry.settle(authority, reservation.serial)


def _reservation(issued: Issued, name: str, profile: str, identities: tuple[Identity, ...]) -> Reservation:
    read = chain_certificates.from_certificate(issued.certificate)
    return Reservation(
        serial=f"{issued.certificate.serial_number:040x}",
        profile=profile,
        name=name,
        identities=identities,
        subject=read.subject,
        subject_der=read.subject_der,
        not_before=read.not_before,
        not_after=read.not_after,
        issued_at=NOW,
        key_sha256=keys.key_sha256(issued.certificate.public_key()),
        directory="here",
        key_file=None,
        temporary_file=None,
    )


GATEWAY = Identity("FQDN", "gw.example.org")


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    return Filled(tmp_path / "registry.sqlite")


def test_an_authority_alone(filled: Filled) -> None:
    root = factory.authority("Root CA", key="root")
    leaf = filled.certificate(
        factory.leaf(root, GATEWAY.value), GATEWAY.value, filled.authority(root, "Root CA"), GATEWAY
    )
    it = handover.of(filled.registry, leaf, None)
    assert (it.leaf, it.key, it.intermediates, it.anchors) == (leaf, None, (), (root.certificate,))
    assert it.issuer == root.certificate


def test_an_intermediate_leads_to_its_root(filled: Filled) -> None:
    root = factory.authority("Root CA", key="root")
    online = factory.authority("Online CA", root, key="online")
    below = filled.authority(online, "Online CA", filled.authority(root, "Root CA"))
    leaf = filled.certificate(factory.leaf(online, GATEWAY.value), GATEWAY.value, below, GATEWAY)
    it = handover.of(filled.registry, leaf, None)
    assert (subjects([*it.intermediates]), subjects([*it.anchors])) == (["Online CA"], ["Root CA"])
    assert it.issuer == online.certificate


def test_while_an_authority_follows_another_both_are_believed(filled: Filled) -> None:
    """The new one's key was certified by the old one as well; a holder of a new certificate needs that for peers that
    know only the old one, and the old one for peers that have not moved."""
    old, new = factory.authority("Old CA", key="root"), factory.authority("New CA", key="online")
    cross = factory.authority("New CA", old, key="online")
    before, after = filled.authority(old, "Old CA"), filled.authority(new, "New CA")
    filled.certificate(cross, "New CA", before)
    leaf = filled.certificate(factory.leaf(new, GATEWAY.value), GATEWAY.value, after, GATEWAY)
    it = handover.of(filled.registry, leaf, None)
    assert it.intermediates == (cross.certificate,)
    assert it.anchors == (new.certificate, old.certificate)
    names = [name for name, _ in texts.authority_stems((*it.anchors, *it.intermediates))]
    assert names == ["new-ca", "old-ca", f"new-ca-{texts.sha256(cross.certificate)[:8]}"]


def test_other_authorities_of_the_registry_are_not_handed_over(filled: Filled) -> None:
    root, other = factory.authority("Root CA", key="root"), factory.authority("Other CA", key="online")
    filled.authority(other, "Other CA")
    leaf = filled.certificate(
        factory.leaf(root, GATEWAY.value), GATEWAY.value, filled.authority(root, "Root CA"), GATEWAY
    )
    assert handover.of(filled.registry, leaf, None).anchors == (root.certificate,)


def test_an_authority_is_not_handed_over(filled: Filled) -> None:
    root = factory.authority("Root CA", key="root")
    filled.authority(root, "Root CA")
    (record,) = filled.registry.find("Root CA")
    with pytest.raises(PkiError, match="`Root CA` is an authority, not a peer"):
        handover.of(filled.registry, record, None)
