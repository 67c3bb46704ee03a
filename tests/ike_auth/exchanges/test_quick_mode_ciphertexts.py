# SPDX-License-Identifier: ISC
"""The same message of quick mode in another ciphertext, which whoever lost the first one may send."""

from dataclasses import replace

import pytest

from ike_auth.errors import PeerError
from ike_auth.exchanges.v1.chaining import MAX_CHAINS
from ike_auth.exchanges.v1.quick_mode import Answered, Listening, Offered
from ike_auth.wire.header import Header
from ike_auth.wire.messages import encode_payloads
from ike_auth.wire.payloads import Nonce
from tests.ike_auth.exchanges import sides
from tests.ike_auth.exchanges.forging import altered, made, opened, repadded


def test_message_1_in_another_ciphertext_gets_message_2_chained_from_it() -> None:
    walk = sides.quick_mode()
    before, state = walk.states[1], walk.states[3]
    assert isinstance(before, Listening)
    assert isinstance(state, Answered)
    other = repadded(walk, 1)
    again = walk.r.take(state, other)
    assert (again.ask, again.before, again.after, again.changes) == (None, (), (), ())
    assert again.send not in (None, walk.messages[2])
    assert isinstance(again.state, Answered)
    assert again.state.tunnel is state.tunnel
    # The initiator whose message 1 that was reads the answer, and its message 3 is taken; the other one's as well.
    offered = walk.states[2]
    assert isinstance(offered, Offered)
    following = before.protection.open(Header.decode(other), other)[1]
    assert again.send is not None
    third = walk.i.answer(walk.i.take(replace(offered, protection=following), again.send)).send
    assert third is not None
    for message_3 in (third, walk.messages[3]):
        assert made(walk.r.take(again.state, message_3)) == state.tunnel


def test_message_2_in_another_ciphertext_gets_message_3_chained_from_it() -> None:
    walk = sides.quick_mode()
    before, done, state = walk.states[2], walk.outcomes[2][-1].state, walk.states[3]
    assert isinstance(before, Offered)
    assert isinstance(state, Answered)
    other = repadded(walk, 2)
    again = walk.i.take(done, other)
    assert again.state is done
    assert (again.ask, again.before, again.after, again.changes) == (None, (), (), ())
    following = before.protection.open(Header.decode(other), other)[1]
    assert again.send is not None
    assert walk.r.take(replace(state, protections=(following,)), again.send).changes != ()


def test_the_same_ciphertext_makes_no_second_chain_and_chains_have_a_limit() -> None:
    walk = sides.quick_mode()
    state = walk.states[3]
    assert isinstance(state, Answered)
    same = walk.r.take(state, walk.messages[1]).state
    assert isinstance(same, Answered)
    assert same.protections == state.protections
    before = walk.states[1]
    assert isinstance(before, Listening)
    payloads = opened(before.protection, walk.messages[1])
    plain = encode_payloads(payloads)
    for count in range(MAX_CHAINS + 3):
        ciphertext, _ = before.protection.cipher.encrypt(plain[1] + bytes([count + 1]) * 16, before.protection.iv)
        data = Header.decode(walk.messages[1]).datagram(plain[0], ciphertext, encrypted=True)
        following = walk.r.take(state, data).state
        assert isinstance(following, Answered)
        state = following
    assert len(state.protections) == MAX_CHAINS


@pytest.mark.parametrize("number", [1, 2])
def test_another_message_of_the_peer_is_not_the_one_that_was_taken(number: int) -> None:
    walk = sides.quick_mode()
    side = walk.r if number == 1 else walk.i
    done = walk.states[3] if number == 1 else walk.outcomes[2][-1].state
    with pytest.raises(PeerError):
        side.take(done, altered(walk, number, Nonce(bytes(32))))
    with pytest.raises(PeerError):
        side.take(done, walk.messages[3][:-16] + bytes(16))
