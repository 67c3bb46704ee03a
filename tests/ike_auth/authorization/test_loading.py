# SPDX-License-Identifier: ISC
"""From a configuration to its gate: which authorizer, whose registry, and what must not start."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

import keynote
from ike_auth.authorization.gate import Gate
from ike_auth.authorization.keynote import KeyNoteAuthorizer
from ike_auth.authorization.loading import (
    AuthorizerMissing,
    is_shared,
    load_authorizer,
    make_gate,
    strictness_problems,
)
from ike_auth.authorization.no_policy import NoPolicy
from ike_auth.config import isakmpd
from ike_auth.config.model import Configuration
from ike_auth.crypto.secrets import Secret
from ike_auth.wire.identities import Identity
from pki import issuance, names, profiles
from pki.chain import TrustAnchors
from pki.directory import Directory
from pki.errors import RegistryError
from tests.ike_auth.authorization.requests import NOW, identify, identity_request, peer, tunnel_request
from tests.ike_auth.configurations import A, gateway
from tests.pki import factory

CA = factory.authority()
ANCHORS = TrustAnchors([CA.certificate])
NAME = Identity.fqdn("gw.example.com")
BOUND = """\
Authorizer: "POLICY"
Licensees: "DN:/C=XX/O=Test/CN=Test CA" || "passphrase:a key of the two gateways"
Conditions: remote_id == "b.example.org" -> "true";
"""
UNBOUND = BOUND.replace('remote_id == "b.example.org"', 'esp_present == "yes"')


def configuration(
    tmp_path: Path, text: str = BOUND, *, rsa: bool = True, general: str = "", peer: str = ""
) -> Configuration:
    policy = tmp_path / "policy.kn"
    policy.touch(0o600)
    policy.write_text(text)
    authentication = "rsa" if rsa else "psk"
    general = f"Policy-file= {policy}\n{general}"
    return isakmpd.parse(gateway(A, authentication=authentication, general=general, peer=peer))


def test_the_keynote_authorizer_is_the_default(tmp_path: Path) -> None:
    assert isinstance(load_authorizer(configuration(tmp_path)), KeyNoteAuthorizer)


def test_a_missing_authorizer_is_named_and_so_are_those_there_are(tmp_path: Path) -> None:
    found = configuration(tmp_path)
    found = replace(found, general=replace(found.general, authorizer="ldap"))  # not read from a file, then
    with pytest.raises(AuthorizerMissing, match=r"no authorizer `ldap`.*keynote"):
        load_authorizer(found)


def test_a_policy_with_a_mistake_does_not_load(tmp_path: Path) -> None:
    with pytest.raises(keynote.PolicyError, match=r"policy\.kn:3:"):
        load_authorizer(configuration(tmp_path, BOUND.replace("==", "=")))


# --- strict rule 3 at start


def problems(found: Configuration) -> list[str]:
    return [str(p) for p in strictness_problems(found, ANCHORS, load_authorizer(found), NOW)]


def test_a_policy_that_binds_the_name_may_start(tmp_path: Path) -> None:
    assert problems(configuration(tmp_path)) == []


def test_a_policy_that_trusts_every_certificate_of_an_authority_may_not(tmp_path: Path) -> None:
    (problem,) = problems(configuration(tmp_path, UNBOUND))
    assert "/C=XX/O=Test/CN=Test CA" in problem
    assert "policy.kn:" in problem
    assert "Strict-Remote-ID= no" in problem


def test_unless_the_peer_says_so(tmp_path: Path) -> None:
    assert problems(configuration(tmp_path, UNBOUND, peer="Strict-Remote-ID= no")) == []


def test_a_key_of_one_peer_certifies_nobody_else(tmp_path: Path) -> None:
    assert problems(configuration(tmp_path, UNBOUND, rsa=False)) == []


def test_a_key_of_two_peers_does(tmp_path: Path) -> None:
    found = configuration(tmp_path, UNBOUND, rsa=False)
    only = found.peers["peer"]
    two = replace(found, peers={"peer": only, "second": replace(only, name="second")})
    assert is_shared(two, only)
    assert not is_shared(found, only)
    assert len(problems(two)) == 2


def test_the_default_peers_key_is_shared() -> None:
    default = peer(address=None, is_default=True, preshared_key=Secret(b"k"))
    assert is_shared(isakmpd.parse(""), default)


# --- without policy


def test_without_policy_a_peer_needs_a_configured_identity() -> None:
    name = Identity.fqdn("gw.example.com")
    refused = NoPolicy().identity(identity_request(name), NOW)
    assert not refused.allowed
    assert "isakmpd.conf:7" in refused.because
    assert NoPolicy().identity(identity_request(name, of=peer(remote_id=name)), NOW).allowed


def test_without_policy_only_configured_tunnels_are_had() -> None:
    request = tunnel_request(identity_request(Identity.fqdn("gw.example.com")))
    assert not NoPolicy().tunnel(request, NOW).allowed


def test_use_keynote_no_loads_no_policy(tmp_path: Path) -> None:
    assert isinstance(load_authorizer(configuration(tmp_path, general="Use-Keynote= no")), NoPolicy)


# --- the registry


def gate(tmp_path: Path, url: str, anchors: TrustAnchors = ANCHORS) -> Gate:
    text = gateway(A, authentication="rsa", general="Use-Keynote= no")
    found = isakmpd.parse(f"{text}\n[X509-certificates]\nRegistry= {url}\n")
    return make_gate(found, anchors, load_authorizer(found))


def test_a_registry_that_is_not_there_stops_the_start(tmp_path: Path) -> None:
    with pytest.raises(RegistryError):
        gate(tmp_path, f"sqlite:///{tmp_path}/nowhere.db")


def test_certificates_of_our_authority_must_be_recorded(tmp_path: Path) -> None:
    """A real CA: what it issued is accepted, what somebody signed with its key besides is not."""
    now = NOW + timedelta(hours=1)
    authority = issuance.initialize(tmp_path / "ca", "Real CA", NOW)
    directory = Directory(tmp_path / "ca")
    recorded = issuance.issue(directory, profiles.GATEWAY, (names.identity("gw.example.com"),), NOW)
    assert authority.key_file is not None
    key = serialization.load_pem_private_key(directory.key_path(authority.key_file).read_bytes(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    beside = factory.leaf(factory.Issued(authority.certificate, key), "gw.example.com")

    asked = gate(tmp_path, f"sqlite:///{directory.registry_path}", TrustAnchors([authority.certificate]))
    of = peer(remote_id=NAME)
    assert asked.identify(identify(NAME, (recorded.der,), of), now).decision.allowed
    refused = asked.identify(identify(NAME, (beside.der,), of), now).decision
    assert not refused.allowed
    assert "unknown" in refused.because
    directory.registry_path.unlink()
    gone = asked.identify(identify(NAME, (recorded.der,), of), now).decision
    assert not gone.allowed
    assert "registry" in gone.because
