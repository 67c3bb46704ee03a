# SPDX-License-Identifier: ISC
"""Our steps in the place of either end of exchanges that other daemons had with each other.

What an end draws at random is taken from the record: cookies, nonces, SPIs, message ids, and of each Diffie-Hellman
share the public value and what came of it. Everything else our steps have to arrive at by themselves: hashes, keys,
the messages as they stand in the record, byte for byte where the protocol leaves no choice, and the same IV chain.
"""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache

import pytest

from ike_auth.authorization.requests import IdentifyPeer
from ike_auth.exchanges.steps import AddTunnel, DeleteIkeSa, DeleteTunnels, FailPhase2, Outcome, State
from ike_auth.exchanges.v1 import informational, quick_mode
from ike_auth.exchanges.v1.main_mode import Chosen, Identifying, KeysOffered, Offered, ProofAwaited
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import AuthenticationMethod, ExchangeType, ProtocolId
from ike_auth.wire.payloads import CertificateRequest, Delete, KeyExchange, NatDiscovery, Nonce, Notification
from ike_auth.wire.proposals import SecurityAssociation
from tests.ike_auth.exchanges.recorded_ends import (
    AGREED,
    PATHS,
    End,
    as_recorded,
    datagram,
    messages,
    proof,
    recorded,
    take,
)
from tests.ike_auth.exchanges.sides import VERSION, made

every = pytest.mark.parametrize("name", AGREED)
both_ends = pytest.mark.parametrize("initiator", [True, False], ids=["initiator", "responder"])


# --- main mode


def keys_agreed(end: End) -> ProofAwaited:
    """Up to where the proofs begin: messages 1 to 4."""
    record = end.record
    cookies = Cookies(record.cky_i, record.cky_r)
    if end.initiator:
        offer = record.clear[0].one(SecurityAssociation)
        state: State = Offered(end.configuration.peers["peer"], record.cky_i, offer)
        with end.sharing(*end.public, record.g_xy.reveal()):
            outcome = take(state, datagram(record, 2), end.local(record.ni))
        assert isinstance(outcome.state, KeysOffered)
        assert_keys(outcome, record.clear[2], end)
        outcome = end.answer(take(outcome.state, datagram(record, 4), end.local()), end.local())
        assert outcome.to_nat_port == end.behind_nat
    else:
        listening = VERSION.accept_ike(Header.decode(datagram(record, 1)), end.configuration.peers["peer"])
        outcome = take(listening, datagram(record, 1), end.local(record.cky_r))
        assert isinstance(outcome.state, Chosen)
        assert outcome.send is not None
        chosen = Message.decode(outcome.send).one(SecurityAssociation)
        assert chosen.raw == record.clear[1].one(SecurityAssociation).raw
        with end.sharing(*end.public, record.g_xy.reveal()):
            outcome = take(outcome.state, datagram(record, 3), end.local(record.nr))
        assert_keys(outcome, record.clear[3], end)
    assert isinstance(outcome.state, ProofAwaited)
    assert outcome.state.agreed.cookies == cookies
    assert outcome.state.agreed.keys == record.skeyid
    assert outcome.state.agreed.nat.detected == end.behind_nat
    return outcome.state


def assert_keys(outcome: Outcome, theirs: Message, end: End) -> None:
    """Message 3 or 4 as recorded; charon tells a lie about its own address, to be taken for behind NAT."""
    assert outcome.send is not None
    ours = Message.decode(outcome.send)
    assert ours.header == replace(theirs.header, length=ours.header.length)
    assert [p for p in ours.payloads if isinstance(p, KeyExchange | Nonce)] == list(theirs.payloads[:2])
    about_them, about_us = ours.all(NatDiscovery)
    assert theirs.all(NatDiscovery)[0] == about_them
    assert (theirs.all(NatDiscovery)[1] == about_us) != end.behind_nat


@every
@both_ends
def test_skeyid_and_nat_detection(name: str, initiator: bool) -> None:
    keys_agreed(End(recorded(name), name, initiator))


@every
@both_ends
def test_our_own_proof(name: str, initiator: bool) -> None:
    """HASH or SIG as recorded, and the recorded payloads sealed by our IV chain are the recorded message."""
    end = End(recorded(name), name, initiator)
    ours = proof(end.record, initiator)
    state = keys_agreed(end)
    port = 4500 if end.behind_nat else 500
    if initiator:
        offered = end.record.clear[0].one(SecurityAssociation)
        first = Offered(end.configuration.peers["peer"], end.record.cky_i, offered)
        with end.sharing(*end.public, end.record.g_xy.reveal()):
            keys = take(first, datagram(end.record, 2), end.local(end.record.ni)).state
        sent = end.answer(take(keys, datagram(end.record, 4), end.local()), end.local()).send
        before = state.agreed.protection
    else:
        asked = take(state, proof(end.record, True).datagram, end.local(port=port))
        assert isinstance(asked.state, Identifying)
        before = asked.state.following
        sent = end.answer(asked, end.local(port=port)).send
    assert before.iv == ours.iv
    assert sent is not None
    mine = before.open(Header.decode(sent), sent)[0].payloads
    assert mine == tuple(p for p in ours.message.payloads if not isinstance(p, Notification | CertificateRequest))
    sealed, _ = before.seal(ours.message.header, ours.message.payloads)
    assert as_recorded(sealed, ours.datagram, before.cipher.block_size)


