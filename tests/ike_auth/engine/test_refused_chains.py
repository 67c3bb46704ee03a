# SPDX-License-Identifier: ISC
"""Certificates that do not hold, at either end: refused with their reason, and nothing comes of it.

What the protocol makes unavoidable: a responder has its IKE SA once it has sent message 6, before the initiator has
seen its certificate. It hears of the refusal after a while (docs/decisions/0504-doubtful-denials-wait.md).

Each time the same peer gets in as soon as it comes with a good certificate, all else being equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import pytest

from ike_auth.effects import Effect, InstallSa
from ike_auth.engine.commit import PATIENCE
from ike_auth.events import ExchangeFailed, IkeSaDown, IkeSaUp, PeerRefused, TunnelUp
from ike_auth.network import Datagram
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import ExchangeType
from tests.ike_auth.configurations import NAME, A, B
from tests.ike_auth.gateways import FAST_RSA, assert_joined, authority, credential, pair
from tests.ike_auth.simulation import START, Host, Network
from tests.pki import factory
from tests.pki.factory import CODE_SIGNING, DAY, Issued

PARTNER = "Partner CA"
REFUSED = 1.0  # seconds after which a refusal is known to who refuses, and to nobody else
TOLD = PATIENCE + 1
GIVEN_UP = 50.0  # after all repetitions, before the connection is tried again
AGAIN = 300.0  # long enough for two more attempts


@cache
def partner() -> Issued:
    """The other authority that both ends trust."""
    return factory.authority(PARTNER, key="partner")


@dataclass(frozen=True, slots=True)
class Case:
    """`chain` makes what the peer of this name sends, for the key of that label; `because` is how it is refused."""

    chain: Callable[[str], Sequence[Issued]]
    because: str


def alone(**spoilt: Any) -> Callable[[str], Sequence[Issued]]:
    """A certificate of the trusted authority with something wrong in it."""
    return lambda name: [factory.leaf(authority(), name, key=name, **spoilt)]


def of_another_authority(name: str, root: Issued) -> list[Issued]:
    return [factory.leaf(root, name, key=name), root]


def of_a_leaf(name: str) -> list[Issued]:
    """A peer with a good certificate makes one for another name."""
    issuer = factory.leaf(authority(), "c.example.org", key="c")
    return [factory.leaf(issuer, name, key=name), issuer]


CASES = {
    "expired": Case(
        alone(not_after=START - DAY),
        "certificate `{subject}` expired on 2026-11-20 12:00:00Z (have it renewed; here it is 2026-11-21 12:00:00Z)",
    ),
    "not yet valid": Case(
        alone(not_before=START + DAY),
        "certificate `{subject}` is not valid before 2026-11-22 12:00:00Z"
        " (here it is 2026-11-21 12:00:00Z: check the clocks of both sides)",
    ),
    "of a wrong authority": Case(
        lambda name: of_another_authority(name, factory.authority("Wrong CA", key="wrong")),
        "certificate `{subject}` was issued by `/C=XX/O=Test/CN=Wrong CA`, which is no authority known here"
        " (have the peer send the authorities between, or add the authority's certificate if you trust it)",
    ),
    "of a namesake of the authority": Case(
        lambda name: of_another_authority(name, factory.authority("Test CA", key="wrong")),
        "certificate `{subject}` is not signed with the key of `/C=XX/O=Test/CN=Test CA` that is known here"
        " (another authority has the same name, or the certificate was altered)",
    ),
    "issuer is no authority": Case(
        of_a_leaf,
        "certificate `/C=XX/O=Test/CN=c.example.org` is no authority's: its basicConstraints do not say so"
        " (what it issued cannot be trusted; use the certificate of an authority)",
    ),
    "for code signing only": Case(
        alone(usages=(CODE_SIGNING,)),
        "certificate `{subject}` is for other uses than IKE: 1.3.6.1.5.5.7.3.3"
        " (have it issued with ipsecIKE (1.3.6.1.5.5.7.3.17), or without extended key usages)",
    ),
    "named like its authority": Case(
        alone(subject="Test CA"),
        "certificate `/C=XX/O=Test/CN=Test CA` bears the subject of the authority `/C=XX/O=Test/CN=Test CA`"
        " (nobody may be called like an authority: have it issued under another subject)",
    ),
    "named like another authority": Case(
        alone(subject=PARTNER),
        f"certificate `/C=XX/O=Test/CN={PARTNER}` bears the subject of the authority `/C=XX/O=Test/CN={PARTNER}`"
        " (nobody may be called like an authority: have it issued under another subject)",
    ),
}


@dataclass(slots=True)
class Meeting:
    """The end with the bad certificate, the one that refuses it, and whether SAs for traffic were ever installed."""

    bad: Host
    good: Host
    network: Network
    installed: list[Effect]

    @property
    def told(self) -> list[Datagram]:
        """Informational messages of the end that refuses."""
        return [
            sent
            for sent in self.network.carried
            if sent.local.host == self.good.address
            and Header.decode(sent.data).exchange == ExchangeType.INFORMATIONAL
        ]

    def renew(self) -> None:
        """The end with the bad certificate gets a good one, of the same name and with the same key."""
        self.bad.credentials = [credential(NAME[str(self.bad.address)])]


def meeting(case: Case, bad: str) -> Meeting:
    """A begins; at `bad` is the certificate of this case."""
    installed: list[Effect] = []

    def watch(effect: Effect) -> None:
        if isinstance(effect, InstallSa):
            installed.append(effect)

    trusted = [authority().certificate, partner().certificate]
    hosts = {
        host: {"authorities": trusted, "watch": watch, "credentials": [credential(NAME[host])]} for host in (A, B)
    }
    sent = tuple(issued.der for issued in case.chain(NAME[bad]))
    hosts[bad]["credentials"] = [replace(credential(NAME[bad]), chain=sent)]
    a, b = pair(FAST_RSA, a=hosts[A], b=hosts[B])
    network = Network(a, b)
    network.start()
    return Meeting(*((a, b) if bad == A else (b, a)), network, installed)


def check_refusal(met: Meeting, case: Case) -> None:
    """Once, with the reason, whatever was repeated; and nothing came of it where it was refused."""
    name = NAME[str(met.bad.address)]
    (refused,) = met.good.of(PeerRefused)
    assert refused.identity == Identity.fqdn(name)
    assert refused.decision.because == case.because.format(subject=f"/C=XX/O=Test/CN={name}")
    assert met.good.engine.table.ike_sas == {}
    for end in (met.bad, met.good):
        assert end.of(TunnelUp) == []
    assert met.good.of(IkeSaUp) == []
    assert met.installed == []


def check_renewed(met: Meeting) -> None:
    met.renew()
    met.network.run(AGAIN)
    assert_joined(met.bad, met.good)
    for end in (met.bad, met.good):
        assert len(end.engine.table.ike_sas) == 1
    assert len(met.good.of(PeerRefused)) == 1


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_of_the_initiator(case: Case) -> None:
    met = meeting(case, bad=A)
    met.network.run(REFUSED)
    check_refusal(met, case)
    assert met.told == []
    met.network.run(GIVEN_UP)
    check_refusal(met, case)
    assert len(met.told) == 1
    assert met.bad.of(IkeSaUp) == []
    assert met.bad.engine.table.ike_sas == {}
    (failed,) = met.bad.of(ExchangeFailed)
    assert failed.why.startswith("no main mode 6 after 4 attempts; somebody there said AUTHENTICATION_FAILED")
    check_renewed(met)


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_of_the_responder(case: Case) -> None:
    met = meeting(case, bad=B)
    met.network.run(REFUSED)
    check_refusal(met, case)
    assert met.told == []
    assert len(met.bad.of(IkeSaUp)) == 1
    met.network.do(met.bad, met.bad.engine.initiate("tunnel", met.network.clock))
    met.network.run(TOLD)
    check_refusal(met, case)
    assert len(met.told) == 2, "the notification, and the delete"
    assert met.bad.engine.table.ike_sas == {}
    (down,) = met.bad.of(IkeSaDown)
    assert down.why == "the peer does not accept our identity"
    met.network.run(GIVEN_UP - TOLD)
    check_refusal(met, case)
    check_renewed(met)
