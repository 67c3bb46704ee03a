# SPDX-License-Identifier: ISC
"""Main mode row by row until keys are agreed: what leads on from each state, and what does not."""

from dataclasses import replace

import pytest

from ike_auth.authorization.requests import (
    IdentifyPeer,
    PeerIdentified,
    Sign,
)
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import (
    InvalidCookie,
    InvalidExchangeType,
    InvalidFlags,
    InvalidKeyInformation,
    InvalidMessageId,
    LocalError,
    MalformedMessage,
    NoProposalChosen,
    PeerError,
    UnexpectedMessage,
)
from ike_auth.exchanges.v1 import informational, main_mode, phase1
from ike_auth.exchanges.v1.main_mode import (
    Chosen,
    Established,
    Identifying,
    KeysOffered,
    Listening,
    Offered,
    ProofAwaited,
    SigningFirst,
    SigningLast,
)
from ike_auth.sa import Nat
from ike_auth.wire.header import NO_COOKIE, Header
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import ExchangeType, Flags, NotifyType
from ike_auth.wire.payloads import (
    CertificateRequest,
    KeyExchange,
    NatDiscovery,
    Nonce,
    Payload,
    VendorId,
)
from ike_auth.wire.proposals import SecurityAssociation
from tests.ike_auth.configurations import B
from tests.ike_auth.exchanges import sides
from tests.ike_auth.exchanges.sides import VERSION
from tests.ike_auth.gateways import FAST, FAST_RSA
from tests.ike_auth.simulation import endpoint


def changed(data: bytes, *payloads: Payload, drop: type[Payload] | None = None) -> bytes:
    """A clear message with these payloads in the place of those of their kind."""
    message = Message.decode(data)
    kinds = {type(payload) for payload in payloads} | {drop}
    kept = [payload for payload in message.payloads if type(payload) not in kinds]
    first = [p for p in payloads if isinstance(p, SecurityAssociation)]
    return Message(message.header, (*first, *kept, *(p for p in payloads if p not in first))).encode()


# --- the ladder


def test_the_states_in_which_each_message_is_taken() -> None:
    walk = sides.main_mode()
    taken_in = [Listening, Offered, Chosen, KeysOffered, ProofAwaited, ProofAwaited]
    assert [type(state) for state in walk.states.values()] == taken_in
    after = [type(steps[-1].state) for steps in walk.outcomes.values()]
    assert after == [Chosen, KeysOffered, ProofAwaited, ProofAwaited, Established, Established]


def test_with_signatures_both_ask_for_their_own() -> None:
    walk = sides.main_mode(FAST_RSA)
    asked = {number: [type(s.ask) for s in steps if s.ask] for number, steps in walk.outcomes.items()}
    assert asked == {1: [], 2: [], 3: [], 4: [Sign], 5: [IdentifyPeer, Sign], 6: [IdentifyPeer]}
    assert isinstance(walk.outcomes[4][0].state, SigningFirst)
    assert [type(step.state) for step in walk.outcomes[5]] == [Identifying, SigningLast, Established]


def test_every_message_is_taken_in_its_own_state_alone() -> None:
    for options in (FAST, FAST_RSA):
        walk = sides.main_mode(options)
        for number, data in walk.messages.items():
            for other, state in walk.states.items():
                side = walk.i if other % 2 == 0 else walk.r
                # 2 looks like 1, and 4 like 3: by their cookies they do not come here, and they prove nothing.
                if (number, other) not in ((2, 1), (4, 3)) and other != number:
                    with pytest.raises(PeerError):
                        side.take(state, data)
            for steps in walk.outcomes.values():
                for step in steps[:-1]:
                    with pytest.raises(UnexpectedMessage, match="no message is expected now"):
                        walk.r.take(step.state, data)


def test_what_each_state_waits_for_by_name() -> None:
    walk = sides.main_mode(FAST_RSA)
    assert [VERSION.awaited(walk.states[number]) for number in range(1, 7)] == [
        f"main mode {number}" for number in range(1, 7)
    ]
    asking = [step.state for steps in walk.outcomes.values() for step in steps[:-1]]
    assert [VERSION.awaited(state) for state in asking] == [
        "answer about our signature",
        "answer about the peer's identity",
        "answer about our signature",
        "answer about the peer's identity",
    ]
    assert {VERSION.name(state) for state in (*walk.states.values(), *asking)} == {"main mode"}


def test_only_the_initiator_repeats_itself() -> None:
    walk = sides.main_mode(FAST_RSA)
    repeats = [number for number, steps in walk.outcomes.items() if steps[-1].state.awaits_message]
    assert repeats == [2, 4]
    assert walk.states[2].awaits_message
    assert not walk.outcomes[4][0].state.awaits_message


def test_another_exchange_type_is_not_main_mode() -> None:
    walk = sides.main_mode()
    for number, data in walk.messages.items():
        side = walk.i if number % 2 == 0 else walk.r
        other = data[:18] + bytes([ExchangeType.AGGRESSIVE]) + data[19:]
        with pytest.raises(InvalidExchangeType):
            side.take(walk.states[number], other)