@every
@both_ends
def test_the_proof_of_the_other_end(name: str, initiator: bool) -> None:
    """It is checked, whatever stands beside it, and the question is about the recorded identity."""
    established(End(recorded(name), name, initiator))


@cache
def established_once(name: str, initiator: bool) -> IkeSa:
    """With the last block of the record: ours is another one where they append a payload to message 6."""
    record = recorded(name)
    return replace(established(End(record, name, initiator)), last_block=record.last_phase1_block)


def established(end: End) -> IkeSa:
    """Up to the SA."""
    record = end.record
    port = 4500 if end.behind_nat else 500
    theirs = proof(record, not end.initiator)
    state = keys_agreed(end)
    if end.initiator:
        # What we sent is what they recorded, so the IV of message 6 is the last block of that.
        state = replace(
            state, protection=replace(state.protection, iv=proof(record, True).datagram[-len(theirs.iv) :])
        )
    outcome = take(state, theirs.datagram, end.local(port=port))
    assert isinstance(outcome.ask, IdentifyPeer)
    assert outcome.ask.identity == theirs.message.one(Identity).normalized()
    if record.method == AuthenticationMethod.RSA_SIG:
        assert outcome.ask.credential == end.certificates(not end.initiator)
    return made(end.answer(outcome, end.local(port=port)))


@every
def test_the_last_block_of_phase_1(name: str) -> None:
    """From which the IVs of all that follows are made: the initiator takes it from message 6."""
    record = recorded(name)
    assert established(End(record, name, True)).last_block == record.last_phase1_block


@pytest.mark.parametrize("name", ["isakmpd-psk", "isakmpd-rsa"])
@both_ends
def test_every_value_that_isakmpd_traced_on_the_way(name: str, initiator: bool) -> None:
    """What our states hold, under its names for it."""
    end = End(recorded(name), name, initiator)
    state, ike = keys_agreed(end), established_once(name, initiator)
    first_of_quick = messages(end.record, ExchangeType.QUICK)[0]
    listening = VERSION.accept_child(first_of_quick.message.header, ike)
    assert isinstance(listening, quick_mode.Listening)
    traced = dict(reversed(end.record.trace))  # the first of each
    at_keys, keys = "ike_phase_1_post_exchange_KE_NONCE: ", state.agreed.keys
    assert traced[at_keys + "SKEYID"] == keys.skeyid.reveal()
    assert traced[at_keys + "SKEYID_d"] == keys.d.reveal()
    assert traced[at_keys + "SKEYID_a"] == keys.a.reveal()
    assert traced[at_keys + "SKEYID_e"] == keys.e.reveal()
    assert traced["crypto_init_iv: initialized IV"] == state.agreed.protection.iv
    assert traced["ike_phase_1_recv_AUTH: computed HASH_I"] == end.hash_of(state, initiator=True)
    assert traced["ipsec_get_keystate: final phase 1 IV"] == ike.last_block
    assert traced["ipsec_get_keystate: phase 2 IV"] == listening.protection.iv


# --- quick mode


def quick_numbers(end: End) -> tuple[bytes, bytes, bytes, tuple[bytes, bytes] | None]:
    """What we drew for our message of quick mode: id, nonce, SPI, and public values if there was PFS."""
    one, two = messages(end.record, ExchangeType.QUICK)[:2]
    ours, theirs = (one, two) if end.initiator else (two, one)
    key = ours.message.first(KeyExchange)
    publics = None if key is None else (key.data, theirs.message.one(KeyExchange).data)
    spi = ours.message.one(SecurityAssociation).proposals[0].spi
    return one.message.header.message_id.to_bytes(4, "big"), ours.message.one(Nonce).data, spi, publics


@every
def test_message_2_and_the_keys_of_the_responder(name: str) -> None:
    end = End(recorded(name), name, False)
    ike = established_once(name, False)
    one, two, three = messages(end.record, ExchangeType.QUICK)[:3]
    _, nonce, spi, publics = quick_numbers(end)
    local = end.local(nonce, spi=spi, port=4500)
    with end.sharing(*(publics or (b"", b"")), end.record.secrets[-1]):
        asked = take(VERSION.accept_child(one.message.header, ike), one.datagram, local)
        answered = end.answer(asked, local)
    assert as_recorded(answered.send, two.datagram, ike.cipher.block_size)
    state = answered.state
    if isinstance(state, quick_mode.Answered):  # who pads more goes on from another block
        iv = two.datagram[-ike.cipher.block_size :]
        state = replace(state, protections=tuple(replace(p, iv=iv) for p in state.protections))
    outcome = take(state, three.datagram, local)
    assert_keys_of(tunnel_of(outcome), end)


