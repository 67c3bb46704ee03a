# SPDX-License-Identifier: ISC
"""Revocation lists and OCSP responses that a peer sends beside its certificate, from both ends.

What it sends can refuse it, or show that it is good where nothing else does; it cannot take back what is known.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

import pytest
from cryptography.x509.ocsp import OCSPCertStatus

from ike_auth.authorization.revocations import Revocations
from ike_auth.events import IkeSaDown, IkeSaUp, PeerRefused
from ike_auth.exchanges.v1 import phase1
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import CertEncoding
from ike_auth.wire.payloads import Certificate, Payload
from pki import revocation_lists
from pki.chain import RevocationPolicy
from tests.ike_auth.configurations import NAME, A, B
from tests.ike_auth.engine.words import ike_sa
from tests.ike_auth.gateways import FAST_RSA, Options, assert_joined, authority, credential, pair
from tests.ike_auth.simulation import START, Host, Network
from tests.pki import factory, revocations
from tests.pki.factory import DAY, Issued

REQUIRE, IF_THERE = RevocationPolicy.REQUIRE, RevocationPolicy.IF_THERE
FRESH: dict[str, Any] = {"this_update": START - DAY, "next_update": START + DAY}
REASON = "certificate `{subject}` was revoked on 2026-10-31 12:00:00Z: keyCompromise"
LIST = "list 5 of `/C=XX/O=Test/CN=Test CA` from 2026-11-20 12:00:00Z"
UNKNOWN = "it is not known whether certificate `{subject}` is revoked by `/C=XX/O=Test/CN=Test CA`: "
NONE_HERE = "no revocation list is there; "
FETCH = " (fetch the authority's revocation list)"

both_ends = pytest.mark.parametrize("sender", [A, B], ids=["initiator", "responder"])
Make = Callable[[Issued], bytes]  # of the certificate of the peer that sends it


@cache
def certificate_of(address: str) -> Issued:
    return factory.leaf(authority(), NAME[address], key=NAME[address])


def listing(*more: Issued, **changes: Any) -> Make:
    return lambda _: revocations.revocation_list(authority(), *more, **{**FRESH, **changes})


def listing_it(leaf: Issued) -> bytes:
    return revocations.revocation_list(authority(), leaf, **FRESH)


def forged(leaf: Issued) -> bytes:
    return revocations.revocation_list(authority(), leaf, key=factory.rsa_key("somebody"), **FRESH)


def response(status: OCSPCertStatus = OCSPCertStatus.GOOD, **changes: Any) -> Make:
    return lambda leaf: revocations.staple(leaf, authority(), status=status, **{**FRESH, **changes})


class Meeting:
    """The peer at `sender` sends something beside its certificate; the other end asks by `policy`."""

    def __init__(
        self,
        patch: pytest.MonkeyPatch,
        sender: str,
        policy: RevocationPolicy,
        *sent: tuple[CertEncoding, Make],
        known: tuple[bytes, ...] = (),
    ) -> None:
        leaf = certificate_of(sender)
        payloads = tuple(Certificate(encoding, make(leaf)) for encoding, make in sent)
        self.patch(patch, Identity.fqdn(NAME[sender]), payloads)
        chained: Options = {"credentials": [replace(credential(NAME[sender]), chain=(leaf.der,))]}
        a, b = pair(FAST_RSA, a=chained if sender == A else None, b=chained if sender == B else None)
        self.sender, self.other = (a, b) if sender == A else (b, a)
        at_hand = Revocations(policy=policy)
        at_hand.fetched({str(n): revocation_lists.read(data) for n, data in enumerate(known)})
        self.other.gate = replace(self.other.gate, revocations=at_hand)
        self.network = Network(a, b)
        self.network.start()
        self.network.run(1)

    @staticmethod
    def patch(patch: pytest.MonkeyPatch, identity: Identity, payloads: tuple[Payload, ...]) -> None:
        made = phase1.signature_proof

        def proof(of: Identity, *arguments: Any) -> tuple[Payload, ...]:
            *before, signature = made(of, *arguments)
            return (*before, *(payloads if of == identity else ()), signature)

        patch.setattr(phase1, "signature_proof", proof)

    def check_refused(self, sender: str, because: str) -> None:
        (refused,) = self.other.of(PeerRefused)
        assert refused.decision.because == because.format(subject=f"/C=XX/O=Test/CN={NAME[sender]}")
        assert self.other.of(IkeSaUp) == []
        assert self.other.installed == {}

    def check_joined(self) -> None:
        assert_joined(self.sender, self.other)
        assert self.other.of(PeerRefused) == []


@both_ends
@pytest.mark.parametrize(
    ("encoding", "make"),
    [(CertEncoding.CRL, listing()), (CertEncoding.ARL, listing()), (CertEncoding.OCSP, response())],
    ids=["CRL", "ARL", "OCSP"],
)
def test_what_is_required_may_come_from_the_peer(
    encoding: CertEncoding, make: Make, sender: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    Meeting(monkeypatch, sender, REQUIRE, (encoding, make)).check_joined()


NOT_ENOUGH = {
    "nothing": ((), "no revocation list is there"),
    "signed by somebody": (
        ((CertEncoding.CRL, forged),),
        NONE_HERE + "sent by the peer: revocation list of `/C=XX/O=Test/CN=Test CA` is signed with another key",
    ),
    "stale list": (
        ((CertEncoding.CRL, listing(next_update=START - DAY / 2)),),
        NONE_HERE + LIST + ", sent by the peer is stale since 2026-11-21 00:00:00Z",
    ),
    "no list": (
        ((CertEncoding.CRL, lambda _: b"\x30\x00"),),
        NONE_HERE + "sent by the peer: revocation list cannot be read: ",
    ),
    "stale response": (
        ((CertEncoding.OCSP, response(next_update=START - DAY / 2)),),
        NONE_HERE + "stapled OCSP response: it is stale since 2026-11-21 00:00:00Z",
    ),
    "list as a certificate of another kind": (((CertEncoding.SPKI, listing()),), "no revocation list is there"),
}


@both_ends
@pytest.mark.parametrize(("sent", "why"), NOT_ENOUGH.values(), ids=NOT_ENOUGH)
def test_what_does_not_show_it_is_not_enough(
    sent: Any, why: str, sender: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    meeting = Meeting(monkeypatch, sender, REQUIRE, *sent)
    if why.endswith(": "):  # and then what the library says
        (refused,) = meeting.other.of(PeerRefused)
        subject = f"/C=XX/O=Test/CN={NAME[sender]}"
        assert refused.decision.because.startswith((UNKNOWN + why).format(subject=subject))
    else:
        meeting.check_refused(sender, UNKNOWN + why + FETCH)


@both_ends
@pytest.mark.parametrize("policy", RevocationPolicy)
@pytest.mark.parametrize(
    ("encoding", "make", "source"),
    [
        (CertEncoding.CRL, listing_it, LIST + ", sent by the peer"),
        (
            CertEncoding.OCSP,
            response(OCSPCertStatus.REVOKED),
            "stapled OCSP response for `/C=XX/O=Test/CN=Test CA`",
        ),
    ],
    ids=["CRL", "OCSP"],
)
def test_a_peer_that_shows_that_it_was_revoked_is_refused(
    encoding: CertEncoding,
    make: Make,
    source: str,
    policy: RevocationPolicy,
    sender: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    meeting = Meeting(monkeypatch, sender, policy, (encoding, make))
    meeting.check_refused(sender, f"{REASON} ({source}) (have another issued)")


@both_ends
def test_what_nobody_of_ours_has_signed_does_no_harm(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Meeting(
        monkeypatch, sender, IF_THERE, (CertEncoding.CRL, forged), (CertEncoding.CRL, lambda _: b"\x00")
    ).check_joined()


@both_ends
@pytest.mark.parametrize("age", [DAY / 2, 3 * DAY], ids=["newer", "older"])
def test_a_revocation_that_is_known_stays(age: timedelta, sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    known = listing_it(certificate_of(sender))
    sent = listing(number=6, this_update=START - age)
    meeting = Meeting(monkeypatch, sender, REQUIRE, (CertEncoding.CRL, sent), known=(known,))
    meeting.check_refused(sender, f"{REASON} ({LIST}) (have another issued)")


@both_ends
def test_what_a_peer_sent_holds_as_long_as_it_is_fresh(sender: str, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = Meeting(
        monkeypatch, sender, REQUIRE, (CertEncoding.CRL, listing(next_update=START + timedelta(minutes=2)))
    )
    meeting.check_joined()
    assert ike_sa(meeting.other).authorization_ends == START + timedelta(minutes=2)
    review(meeting.network, meeting.other)
    meeting.check_joined()
    meeting.network.run(400)
    assert meeting.other.engine.table.tunnels == ()
    assert meeting.other.of(IkeSaDown) != []
    assert "is stale since 2026-11-21 12:02:00Z" in meeting.other.of(PeerRefused)[-1].decision.because


def review(network: Network, host: Host) -> None:
    """As when a list has become another."""
    network.do(host, host.reload(host.configuration, network.clock))
    network.run(1)