# --- message 1


def test_message_1_opens_main_mode_with_peers_of_main_mode() -> None:
    walk = sides.main_mode()
    header = Header.decode(walk.messages[1])
    peer = walk.r.host.configuration.peers["peer"]
    with pytest.raises(InvalidExchangeType, match="AGGRESSIVE from a peer configured for"):
        VERSION.accept_ike(replace(header, exchange=ExchangeType.AGGRESSIVE), peer)
    with pytest.raises(InvalidExchangeType):
        VERSION.accept_ike(header, replace(peer, exchange=ExchangeType.AGGRESSIVE))
    aggressive = replace(header, exchange=ExchangeType.AGGRESSIVE)
    with pytest.raises(InvalidExchangeType):
        VERSION.accept_ike(aggressive, replace(peer, exchange=ExchangeType.AGGRESSIVE))
    with pytest.raises(InvalidMessageId):
        VERSION.accept_ike(replace(header, message_id=7), peer)


def test_message_1_without_anything_acceptable() -> None:
    walk = sides.main_mode()
    other = sides.main_mode({**FAST, "transforms": "AES-256-SHA2-512-GRP31"})
    with pytest.raises(NoProposalChosen):
        walk.r.take(walk.states[1], other.messages[1])


def test_nat_traversal_needs_the_vendor_id_of_both() -> None:
    walk = sides.main_mode()
    without = walk.r.take(walk.states[1], changed(walk.messages[1], drop=VendorId))
    assert isinstance(without.state, Chosen)
    assert not without.state.nat_traversal
    without_2 = walk.i.take(walk.states[2], changed(walk.messages[2], drop=VendorId))
    assert without_2.send is not None
    assert Message.decode(without_2.send).all(NatDiscovery) == ()
    assert len(Message.decode(walk.messages[3]).all(NatDiscovery)) == 2


def test_an_encrypted_message_1_is_none() -> None:
    walk = sides.main_mode()
    header = replace(Header.decode(walk.messages[1]), flags=Flags.ENCRYPTION)
    with pytest.raises(InvalidFlags):
        walk.r.take(walk.states[1], header.encode() + walk.messages[1][28:])


# --- message 2


def test_message_2_has_a_cookie_of_its_own() -> None:
    walk = sides.main_mode()
    message = Message.decode(walk.messages[2])
    for cookie in (NO_COOKIE, message.header.initiator_cookie):
        header = replace(message.header, responder_cookie=cookie)
        with pytest.raises(InvalidCookie):
            walk.i.take(walk.states[2], Message(header, message.payloads).encode())


def test_message_1_that_comes_back_is_no_message_2() -> None:
    walk = sides.main_mode()
    with pytest.raises(InvalidCookie):
        walk.i.take(walk.states[2], walk.messages[1])


def test_message_2_has_to_choose_what_was_offered() -> None:
    walk = sides.main_mode()
    other = sides.main_mode({**FAST, "transforms": "AES-256-SHA2-512-GRP31"})
    chosen = Message.decode(other.messages[2]).one(SecurityAssociation)
    with pytest.raises(NoProposalChosen):
        walk.i.take(walk.states[2], changed(walk.messages[2], chosen))


# --- messages 3 and 4


@pytest.mark.parametrize("number", [3, 4])
def test_a_public_value_has_to_be_of_the_group(number: int) -> None:
    walk = sides.main_mode()
    side = walk.r if number == 3 else walk.i
    for value in (bytes(32), b"\1" * 31, b"\1" * 33):
        with pytest.raises(InvalidKeyInformation):
            side.take(walk.states[number], changed(walk.messages[number], KeyExchange(value)))


@pytest.mark.parametrize("number", [3, 4])
@pytest.mark.parametrize("size", [0, 7, 257])
def test_a_nonce_has_a_size(number: int, size: int) -> None:
    walk = sides.main_mode()
    side = walk.r if number == 3 else walk.i
    with pytest.raises(MalformedMessage, match=f"nonce of {size} bytes"):
        side.take(walk.states[number], changed(walk.messages[number], Nonce(bytes(size))))


def test_our_own_public_value_that_comes_back_is_no_answer() -> None:
    walk = sides.main_mode()
    own = Message.decode(walk.messages[3]).one(KeyExchange)
    with pytest.raises(InvalidKeyInformation, match="our own public value came back"):
        walk.i.take(walk.states[4], changed(walk.messages[4], own))


