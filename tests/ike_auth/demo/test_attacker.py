# SPDX-License-Identifier: ISC
"""The liar's daemon is the ordinary one but for the name: the demo must not refuse a straw man."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from ike_auth import assembly
from ike_auth.demo import attacker, configurations, directory, policies
from ike_auth.demo.hosts import AUTHORITY, GATEWAY_A, GATEWAY_B, IMPOSTOR
from ike_auth.wire.identities import Identity
from pki import issuance, names, profiles
from pki.bundles import handover, isakmpd
from pki.bundles.files import write
from pki.bundles.request import Request
from pki.directory import Directory

NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("attacker")
    authority = Directory(path / "authority")
    issuance.initialize(authority.path, AUTHORITY, NOW, None)
    record = issuance.issue(authority, profiles.GATEWAY, (names.identity(IMPOSTOR.fqdn),), NOW, None)
    given = handover.of(authority.registry(), record, authority.signer(record).key)
    write(isakmpd.make(given, Request()), path / "impostor")
    proof = configurations.Certificates("impostor", authority.registry_path)
    directory.write(path / "impostor.conf", configurations.gateway(IMPOSTOR, proof, calls=True))
    directory.write(path / "impostor.kn", policies.by_certificate(GATEWAY_B))
    return path


def test_it_claims_the_name_and_presents_its_own_certificate(files: Path) -> None:
    loaded = assembly.load(files / "impostor.conf", files / "impostor.kn", NOW)
    lying = attacker.claiming(loaded, GATEWAY_A.fqdn)
    assert {peer.own_id for peer in lying.configuration.peers.values()} == {Identity.fqdn(GATEWAY_A.fqdn)}
    own = loaded.keystore.for_identity(Identity.fqdn(IMPOSTOR.fqdn))
    assert own is not None
    assert lying.keystore.for_identity(Identity.fqdn(GATEWAY_A.fqdn)) is own
    assert (lying.gate, lying.authorizer) == (loaded.gate, loaded.authorizer)


def test_the_ordinary_daemon_does_not_claim_it(files: Path) -> None:
    text = (files / "impostor.conf").read_text().replace(IMPOSTOR.fqdn, GATEWAY_A.fqdn)
    directory.write(files / "liar.conf", text)
    with pytest.raises(assembly.Unusable, match=r"no certificate that bears `FQDN gw-a\.example\.org`"):
        assembly.load(files / "liar.conf", files / "impostor.kn", NOW)
