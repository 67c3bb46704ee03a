# SPDX-License-Identifier: ISC
"""Questions that are answered later, never, twice, or by nonsense."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

import pytest
from cryptography import x509

from ike_auth.authorization.requests import (
    Answer,
    AuthorizeTunnel,
    Decision,
    IdentifyPeer,
    IdentityRequest,
    PeerIdentified,
    Question,
    Sign,
    Signed,
    TunnelAuthorized,
    TunnelRequest,
)
from ike_auth.effects import Ask, Effect, QuestionId
from ike_auth.events import ExchangeFailed, IkeSaDown, IkeSaUp, PeerHint, PeerRefused, TunnelRefused
from ike_auth.exchanges.v1.main_mode import ProofAwaited
from ike_auth.network import Datagram, Now
from ike_auth.wire.header import Header
from ike_auth.wire.payloads import Certificate
from tests.ike_auth.configurations import NAME, A, B
from tests.ike_auth.gateways import FAST_RSA, assert_joined, assert_nothing_left, credential, leftovers, meet, pair
from tests.ike_auth.simulation import FLIGHT, AllowAll, Host, Network, deliver
from tests.pki import factory

NO = Decision(False, "false", "no")
KINDS = (IdentifyPeer, AuthorizeTunnel, Sign)


def hold(*kinds: type[Question]) -> Callable[[Host], None]:
    """Have a host leave questions of these kinds unanswered."""

    def on(host: Host) -> None:
        def answer(question: Question, now: Now) -> Answer | None:
            return None if isinstance(question, kinds) else host.answer_from_gate(question, now)

        host.answer = answer

    return on


def answer_all(network: Network, host: Host) -> int:
    """Answer what is open, as the gate would have at once."""
    asked, host.unanswered = host.unanswered, []
    for ask in asked:
        answer = host.answer_from_gate(ask.question, network.clock)
        network.do(host, host.engine.answer(ask.id, answer, network.clock))
    return len(asked)


@pytest.mark.parametrize("delay", [0.0, 0.1, 3.0, 12.0])
def test_answers_may_take_their_time_while_other_datagrams_come(delay: float) -> None:
    """Every question of both ends, with messages repeated meanwhile; what is asked is asked once."""
    a, b = pair(FAST_RSA)
    asked: list[Effect] = []
    for host in (a, b):
        hold(*KINDS)(host)
        host.watch = asked.append
    network = Network(a, b)
    network.start()
    for _ in range(12):
        network.run(delay or 0.01)
        for host in (a, b):
            answer_all(network, host)
    network.run(5)
    assert_joined(a, b)
    kinds = sorted(type(effect.question).__name__ for effect in asked if isinstance(effect, Ask))
    assert kinds == ["AuthorizeTunnel"] * 2 + ["IdentifyPeer"] * 2 + ["Sign"] * 2
    assert leftovers(a).get("questions") is None


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("end", ["a", "b"])
def test_an_answer_that_does_not_come_is_a_denial(kind: type[Question], end: str) -> None:
    a, b = pair(FAST_RSA)
    hold(kind)(a if end == "a" else b)
    network = meet(a, b, seconds=59)
    assert not a.installed
    assert not b.installed
    network.run(150)
    failed = [event.why for event in (a if end == "a" else b).of(ExchangeFailed)]
    about = {IdentifyPeer: "the peer's identity", AuthorizeTunnel: "the tunnel", Sign: "our signature"}[kind]
    expected = f"no answer about {about} within 120 s"
    if (end, kind) == ("b", AuthorizeTunnel):  # whose initiator has lost patience
        expected = "its phase 1 is gone: deleted by the peer"
    assert any(why.startswith(expected) for why in failed)
    hold()(a)
    hold()(b)
    network.run(400)
    assert_joined(a, b)


@pytest.mark.parametrize("kind", KINDS)
def test_a_late_answer_changes_nothing(kind: type[Question]) -> None:
    a, b = pair(FAST_RSA, of_a={"active": False})
    hold(kind)(b)
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(200)
    assert b.unanswered
    before = leftovers(b)
    assert answer_all(network, b) > 0
    assert leftovers(b) == before
    assert b.engine.counters["late answer"] > 0
    assert not b.installed


def test_an_answer_counts_once() -> None:
    a, b = pair(a={"answer": lambda *_: None})
    network = meet(a, b, seconds=1)
    (ask,) = a.unanswered
    answer = a.answer_from_gate(ask.question, network.clock)
    first = a.engine.answer(ask.id, answer, network.clock)
    assert first != []
    assert a.engine.answer(ask.id, answer, network.clock) == []
    assert a.engine.answer(ask.id, PeerIdentified(NO), network.clock) == []
    assert a.engine.answer(QuestionId(9999), answer, network.clock) == []
    network.do(a, first)
    a.answer = None
    network.run(5)
    assert_joined(a, b)


SENSE: tuple[Answer, ...] = (Signed(b"signature"), TunnelAuthorized(0, (Decision(True, "true", "yes"),)))
OTHERS: tuple[Answer, ...] = (
    Signed(None),
    PeerIdentified(NO),
    TunnelAuthorized(None, ()),
    TunnelAuthorized(0, ()),
    TunnelAuthorized(7, (NO,) * 9),
)


@pytest.mark.parametrize(
    "nonsense",
    SENSE + OTHERS,
    ids=lambda answer: repr(answer)[:40],
)
@pytest.mark.parametrize("kind", KINDS)
def test_an_answer_that_makes_no_sense_is_a_denial(nonsense: Answer, kind: type[Question]) -> None:
    a, b = pair(FAST_RSA, of_a={"active": False})
    fits = {
        IdentifyPeer: (PeerIdentified,),
        AuthorizeTunnel: (TunnelAuthorized,),
        Sign: (Signed,),
    }[kind]
    if isinstance(nonsense, fits) and nonsense in SENSE:
        return
    b.answer = lambda question, now: nonsense if isinstance(question, kind) else b.answer_from_gate(question, now)
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(300)
    assert not a.installed
    assert not b.installed
    if kind is not AuthorizeTunnel:
        assert b.of(IkeSaUp) == []
    assert any(isinstance(event, ExchangeFailed | PeerRefused | TunnelRefused) for event in b.events)


# --- denials


@dataclass(frozen=True, slots=True)
class Raising(AllowAll):
    """An authorizer with a fault in it."""

    where: str = ""

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        if self.where == "identity":
            raise RuntimeError("no such table")
        return Decision(True, "true", "yes")

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        if self.where == "tunnel":
            raise RuntimeError("no such table")
        return Decision(True, "true", "yes")


@pytest.mark.parametrize("end", ["a", "b"])
@pytest.mark.parametrize("where", ["identity", "tunnel"])
def test_an_authorizer_that_raises_has_denied(end: str, where: str) -> None:
    a, b = pair(**{end: {"authorizer": Raising(where=where)}})  # type: ignore[arg-type]
    meet(a, b)
    host = a if end == "a" else b
    refused = host.of(PeerRefused) if where == "identity" else host.of(TunnelRefused)
    assert "authorization failed: RuntimeError" in str(refused[0])
    assert not a.installed
    assert not b.installed


@pytest.mark.parametrize("end", ["a", "b"])
def test_denied_once_is_tried_again_at_the_next_check(end: str) -> None:
    """A registry that did not answer for a moment, say."""
    a, b = pair(FAST_RSA)
    host = a if end == "a" else b
    answers = iter([PeerIdentified(NO)])

    def answer(question: Question, now: Now) -> Answer:
        denied = next(answers, None) if isinstance(question, IdentifyPeer) else None
        return denied or host.answer_from_gate(question, now)

    host.answer = answer
    network = Network(a, b)
    network.start()
    network.run(50)
    assert len(host.of(PeerRefused)) == 1
    assert host.of(IkeSaUp) == []
    network.run(100)
    assert_joined(a, b)


@pytest.mark.parametrize("number", [5, 6])
def test_a_denial_leads_back_and_the_genuine_message_after_it_is_taken(number: int) -> None:
    """A message with the right signature and a certificate that does not hold: one that was altered on its way."""
    a, b = pair(FAST_RSA)
    sender, taker = (a, b) if number == 5 else (b, a)
    name = NAME[A] if number == 5 else NAME[B]
    impostor = factory.leaf(factory.authority("Another CA"), name, key=name)

    def tamper(count: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        if count != number - 1:
            return deliver(count, datagram)
        (exchange,) = [e for e in taker.engine.exchanges if isinstance(e.state, ProofAwaited)]
        header = Header.decode(datagram.data)
        assert isinstance(exchange.state, ProofAwaited)
        message, _ = exchange.state.protection.open(header, datagram.data)
        altered = tuple(replace(p, data=impostor.der) if isinstance(p, Certificate) else p for p in message.payloads)
        forged, _ = exchange.state.protection.seal(header, altered)
        return [(FLIGHT / 2, replace(datagram, data=forged)), (FLIGHT, datagram)]

    meet(a, b, tamper, seconds=1)
    (refused,) = taker.of(PeerRefused)
    assert "not issued by any of the authorities" in str(refused) or "Another CA" in str(refused)
    assert_joined(a, b)
    assert sender.of(IkeSaUp)


@pytest.mark.parametrize("end", ["a", "b"])
def test_who_has_a_certificate_that_does_not_hold_is_told_after_a_while(end: str) -> None:
    """Certificates are not covered by the signature, so the message may have been altered on its way: the peer hears
    of it when nothing better has come for ten seconds, which is before it gives up."""
    elsewhere = [x509.load_der_x509_certificate(factory.authority("Another CA").der)]
    a, b = pair(FAST_RSA, of_a={"active": False}, **{end: {"authorities": elsewhere}})  # type: ignore[arg-type]
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(9)
    host, peer = (a, b) if end == "a" else (b, a)
    assert len(host.of(PeerRefused)) == 1
    assert [event for event in peer.events if isinstance(event, PeerHint | IkeSaDown)] == []
    network.run(2)
    (told,) = [event for event in peer.events if isinstance(event, PeerHint | IkeSaDown)]
    assert "AUTHENTICATION_FAILED" in str(told) or "the peer does not accept our identity" in str(told)
    network.run(300)
    assert len(host.of(PeerRefused)) == 1
    assert_nothing_left(a, b)


@pytest.mark.parametrize("end", ["a", "b"])
def test_who_has_a_certificate_for_somebody_else_is_told_at_once(end: str) -> None:
    """Its chain holds, so nobody has altered it."""
    other = {
        "credentials": [replace(credential(NAME[B if end == "a" else A]), chain=credential("c.example.org").chain)]
    }
    other["credentials"] = [replace(other["credentials"][0], key=credential("c.example.org").key)]
    a, b = pair(FAST_RSA, of_a={"active": False}, **{"b" if end == "a" else "a": other})  # type: ignore[arg-type]
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    host, peer = (a, b) if end == "a" else (b, a)
    assert "is not certified" in str(host.of(PeerRefused)[0])
    assert any(isinstance(event, PeerHint | IkeSaDown) for event in peer.events)


def test_a_denial_is_repeated_for_the_same_bytes_without_asking_again() -> None:
    asked: list[Effect] = []
    a, b = pair(b={"answer": lambda *_: PeerIdentified(NO), "watch": asked.append})
    meet(a, b, seconds=50)
    assert len([effect for effect in asked if isinstance(effect, Ask)]) == 1
    assert len(b.of(PeerRefused)) == 1
    assert b.engine.counters["repeated"] >= 3


def test_a_denied_peer_is_reported_once_and_not_as_a_failure_too() -> None:
    a, b = pair(of_a={"active": False}, b={"answer": lambda *_: PeerIdentified(NO)})
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(300)
    assert len(b.of(PeerRefused)) == 1
    assert b.of(ExchangeFailed) == []
    (failed,) = a.of(ExchangeFailed)
    assert "no main mode 6 after 4 attempts" in failed.why
    assert "AUTHENTICATION_FAILED" in failed.why
    assert_nothing_left(a, b)


def test_a_responder_that_the_initiator_denies_forgets_its_sa() -> None:
    a, b = pair(of_a={"active": False}, a={"answer": lambda *_: PeerIdentified(NO)})
    network = Network(a, b)
    network.do(a, a.engine.initiate("tunnel", network.clock))
    network.run(1)
    assert len(b.of(IkeSaUp)) == 1
    (down,) = b.of(IkeSaDown)
    assert down.why == "the peer does not accept our identity"
    network.run(300)
    assert_nothing_left(a, b)