@pytest.mark.parametrize(
    ("spoilt", "nat"),
    [
        ((), Nat(True, False, False)),
        ((0,), Nat(True, True, False)),
        ((1,), Nat(True, False, True)),
        ((0, 1), Nat(True, True, True)),
    ],
)
def test_nat_detection(spoilt: tuple[int, ...], nat: Nat) -> None:
    walk = sides.main_mode()
    hashes = list(Message.decode(walk.messages[3]).all(NatDiscovery))
    for index in spoilt:
        hashes[index] = NatDiscovery(bytes(32))
    outcome = walk.r.take(walk.states[3], changed(walk.messages[3], *hashes))
    assert isinstance(outcome.state, ProofAwaited)
    assert outcome.state.agreed.nat == nat
    assert outcome.state.port_may_change == nat.detected
    hashes = list(Message.decode(walk.messages[4]).all(NatDiscovery))
    for index in spoilt:
        hashes[index] = NatDiscovery(bytes(32))
    outcome = walk.i.take(walk.states[4], changed(walk.messages[4], *hashes))
    assert isinstance(outcome.state, ProofAwaited)
    assert outcome.state.agreed.nat == nat
    assert outcome.to_nat_port == nat.detected
    assert not outcome.state.port_may_change


def test_one_of_several_addresses_of_the_peer_is_enough() -> None:
    walk = sides.main_mode()
    to_us, from_peer = Message.decode(walk.messages[3]).all(NatDiscovery)
    several = (to_us, NatDiscovery(bytes(32)), from_peer, NatDiscovery(b"\1" * 32))
    outcome = walk.r.take(walk.states[3], changed(walk.messages[3], *several))
    assert isinstance(outcome.state, ProofAwaited)
    assert not outcome.state.agreed.nat.detected


def test_without_nat_discovery_payloads_there_is_no_nat_traversal() -> None:
    walk = sides.main_mode()
    outcome = walk.r.take(walk.states[3], changed(walk.messages[3], drop=NatDiscovery))
    assert isinstance(outcome.state, ProofAwaited)
    assert outcome.state.agreed.nat == Nat(False, False, False)


def test_certificates_are_asked_for_by_the_names_of_the_authorities() -> None:
    walk = sides.main_mode(FAST_RSA)
    (request,) = Message.decode(walk.messages[3]).all(CertificateRequest)
    assert request.data == walk.i.host.gate.anchors.certificates[0].subject_der
    psk = sides.main_mode()
    assert Message.decode(psk.messages[3]).all(CertificateRequest) == ()


def test_more_authorities_than_fit_are_asked_for_without_names() -> None:
    walk = sides.main_mode(FAST_RSA)
    core = walk.i.host.engine._core
    core.settings = replace(core.settings, authorities=(b"0\0",) * 9)
    sent = walk.i.take(walk.states[2], walk.messages[2]).send
    assert sent is not None
    assert [request.data for request in Message.decode(sent).all(CertificateRequest)] == [b""]


def test_a_peer_without_a_pre_shared_key_is_a_mistake_of_ours() -> None:
    walk = sides.main_mode()
    state = walk.states[3]
    assert isinstance(state, Chosen)
    keyless = replace(state, peer=replace(state.peer, preshared_key=None))
    with pytest.raises(LocalError, match=r"peer `peer` has no pre-shared key; add `Authentication=`"):
        walk.r.take(keyless, walk.messages[3])


@pytest.mark.parametrize(("at", "found"), [(4500, True), (500, False)])
def test_an_initiator_that_has_found_a_nat_has_moved(at: int, found: bool) -> None:
    walk = sides.main_mode()
    hashes = list(Message.decode(walk.messages[3]).all(NatDiscovery))
    hashes[1] = NatDiscovery(bytes(32))
    deceived = walk.r.take(walk.states[3], changed(walk.messages[3], *hashes)).state
    assert isinstance(deceived, ProofAwaited)
    genuine = walk.outcomes[5][-1].state
    assert isinstance(genuine, Established)
    given = walk.r.given(walk.outcomes[5][0].ask)  # type: ignore[arg-type]
    assert isinstance(given, PeerIdentified)
    walk.r.own = endpoint(B, at)
    sa = phase1.establish(deceived.agreed, given, genuine.sa.last_block, walk.r.local)
    assert sa.nat == Nat(True, False, found)


# --- hints


def test_a_peer_that_cannot_read_us_complains_in_words_that_we_cannot_read() -> None:
    walk = sides.main_mode()
    state = walk.states[6]
    assert isinstance(state, ProofAwaited)
    agreed = replace(state.agreed, keys=replace(state.agreed.keys, a=Secret(bytes(32))))
    told = informational.refuse(
        main_mode.channel(agreed, state.protection), NotifyType.PAYLOAD_MALFORMED, walk.r.random
    )
    (hint,) = VERSION.hints(state, Header.decode(told), told)
    assert hint == "what we cannot read, which most often means that the pre-shared keys differ"
    rsa = sides.main_mode(FAST_RSA).states[6]
    assert isinstance(rsa, ProofAwaited)
    with pytest.raises(PeerError):
        VERSION.hints(rsa, Header.decode(told), told)


def test_an_offer_goes_by_the_names_of_its_transforms() -> None:
    walk = sides.main_mode()
    assert VERSION.offered(walk.states[2]) == "AES-128-SHA2-256-GRP31"
    assert VERSION.offered(walk.states[4]) == ""
