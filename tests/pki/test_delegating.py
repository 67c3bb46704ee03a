# SPDX-License-Identifier: ISC
"""A delegation that is issued with its certificate: there with it, ends with it, is revoked with it."""

import datetime
import hashlib

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from keynote import key_principal
from pki import authority, delegating, keys, names, profiles, registry_delegations
from pki.authority import Prepared
from pki.delegating import Request
from pki.directory import Directory
from pki.errors import DelegationInvalid
from pki.records import Reservation
from tests.pki import factory
from tests.pki.factory import DAY, NOW

pytestmark = pytest.mark.both_databases

ALICE = "DN:/C=XX/O=Test/CN=alice@example.org"
REQUEST = Request("POLICY", "", templates=("identity", "algorithms=strong", "remote-networks=10.9.0.0/24"))


def prepared(directory: Directory) -> Prepared:
    issuer = directory.authority(directory.registry()).certificate.certificate
    identities = (names.identity("alice@example.org"),)
    return authority.prepare(profiles.ROAD_WARRIOR, identities, factory.rsa_key("alice").public_key(), issuer, 7, NOW)


def with_certificate(directory: Directory, request: Request) -> delegating.Prepared:
    certificate = prepared(directory).certificate
    return delegating.prepare_with_certificate(
        directory, directory.registry(), request, certificate, NOW, strict=True
    )


def test_it_is_to_the_holder_and_ends_with_the_certificate(directory: Directory) -> None:
    found = with_certificate(directory, REQUEST)
    assert found.draft.licensee == ALICE
    assert found.draft.not_after == prepared(directory).certificate.not_after
    assert 'remote_id == "alice@example.org"' in found.draft.assertion


@pytest.mark.parametrize(("days", "ends"), [(30, 30), (36500, 365)])
def test_or_before_it(directory: Directory, days: int, ends: int) -> None:
    until = NOW + datetime.timedelta(days)
    found = with_certificate(directory, Request("POLICY", "", templates=REQUEST.templates, until=until))
    assert found.draft.not_after == NOW + ends * DAY


def test_what_nobody_would_believe_is_not_issued(directory: Directory) -> None:
    by = key_principal(factory.ec_key("partner").public_key())
    with pytest.raises(DelegationInvalid, match="is not kept here"):
        with_certificate(directory, Request(by, "", templates=REQUEST.templates))


def test_the_authoritys_key_signs_it(directory: Directory) -> None:
    found = with_certificate(directory, Request("key:Example CA", "", templates=REQUEST.templates))
    assert "sig-rsa-sha256-base64" in found.draft.assertion


def test_certificate_and_delegation_in_one_transaction(directory: Directory) -> None:
    registry, whole = directory.registry(), prepared(directory)
    issuer = directory.authority(registry)
    certificate = whole.certificate
    reservation = Reservation(
        serial=whole.serial,
        profile=whole.profile.name,
        name="alice@example.org",
        identities=whole.identities,
        subject=certificate.subject,
        subject_der=certificate.subject_der,
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        issued_at=NOW,
        key_sha256=keys.key_sha256(certificate.public_key),
        directory=directory.settings().id,
        key_file=None,
        temporary_file=None,
    )
    registry.reserve(issuer.id, reservation, NOW)
    der = whole.sign(directory.signer(issuer.certificate)).public_bytes(Encoding.DER)
    draft = with_certificate(directory, REQUEST).draft
    registry.confirm(issuer.id, whole.serial, der, NOW, [draft])

    (record,) = registry.find("alice@example.org")
    (delegation,) = registry.delegations.all()
    assert delegation.certificate == record.sha256 == hashlib.sha256(der).hexdigest()
    assert [it.number for it in registry.delegations.in_force(NOW).records] == [1]
    with registry._database.transaction() as session:
        assert registry_delegations.revoke_bound(session, [record.sha256], "superseded", NOW) == (1,)
    assert registry.delegations.in_force(NOW).records == ()
