# SPDX-License-Identifier: ISC
"""The gate: what no authorizer may be lenient about."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from ipaddress import ip_address

import pytest
from cryptography import x509

from ike_auth.authorization.gate import Gate
from ike_auth.authorization.requests import AuthorizeTunnel, Decision, IdentityRequest, TunnelRequest
from ike_auth.authorization.strict import Refused
from ike_auth.config.model import Peer
from ike_auth.wire.identities import Identity
from pki.chain import ChainCertificate, TrustAnchors
from tests.ike_auth.authorization.requests import (
    AES,
    KEY,
    NOW,
    identify,
    identity_request,
    peer,
    tunnel_request,
)
from tests.pki import factory
from tests.pki.factory import Issued

CA = factory.authority()
GATEWAY = factory.leaf(CA, "gw.example.com", "alice@example.com", "192.0.2.1")
NAME = Identity.fqdn("gw.example.com")


@dataclass
class Fake:
    """An authorizer that does as it is told, and remembers what it was asked."""

    allowed: bool = True
    bound: bool = False
    asked: list[IdentityRequest | TunnelRequest] = field(default_factory=list)
    decide: Callable[[TunnelRequest], bool] = lambda _: True

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        self.asked.append(request)
        return Decision(self.allowed, "", "told so")

    def binds(self, request: IdentityRequest, now: datetime) -> bool:
        return self.bound

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        self.asked.append(request)
        return Decision(self.decide(request), "", "told so")


def gate(
    authorizer: Fake | None = None, recorded: Callable[[tuple[ChainCertificate, ...]], None] = lambda _: None
) -> Gate:
    return Gate(authorizer or Fake(), TrustAnchors([CA.certificate]), lambda peer: peer.is_default, recorded)


def refusal(identity: Identity, issued: Issued = GATEWAY, of: Peer | None = None, by: Gate | None = None) -> str:
    answer = (by or gate()).identify(identify(identity, (issued.der,), of), NOW)
    assert not answer.decision.allowed
    assert answer.request is None
    return answer.decision.because


# --- rule 1: certified


@pytest.mark.parametrize(
    "identity",
    [
        NAME,
        Identity.user_fqdn("alice@example.com"),
        Identity.address(ip_address("192.0.2.1")),
        Identity.dn(GATEWAY.certificate.subject.public_bytes()),
    ],
    ids=str,
)
def test_a_certified_identity_is_put_to_the_authorizer(identity: Identity) -> None:
    authorizer = Fake()
    answer = gate(authorizer).identify(identify(identity, (GATEWAY.der,)), NOW)
    assert answer.decision.allowed
    assert answer.request is authorizer.asked[0]
    assert answer.request.identity == identity
    assert answer.expires == factory.NOT_AFTER


@pytest.mark.parametrize(
    "identity",
    [
        Identity.fqdn("other.example.com"),
        Identity.fqdn("alice@example.com"),  # the right text as the wrong type
        Identity.user_fqdn("gw.example.com"),
        Identity.fqdn("gw.example.com.evil.example"),
        Identity.address(ip_address("192.0.2.2")),
        Identity.key_id(b"gw.example.com"),
        Identity.dn(factory.name("gw.example.com", ORGANIZATION_NAME="Other").public_bytes()),
    ],
    ids=str,
)
def test_what_the_certificate_does_not_bear_is_refused(identity: Identity) -> None:
    authorizer = Fake()
    because = refusal(identity, by=gate(authorizer))
    assert "certifi" in because
    assert authorizer.asked == []


def test_the_common_name_certifies_nothing() -> None:
    nameless = factory.leaf(CA, subject="gw.example.com")
    assert "bears none" in refusal(NAME, nameless)


def test_a_subject_below_an_authority_for_hosts_certifies_nothing() -> None:
    """Who may issue for hosts alone could call itself anybody in a subject."""
    hosts = x509.NameConstraints([x509.DNSName("example.com")], None)
    below = factory.authority("Below", CA, key="below", extensions=[(hosts, True)])
    peers = factory.leaf(below, "gw.example.com", subject="alice@other.example")
    for identity, allowed in ((NAME, True), (Identity.dn(peers.certificate.subject.public_bytes()), False)):
        for _ in range(2):  # a chain that held is remembered
            answer = gate().identify(identify(identity, (peers.der, below.der)), NOW)
            assert answer.decision.allowed is allowed
    assert "authority `/C=XX/O=Test/CN=Below` is constrained to other kinds of names" in answer.decision.because
    assert "ID_FQDN gw.example.com" in answer.decision.because


@pytest.mark.parametrize("strict", [True, False])
def test_rule_1_is_never_off(strict: bool) -> None:
    assert "not certified" in refusal(Identity.fqdn("other.example.com"), of=peer(strict_remote_id=strict))


def test_a_foreign_authority_is_refused_with_a_hint() -> None:
    foreign = factory.leaf(factory.authority("Foreign CA", key="foreign"), "gw.example.com")
    assert "gw.example.com" in refusal(NAME, foreign)


# --- rule 1 with a pre-shared key


def test_a_pre_shared_key_proves_the_address_it_comes_from() -> None:
    own_address = Identity.address(ip_address("203.0.113.7"))
    assert gate().identify(identify(own_address, KEY), NOW).decision.allowed


def test_a_pre_shared_key_proves_the_configured_identity() -> None:
    of = peer(remote_id=Identity.fqdn("GW.example.com"))
    assert gate().identify(identify(NAME, KEY, of), NOW).decision.allowed


@pytest.mark.parametrize("bound", [True, False])
def test_a_pre_shared_key_proves_another_name_only_if_policy_tests_it(bound: bool) -> None:
    answer = gate(Fake(bound=bound)).identify(identify(NAME, KEY), NOW)
    assert answer.decision.allowed is bound


# --- rule 2: as configured


def test_another_identity_than_the_configured_one_is_refused_with_the_line() -> None:
    because = refusal(Identity.user_fqdn("alice@example.com"), of=peer(remote_id=NAME))
    assert "FQDN gw.example.com" in because
    assert "isakmpd.conf:7" in because


def test_the_type_counts_too() -> None:
    assert "Remote-ID" in refusal(NAME, of=peer(remote_id=Identity.user_fqdn("gw@example.com")))


def test_rule_2_is_off_when_the_peer_says_so() -> None:
    lenient = peer(remote_id=Identity.fqdn("other.example.com"), strict_remote_id=False)
    assert gate().identify(identify(NAME, (GATEWAY.der,), lenient), NOW).decision.allowed


# --- rule 5 and what goes wrong


def test_an_unrecorded_certificate_is_refused() -> None:
    def unknown(_: tuple[ChainCertificate, ...]) -> None:
        raise Refused("the registry does not know it")

    assert refusal(NAME, by=gate(recorded=unknown)) == "the registry does not know it"


def test_the_whole_chain_is_looked_up() -> None:
    seen: list[tuple[ChainCertificate, ...]] = []
    gate(recorded=seen.append).identify(identify(NAME, (GATEWAY.der,)), NOW)
    assert [[certificate.der for certificate in chain] for chain in seen] == [[GATEWAY.der, CA.der]]


def test_an_authorizer_that_raises_denies_and_says_where_but_not_what() -> None:
    class Broken(Fake):
        def identity(self, request: IdentityRequest, now: datetime) -> Decision:
            raise RuntimeError("the key is hunter2")

        def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
            raise RuntimeError("the key is hunter2")

    because = refusal(NAME, by=gate(Broken()))
    assert because.startswith("authorization failed: RuntimeError at test_gate.py:")
    answer = gate(Broken()).authorize(AuthorizeTunnel((tunnel_request(identity_request(NAME)),)), NOW)
    assert answer.chosen is None
    assert "hunter2" not in answer.decisions[0].because


def test_a_denial_by_the_authorizer_is_one() -> None:
    assert refusal(NAME, by=gate(Fake(allowed=False))) == "told so"


# --- tunnels


def test_the_first_allowed_proposal_is_chosen_and_later_ones_are_not_asked() -> None:
    requests = tuple(
        tunnel_request(identity_request(NAME), AES, remote=net)
        for net in ("10.1.0.0/24", "10.2.0.0/24", "10.3.0.0/24")
    )
    authorizer = Fake(decide=lambda request: request is requests[1])
    answer = gate(authorizer).authorize(AuthorizeTunnel(requests), NOW)
    assert answer.chosen == 1
    assert [decision.allowed for decision in answer.decisions] == [False, True]
    assert len(authorizer.asked) == 2


def test_when_all_are_denied_every_reason_is_there() -> None:
    requests = (tunnel_request(identity_request(NAME)),) * 3
    answer = gate(Fake(decide=lambda _: False)).authorize(AuthorizeTunnel(requests), NOW)
    assert answer.chosen is None
    assert len(answer.decisions) == 3
