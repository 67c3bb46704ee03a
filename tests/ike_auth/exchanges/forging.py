# SPDX-License-Identifier: ISC
"""Quick mode's messages as their sender could have made them otherwise."""

from ike_auth.exchanges.steps import AddTunnel, Outcome, State
from ike_auth.exchanges.v1.protection import Protection
from ike_auth.exchanges.v1.quick_mode import Answered, Listening, Offered
from ike_auth.sa import Tunnel
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.messages import encode_payloads
from ike_auth.wire.payloads import Hash, Payload
from ike_auth.wire.proposals import SecurityAssociation
from tests.ike_auth.exchanges.sides import Walk


def opened(protection: Protection, data: bytes) -> tuple[Payload, ...]:
    return protection.open(Header.decode(data), data)[0].payloads


def protection_of(state: State) -> Protection:
    if isinstance(state, Answered):
        return state.protections[0]
    assert isinstance(state, Listening | Offered)
    return state.protection


def genuine(walk: Walk, number: int, *payloads: Payload) -> bytes:
    """Message 1 or 2 with other payloads behind the hash, as its sender could have made it."""
    state = walk.states[number]
    assert isinstance(state, Listening | Offered)
    header = Header.decode(walk.messages[number])
    chain = encode_payloads(payloads)
    if isinstance(state, Offered):
        proof = state.ike.keys.hash_2(header.message_id, state.nonce, chain[1])
    else:
        proof = state.ike.keys.hash_1(header.message_id, chain[1])
    return state.protection.seal(header, (Hash(proof),), then=chain)[0]


def altered(walk: Walk, number: int, *payloads: Payload, drop: type[Payload] | None = None) -> bytes:
    """Message 1 or 2 with these payloads in the place of those of their kind."""
    kinds = {type(payload) for payload in payloads} | {drop}
    _, *rest = opened(protection_of(walk.states[number]), walk.messages[number])
    first = [p for p in payloads if isinstance(p, SecurityAssociation)]
    kept = [payload for payload in rest if type(payload) not in kinds]
    return genuine(walk, number, *first, *kept, *(p for p in payloads if p not in first))


def repadded(walk: Walk, number: int) -> bytes:
    """Message 1 or 2 in another ciphertext: only the padding differs, and with it the last block."""
    protection = protection_of(walk.states[number])
    data = walk.messages[number]
    plain, _ = protection.cipher.decrypt(data[HEADER_SIZE:], protection.iv)
    ciphertext, _ = protection.cipher.encrypt(plain + b"\7" * 16, protection.iv)
    return Header.decode(data).datagram(Header.decode(data).next_payload, ciphertext, encrypted=True)


def made(outcome: Outcome) -> Tunnel:
    (tunnel,) = [change.tunnel for change in outcome.changes if isinstance(change, AddTunnel)]
    return tunnel