def test_message_1_and_3_and_the_keys_of_the_initiator() -> None:
    """Where our configuration says what the initiator's said, our offer is its offer, byte for byte."""
    same = 0
    for name in AGREED:
        end = End(recorded(name), name, True)
        ike = established_once(name, True)
        one, two, three = messages(end.record, ExchangeType.QUICK)[:3]
        id, nonce, spi, publics = quick_numbers(end)
        local = end.local(id, nonce, spi=spi, port=4500)
        with end.sharing(*(publics or (b"", b"")), end.record.secrets[-1]):
            begun = VERSION.initiate_child(ike, end.configuration.connections["tunnel"], local)
        same += as_recorded(begun.send, one.datagram, ike.cipher.block_size)
        offered = begun.state
        assert isinstance(offered, quick_mode.Offered)
        # charon writes the same offer with other attributes first; from here on with what it has offered.
        theirs = replace(
            offered,
            offer=one.message.one(SecurityAssociation),
            protection=replace(offered.protection, iv=one.datagram[-ike.cipher.block_size :]),
        )
        confirmed = end.answer(take(theirs, two.datagram, local), local)
        assert as_recorded(confirmed.send, three.datagram, ike.cipher.block_size)
        assert_keys_of(tunnel_of(confirmed), end)
    assert same == 2, "the two isakmpds"


def tunnel_of(outcome: Outcome) -> Tunnel:
    (tunnel,) = [change.tunnel for change in outcome.changes if isinstance(change, AddTunnel)]
    return tunnel


def assert_keys_of(tunnel: Tunnel, end: End) -> None:
    keys = {sa.spi.hex(): (sa.encryption_key.reveal() + sa.integrity_key.reveal()).hex() for sa in tunnel.sas}
    assert keys == {key["spi"]: key["keymat"] for key in end.record.record["responder_ipsec_keys"]}


# --- informational


@every
@both_ends
def test_deletes(name: str, initiator: bool) -> None:
    """Who receives them reads them; who sends them writes them as recorded."""
    end = End(recorded(name), name, initiator)
    ike = established_once(name, initiator)
    for told in messages(end.record, ExchangeType.INFORMATIONAL):
        id = told.message.header.message_id.to_bytes(4, "big")
        delete = told.message.first(Delete)
        if delete is None:
            continue
        if told.by_initiator != initiator:
            (change,) = take(VERSION.accept_child(told.message.header, ike), told.datagram, end.local()).changes
            if delete.protocol == ProtocolId.ISAKMP:
                assert isinstance(change, DeleteIkeSa)
                assert change.cookies == ike.cookies
            else:
                assert isinstance(change, DeleteTunnels)
                assert change.spis == delete.spis
        elif delete.protocol == ProtocolId.ISAKMP:
            sent = informational.delete_ike_sa(informational.Channel.of(ike), lambda _, id=id: id)  # type: ignore[misc]
            assert as_recorded(sent, told.datagram, ike.cipher.block_size)


def test_dead_peer_detection() -> None:
    """RFC 3706: the recorded R-U-THERE gets the recorded acknowledgement."""
    end = End(recorded("psk"), "psk", False)
    asked, told = (o for o in messages(end.record, ExchangeType.INFORMATIONAL) if o.message.first(Notification))
    ike = established_once("psk", False)
    id = told.message.header.message_id.to_bytes(4, "big")
    outcome = take(VERSION.accept_child(asked.message.header, ike), asked.datagram, end.local(id))
    (sent,) = outcome.notify
    assert as_recorded(sent, told.datagram, ike.cipher.block_size)


# --- refusals


def test_a_refused_identity_is_a_hint() -> None:
    record = recorded("refused-identity")
    state = keys_agreed(End(record, "refused-identity", True))
    sent = next(o for o in record.opened if o.by_initiator)
    (told,) = messages(record, ExchangeType.INFORMATIONAL)
    state = replace(state, protection=replace(state.protection, iv=sent.datagram[-16:]))
    assert VERSION.hints(state, told.message.header, told.datagram) == ("AUTHENTICATION_FAILED",)


def test_a_refused_quick_mode_names_no_spi() -> None:
    name = "refused-phase2-proposal"
    ike = established_once(name, True)
    told = next(o for o in messages(recorded(name), ExchangeType.INFORMATIONAL) if not o.by_initiator)
    end = End(recorded(name), name, True)
    (change,) = take(VERSION.accept_child(told.message.header, ike), told.datagram, end.local()).changes
    assert change == FailPhase2(ike, None, "NO_PROPOSAL_CHOSEN")


def test_a_refused_proposal_of_phase_1_is_a_hint() -> None:
    record = json.loads(PATHS["refused-phase1-proposal"].read_text())
    data = bytes.fromhex(record["datagrams"][1]["hex"])
    offered = Message.decode(bytes.fromhex(record["datagrams"][0]["hex"]))
    peer = End(recorded("psk"), "psk", True).configuration.peers["peer"]
    state = Offered(peer, offered.header.initiator_cookie, offered.one(SecurityAssociation))
    assert VERSION.hints(state, Header.decode(data), data) == ("NO_PROPOSAL_CHOSEN",)
    assert state.ike_cookies == Cookies(offered.header.initiator_cookie, bytes(8))
