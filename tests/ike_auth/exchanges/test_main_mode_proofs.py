# SPDX-License-Identifier: ISC
"""Main mode, messages 5 and 6: proofs of identity, what is asked about them, and the SA that they lead to."""

from dataclasses import replace
from datetime import timedelta

import pytest

from ike_auth.authorization.requests import (
    Decision,
    IdentifyPeer,
    PeerIdentified,
    Sign,
    Signed,
    TunnelAuthorized,
)
from ike_auth.crypto.secrets import Secret
from ike_auth.effects import Report
from ike_auth.errors import (
    AuthenticationFailed,
    InvalidCertificate,
    InvalidFlags,
    InvalidIdInformation,
    LocalError,
    PeerError,
    UnexpectedMessage,
)
from ike_auth.events import IkeSaUp, PeerRefused
from ike_auth.exchanges.steps import AddIkeSa, Outcome, OwnCertificate, State
from ike_auth.exchanges.v1.main_mode import (
    Established,
    ProofAwaited,
)
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import CertEncoding, ExchangeType, Flags
from ike_auth.wire.payloads import (
    Certificate,
    CertificateRequest,
    Hash,
    Payload,
    Signature,
    VendorId,
)
from tests.ike_auth.configurations import NAME, A, B
from tests.ike_auth.exchanges import sides
from tests.ike_auth.exchanges.sides import VERSION, Side, Walk
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, credential
from tests.ike_auth.simulation import endpoint
from tests.pki import factory

NO = Decision(False, "false", "no")


def sealed(state: State, *payloads: Payload) -> bytes:
    """An encrypted message for this state, with whatever in it."""
    assert isinstance(state, ProofAwaited | Established)
    cookies = state.agreed.cookies if isinstance(state, ProofAwaited) else state.sa.cookies
    header = Header(cookies.initiator, cookies.responder, exchange=ExchangeType.MAIN)
    return state.protection.seal(header, payloads)[0]


def opened(state: State, data: bytes) -> tuple[Payload, ...]:
    assert isinstance(state, ProofAwaited | Established)
    return state.protection.open(Header.decode(data), data)[0].payloads


def events(outcome: Outcome) -> list[object]:
    return [effect.event for effect in outcome.after if isinstance(effect, Report)]


# --- messages 5 and 6


def prover(walk: Walk, number: int) -> Side:
    """Who takes this proof."""
    return walk.r if number == 5 else walk.i


@pytest.mark.parametrize("number", [5, 6])
def test_a_wrong_hash_leaves_everything_as_it_was(number: int) -> None:
    walk = sides.main_mode()
    state, side = walk.states[number], prover(walk, number)
    identity, proof = opened(state, walk.messages[number])
    assert isinstance(proof, Hash)
    for wrong in (bytes(32), proof.data[:31], proof.data + b"\0", b""):
        with pytest.raises(AuthenticationFailed, match="the pre-shared keys differ, or somebody interfered"):
            side.take(state, sealed(state, identity, Hash(wrong)))
    other = Identity.fqdn("somebody.else.example.org")
    with pytest.raises(AuthenticationFailed):
        side.take(state, sealed(state, other, proof))


def test_the_two_hashes_are_not_the_same() -> None:
    """Who sends back our own proof has proved nothing."""
    walk = sides.main_mode()
    _, hash_i = opened(walk.states[5], walk.messages[5])
    identity, _ = opened(walk.states[6], walk.messages[6])
    with pytest.raises(AuthenticationFailed):
        walk.i.take(walk.states[6], sealed(walk.states[6], identity, hash_i))


@pytest.mark.parametrize("number", [5, 6])
def test_an_identity_that_cannot_name_a_peer(number: int) -> None:
    walk = sides.main_mode()
    state, side = walk.states[number], prover(walk, number)
    _, proof = opened(state, walk.messages[number])
    for identity in (Identity.fqdn("*.example.org"), Identity.key_id(b""), Identity.fqdn("")):
        with pytest.raises(InvalidIdInformation):
            side.take(state, sealed(state, identity, proof))


@pytest.mark.parametrize("number", [5, 6])
def test_a_proof_in_the_clear_is_none(number: int) -> None:
    walk = sides.main_mode()
    state = walk.states[number]
    header = Header.decode(walk.messages[number])
    clear = Message(replace(header, flags=Flags.NONE), opened(state, walk.messages[number])).encode()
    with pytest.raises(InvalidFlags):
        prover(walk, number).take(state, clear)


