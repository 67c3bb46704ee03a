# SPDX-License-Identifier: ISC
"""Every recorded datagram decodes, may stand where it stands, and encodes back to the same bytes."""

from functools import cache
from pathlib import Path

import pytest

from ike_auth.errors import PeerError
from ike_auth.wire.header import Header
from ike_auth.wire.legality import LEGAL, Step, check
from ike_auth.wire.messages import Message, encode_payloads
from ike_auth.wire.numbers import AuthenticationMethod, ExchangeType
from ike_auth.wire.payloads import Hash
from tests.ike_auth.crypto.captures import ISAKMPD, STRONGSWAN, Replay, replay

READABLE = [path for path in ISAKMPD + STRONGSWAN if path.stem != "refused-key"]
cached_replay = cache(replay)
by_name = pytest.mark.parametrize("path", READABLE, ids=lambda path: path.stem)


def test_there_are_captures() -> None:
    assert {path.stem for path in ISAKMPD} == {"isakmpd-psk", "isakmpd-rsa", "isakmpd-aggr"}
    assert len(STRONGSWAN) > 5


@by_name
def test_clear_datagrams_encode_back_to_the_same_bytes(path: Path) -> None:
    exchange = cached_replay(path)
    clear = [datagram for datagram in exchange.datagrams if not Header.decode(datagram).encrypted]
    assert clear
    assert [message.encode() for message in exchange.clear] == clear


@by_name
def test_headers_encode_back_to_the_same_bytes(path: Path) -> None:
    for datagram in cached_replay(path).datagrams:
        header = Header.decode(datagram).checked()
        assert header.encode() == datagram[:28]
        assert header.datagram(header.next_payload, datagram[28:]) == datagram


@by_name
def test_decrypted_payloads_encode_back_to_the_same_bytes(path: Path) -> None:
    for opened in cached_replay(path).opened:
        first, chain = encode_payloads(opened.message.payloads)
        padding = opened.plaintext[len(chain) :]
        assert first == opened.message.header.next_payload
        assert opened.plaintext == chain + padding
        assert padding == bytes(len(padding))
        if isinstance(opened.message.payloads[0], Hash):
            assert chain.endswith(opened.message.after_first)


@by_name
def test_each_message_may_stand_where_it_stands(path: Path) -> None:
    exchange = cached_replay(path)
    for step, message in steps(exchange):
        check(LEGAL[step], message)


@by_name
def test_no_message_may_stand_in_another_place(path: Path) -> None:
    """Phase 1 in the clear: a message is legal in its own row and in the one of the peer's answer alone."""
    exchange = cached_replay(path)
    rows = {Step.MAIN_1, Step.MAIN_2, Step.MAIN_3, Step.MAIN_4, Step.AGGRESSIVE_1, Step.QUICK_1}
    pairs = ({Step.MAIN_1, Step.MAIN_2}, {Step.MAIN_3, Step.MAIN_4}, {Step.AGGRESSIVE_1})
    for step, message in steps(exchange):
        own = next((pair for pair in pairs if step in pair), None)
        if own:
            assert {row for row in rows if is_legal(row, message)} == own


def test_log_lines() -> None:
    exchange = cached_replay(next(path for path in ISAKMPD if path.stem == "isakmpd-psk"))
    assert [str(message) for message in exchange.clear] == [
        "main mode: SA(1 proposal) VENDOR×5",
        "main mode: SA(1 proposal) VENDOR×5",
        "main mode: KE NONCE NAT_D×2",
        "main mode: KE NONCE NAT_D×2",
    ]
    assert [str(opened.message) for opened in exchange.opened][1:] == [
        "main mode: ID HASH NOTIFY(INITIAL_CONTACT)",
        "quick mode 510f0c4c: HASH SA(1 proposal) NONCE KE ID×2",
        "quick mode 510f0c4c: HASH SA(1 proposal) NONCE KE ID×2",
        "quick mode 510f0c4c: HASH",
        "informational 5be3a59e: HASH DELETE(ESP 5582948f)",
        "informational c1628633: HASH DELETE(ISAKMP 08c375e2dbe904b296baea81546a1414)",
    ]


def test_text_decrypted_with_a_wrong_key_is_malformed() -> None:
    """The initiator of this one has another pre-shared key."""
    with pytest.raises(PeerError):
        replay(next(path for path in STRONGSWAN if path.stem == "refused-key"))


def is_legal(step: Step, message: Message) -> bool:
    try:
        check(LEGAL[step], message)
    except PeerError:
        return False
    return True


def steps(exchange: Replay) -> list[tuple[Step, Message]]:
    """Each message with its place in its exchange."""
    found: list[tuple[Step, Message]] = []
    counts: dict[tuple[ExchangeType, int], int] = {}
    messages = exchange.clear + [opened.message for opened in exchange.opened]
    for message in messages:
        header = message.header
        number = counts[header.exchange, header.message_id] = counts.get((header.exchange, header.message_id), 0) + 1
        found.append((step_of(exchange, header, number), message))
    return found


def step_of(exchange: Replay, header: Header, number: int) -> Step:
    if header.exchange == ExchangeType.INFORMATIONAL:
        return Step.INFORMATIONAL if header.encrypted else Step.INFORMATIONAL_CLEAR
    if header.exchange == ExchangeType.QUICK:
        return Step[f"QUICK_{number}"]
    mode, authenticated_from = ("MAIN", 5) if header.exchange == ExchangeType.MAIN else ("AGGRESSIVE", 2)
    if number < authenticated_from:
        return Step[f"{mode}_{number}"]
    return Step[f"{mode}_{number}_{'PSK' if exchange.method == AuthenticationMethod.PRE_SHARED else 'SIG'}"]