def test_other_keys_show_as_a_message_that_makes_no_sense() -> None:
    walk = sides.Walk(*sides.sides(of_b={"key": "another key"}))
    one = walk.i.begin()
    assert one.send is not None
    two = walk.r.take(walk.r.listen(one.send), one.send)
    assert two.send is not None
    three = walk.i.take(one.state, two.send)
    assert three.send is not None
    four = walk.r.take(two.state, three.send)
    assert four.send is not None
    five = walk.i.take(three.state, four.send)
    assert five.send is not None
    with pytest.raises(
        PeerError, match="main mode 5 cannot be read, which most often means that the pre-shared keys"
    ):
        walk.r.take(four.state, five.send)


def test_vendor_ids_and_certificate_requests_may_stand_beside_a_proof() -> None:
    walk = sides.main_mode()
    state = walk.states[5]
    identity, proof = opened(state, walk.messages[5])
    more = (VendorId(b"somebody's"), CertificateRequest(CertEncoding.X509_SIGNATURE, b""))
    assert walk.r.take(state, sealed(state, identity, *more, proof)).ask == walk.outcomes[5][0].ask


def test_the_question_says_who_by_which_proof_and_from_where() -> None:
    psk = sides.main_mode().outcomes[5][0].ask
    assert isinstance(psk, IdentifyPeer)
    assert psk.identity == Identity.address(endpoint(A).host)
    assert isinstance(psk.credential, Secret)
    assert (psk.negotiation.local, psk.negotiation.remote) == (endpoint(B).host, endpoint(A).host)
    assert not psk.negotiation.initiator
    rsa = sides.main_mode(FAST_RSA).outcomes[6][0].ask
    assert isinstance(rsa, IdentifyPeer)
    assert rsa.credential == credential(NAME[B]).chain
    assert rsa.negotiation.initiator


def test_the_identity_is_asked_about_in_its_normal_form() -> None:
    walk = sides.main_mode()
    state = walk.states[5]
    assert isinstance(state, ProofAwaited)
    loud = Identity(Identity.fqdn("x").type, 17, 500, b"GW.Example.ORG")
    keys, agreed = state.agreed.keys, state.agreed
    proof = keys.hash_i(
        g_xi=agreed.public_i,
        g_xr=agreed.public_r,
        cky_i=agreed.cookies.initiator,
        cky_r=agreed.cookies.responder,
        sa_i=agreed.sa_body,
        id_i=loud.encode(),
    )
    asked = walk.r.take(state, sealed(state, loud, Hash(proof))).ask
    assert isinstance(asked, IdentifyPeer)
    assert asked.identity == Identity.fqdn("gw.example.org")


# --- signatures


@pytest.mark.parametrize("number", [5, 6])
def test_a_signature_of_something_else(number: int) -> None:
    walk = sides.main_mode(FAST_RSA)
    state, side = walk.states[number], prover(walk, number)
    identity, certificate, signature = opened(state, walk.messages[number])
    assert isinstance(signature, Signature)
    for wrong in (bytes(256), signature.data[:-1], b""):
        with pytest.raises(AuthenticationFailed):
            side.take(state, sealed(state, identity, certificate, Signature(wrong)))
    with pytest.raises(AuthenticationFailed):
        side.take(state, sealed(state, Identity.fqdn("other.example.org"), certificate, signature))


def test_a_signature_by_the_key_of_another_certificate() -> None:
    walk = sides.main_mode(FAST_RSA)
    state = walk.states[5]
    identity, _, signature = opened(state, walk.messages[5])
    another = Certificate(CertEncoding.X509_SIGNATURE, credential(NAME[B]).chain[0])
    with pytest.raises(AuthenticationFailed):
        walk.r.take(state, sealed(state, identity, another, signature))


def test_without_a_certificate_one_that_is_known_will_do() -> None:
    walk = sides.main_mode(FAST_RSA)
    state = walk.states[5]
    identity, _, signature = opened(state, walk.messages[5])
    bare = sealed(state, identity, signature)
    with pytest.raises(AuthenticationFailed, match="sent no certificate, and none of that name is in Cert-directory"):
        walk.r.take(state, bare)
    chain = credential(NAME[A]).chain
    walk.r.known = {Identity.fqdn(NAME[A]): OwnCertificate(chain)}
    asked = walk.r.take(state, bare).ask
    assert isinstance(asked, IdentifyPeer)
    assert asked.credential == chain


def test_certificates_of_other_encodings_are_not_looked_at() -> None:
    walk = sides.main_mode(FAST_RSA)
    state = walk.states[5]
    identity, certificate, signature = opened(state, walk.messages[5])
    crl = Certificate(CertEncoding.CRL, b"whatever")
    assert walk.r.take(state, sealed(state, identity, crl, certificate, signature)).ask is not None
    with pytest.raises(AuthenticationFailed, match="sent no certificate"):
        walk.r.take(state, sealed(state, identity, crl, signature))


@pytest.mark.parametrize("der", [b"", b"0\x80", b"no certificate at all"])
def test_a_certificate_that_cannot_be_read(der: bytes) -> None:
    walk = sides.main_mode(FAST_RSA)
    state = walk.states[5]
    identity, _, signature = opened(state, walk.messages[5])
    with pytest.raises(InvalidCertificate, match="the peer's certificate cannot be read"):
        walk.r.take(state, sealed(state, identity, Certificate(CertEncoding.X509_SIGNATURE, der), signature))


def test_a_key_that_is_not_rsa() -> None:
    walk = sides.main_mode(FAST_RSA)
    state = walk.states[5]
    identity, _, signature = opened(state, walk.messages[5])
    issued = factory.leaf(factory.authority(), NAME[A], key=factory.ec_key())
    with pytest.raises(AuthenticationFailed, match="not an RSA key"):
        walk.r.take(state, sealed(state, identity, Certificate(CertEncoding.X509_SIGNATURE, issued.der), signature))


@pytest.mark.parametrize("number", [4, 5])
def test_without_a_key_of_our_own_there_is_no_signature(number: int) -> None:
    walk = sides.main_mode(FAST_RSA)
    side = walk.i if number == 4 else walk.r
    asks = next(step for step in walk.outcomes[number] if isinstance(step.ask, Sign))
    with pytest.raises(LocalError, match="no certificate with a private key for our identity FQDN"):
        side.answer(asks, Signed(None))
    side.host.credentials = ()
    with pytest.raises(LocalError, match="no certificate with a private key for our identity FQDN"):
        side.answer(asks, Signed(b"signature"))


def test_an_answer_to_another_question_is_none() -> None:
    walk = sides.main_mode(FAST_RSA)
    with pytest.raises(LocalError, match="asked about our signature, and was answered by PeerIdentified"):
        walk.i.answer(walk.outcomes[4][0], PeerIdentified(NO))
    with pytest.raises(LocalError, match="asked about the peer's identity, and was answered by TunnelAuthorized"):
        walk.r.answer(walk.outcomes[5][0], TunnelAuthorized(None, ()))


# --- refusals


def test_a_refusal_leads_back_to_where_the_genuine_message_is_still_taken() -> None:
    for number in (5, 6):
        walk = sides.main_mode()
        side = prover(walk, number)
        refused = side.answer(walk.outcomes[number][0], PeerIdentified(NO))
        assert refused.state is walk.states[number]
        assert refused.send is None
        assert refused.changes == ()
        (event,) = events(refused)
        assert isinstance(event, PeerRefused)
        assert event.decision == NO
        assert side.answer(side.take(refused.state, walk.messages[number])).changes != ()


@pytest.mark.parametrize("number", [5, 6])
def test_a_doubtful_refusal_tells_nobody_yet(number: int) -> None:
    walk = sides.main_mode(FAST_RSA)
    side = prover(walk, number)
    refused = side.answer(walk.outcomes[number][0], PeerIdentified(NO, doubtful=True))
    certain = side.answer(walk.outcomes[number][0], PeerIdentified(NO))
    assert refused.state is certain.state is walk.states[number]
    assert (refused.notify, certain.doubts) == ((), ())
    assert len(refused.doubts) == len(certain.notify) == number - 4
    assert events(refused) == events(certain)


def test_a_refused_initiator_is_told_by_a_notification() -> None:
    walk = sides.main_mode()
    refused = walk.r.answer(walk.outcomes[5][0], PeerIdentified(NO))
    (told,) = refused.notify
    assert VERSION.hints(walk.states[6], Header.decode(told), told) == ("AUTHENTICATION_FAILED",)


def test_a_refused_responder_is_told_that_its_sa_is_gone() -> None:
    walk = sides.main_mode()
    refused = walk.i.answer(walk.outcomes[6][0], PeerIdentified(NO))
    assert len(refused.notify) == 2
    _, ike = walk.sas
    outcomes = [walk.r.take(walk.r.listen_child(ike, told), told) for told in refused.notify]
    assert [type(change).__name__ for outcome in outcomes for change in outcome.changes] == ["DeleteIkeSa"] * 2


# --- the SA


def test_both_ends_come_to_the_same_sa() -> None:
    for options in (FAST, FAST_RSA):
        ike_i, ike_r = sides.main_mode(options).sas
        assert (ike_i.initiator, ike_r.initiator) == (True, False)
        for name in ("cookies", "suite", "last_block", "keys", "exchange", "nat"):
            assert getattr(ike_i, name) == getattr(ike_r, name)
        assert ike_i.own_identity == ike_r.identity
        assert ike_r.own_identity == ike_i.identity


def test_it_ends_with_its_lifetime_or_with_what_authorized_the_peer() -> None:
    walk = sides.main_mode()
    asked = walk.outcomes[5][0]
    assert asked.ask is not None
    given = walk.r.given(asked.ask)
    assert isinstance(given, PeerIdentified)
    for ends, life in ((None, 3600.0), (timedelta(minutes=10), 600.0), (timedelta(days=9), 3600.0)):
        expires = None if ends is None else walk.r.now.utc + ends
        sa = sides.made(walk.r.answer(asked, replace(given, expires=expires)))
        assert sa.expires == walk.r.now.monotonic + life
        assert sa.authorization_ends == expires


def test_up_is_reported_once() -> None:
    walk = sides.main_mode()
    for number in (5, 6):
        assert [type(event) for event in events(walk.outcomes[number][-1])] == [IkeSaUp]


# --- the same proof in another ciphertext


@pytest.mark.parametrize("options", [FAST, FAST_RSA], ids=["psk", "rsa"])
def test_message_5_in_another_ciphertext_gets_message_6_chained_from_it(options: Options) -> None:
    walk = sides.main_mode(options)
    before, done = walk.states[5], walk.outcomes[5][-1].state
    payloads = opened(before, walk.messages[5])
    altered = sealed(before, *payloads, VendorId(b"something that nobody vouches for"))
    again = walk.r.take(done, altered)
    assert again.state is done
    assert again.send not in (None, walk.messages[6])
    (change,) = again.changes
    assert isinstance(change, AddIkeSa)
    # A peer whose message 5 this was reads the answer, and both have the same last block.
    awaiting = walk.states[6]
    assert isinstance(awaiting, ProofAwaited)
    assert isinstance(before, ProofAwaited)
    following = before.protection.open(Header.decode(altered), altered)[1]
    assert again.send is not None
    outcome = walk.i.answer(walk.i.take(replace(awaiting, protection=following), again.send))
    assert sides.made(outcome).last_block == change.sa.last_block != walk.sas[0].last_block


def test_message_6_in_another_ciphertext_makes_another_variant_of_the_sa() -> None:
    walk = sides.main_mode()
    before, done = walk.states[6], walk.outcomes[6][-1].state
    altered = sealed(before, *opened(before, walk.messages[6]), VendorId(b"something"))
    again = walk.i.take(done, altered)
    assert again.send is None
    assert again.ask is None
    (change,) = again.changes
    assert isinstance(change, AddIkeSa)
    assert replace(change.sa, last_block=walk.sas[0].last_block) == walk.sas[0]
    assert change.sa.last_block == altered[-16:]


def test_what_is_not_the_proof_that_was_taken_changes_nothing() -> None:
    walk = sides.main_mode(FAST_RSA)
    state, done = walk.states[5], walk.outcomes[5][-1].state
    identity, certificate, signature = opened(state, walk.messages[5])
    for payloads in (
        (identity, certificate, Signature(bytes(256))),
        (Identity.fqdn("other.example.org"), certificate, signature),
    ):
        with pytest.raises(UnexpectedMessage, match="another message than the one that was taken here"):
            walk.r.take(done, sealed(state, *payloads))
    with pytest.raises(PeerError):
        walk.r.take(done, sealed(state, identity, certificate))
    with pytest.raises(PeerError):
        walk.r.take(done, walk.messages[6])
