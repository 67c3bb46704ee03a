# SPDX-License-Identifier: ISC
"""How a table finds the row that takes a message."""

from dataclasses import dataclass, replace

import pytest

from ike_auth.crypto.ciphers import PHASE1_CIPHERS, Cbc
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import InvalidFlags, InvalidHash, LocalError, PeerError, UnexpectedMessage
from ike_auth.exchanges.steps import Closed, Local, Outcome, State
from ike_auth.exchanges.v1.chaining import Taken
from ike_auth.exchanges.v1.protection import Protection, open_clear
from ike_auth.exchanges.v1.table import ProtectedRow, Row, Table, advance, expected
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.legality import Step
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import EncryptionAlgorithm, ExchangeType
from ike_auth.wire.payloads import Hash, Nonce, Payload
from tests.ike_auth.exchanges.sides import sides

CIPHER = Cbc(PHASE1_CIPHERS[EncryptionAlgorithm.AES_CBC, 128], Secret(bytes(16)))
ONE, OTHER, THIRD = (Protection(CIPHER, bytes([number]) * 16) for number in range(3))
HEADER = Header(b"initiato", b"responde", exchange=ExchangeType.QUICK, message_id=7)


@dataclass(frozen=True, slots=True)
class Waiting(State):
    protection: Protection = ONE


@dataclass(frozen=True, slots=True)
class Done(Waiting):
    open = False


def local() -> Local:
    return sides()[0].local


def step(state: State, message: Message, following: Protection, _: Local) -> Outcome:
    if message.one(Hash).data == b"wrong":
        raise InvalidHash("wrong")
    return Outcome(Waiting(following), send=message.one(Hash).data)


def sealed(under: Protection, *payloads: Payload) -> bytes:
    return under.seal(HEADER, payloads)[0]


def run(table: Table, data: bytes, state: State | None = None) -> Outcome:
    return advance(table, state or Waiting(), Header.decode(data), data, local())


def protected(**more: object) -> ProtectedRow:
    return ProtectedRow(lambda _: Step.QUICK_3, step, **more)  # type: ignore[arg-type]


def test_a_row_decrypts_checks_and_runs() -> None:
    data = sealed(ONE, Hash(b"right"))
    outcome = run({Waiting: (protected(),)}, data)
    assert outcome.send == b"right"
    assert outcome.state == Waiting(replace(ONE, iv=data[-16:]))


def test_payloads_that_do_not_belong_there() -> None:
    with pytest.raises(UnexpectedMessage, match="quick mode 3: NONCE where Hash comes first"):
        run({Waiting: (protected(),)}, sealed(ONE, Nonce(bytes(16)), Hash(b"right")))


def test_the_reason_for_what_cannot_be_read_depends_on_the_state() -> None:
    table: Table = {Waiting: (protected(why_unreadable=lambda _: "the moon is full"),)}
    with pytest.raises(PeerError, match=r"^quick mode 3 cannot be read, the moon is full \(") as raised:
        run(table, sealed(OTHER, Hash(b"right")))
    with pytest.raises(type(raised.value)):
        run({Waiting: (protected(),)}, sealed(OTHER, Hash(b"right")))
    with pytest.raises(InvalidHash, match=r"^wrong$"):
        run(table, sealed(ONE, Hash(b"wrong")))


def test_each_protection_of_a_state_is_tried() -> None:
    table: Table = {Waiting: (protected(under=lambda _: (ONE, OTHER)),)}
    assert [run(table, sealed(under, Hash(b"right"))).send for under in (ONE, OTHER)] == [b"right"] * 2
    with pytest.raises(PeerError):
        run(table, sealed(THIRD, Hash(b"right")))


def test_the_first_row_that_takes_the_message_has_it() -> None:
    def second(_: State, message: Message, __: Protection, ___: Local) -> Outcome:
        return Outcome(Closed(), send=b"second row")

    other = ProtectedRow(lambda _: Step.QUICK_3, second, under=lambda _: (OTHER,))
    table: Table = {Waiting: (protected(), other)}
    assert run(table, sealed(ONE, Hash(b"right"))).send == b"right"
    assert run(table, sealed(OTHER, Hash(b"right"))).send == b"second row"
    with pytest.raises(InvalidHash, match="wrong"):
        run({Waiting: (protected(), protected(under=lambda _: (THIRD,)))}, sealed(ONE, Hash(b"wrong")))


def test_a_fault_of_ours_is_not_tried_again() -> None:
    runs = []

    def broken(*_: object) -> Outcome:
        runs.append(1)
        raise LocalError("ours")

    row = ProtectedRow(lambda _: Step.QUICK_3, broken, under=lambda _: (ONE, ONE))
    with pytest.raises(LocalError):
        run({Waiting: (row, row)}, sealed(ONE, Hash(b"right")))
    assert len(runs) == 1


def test_a_state_without_rows_expects_nothing() -> None:
    with pytest.raises(UnexpectedMessage, match=r"no message is expected now \(Closed\)"):
        run({}, sealed(ONE, Hash(b"right")), Closed())


def test_a_row_in_the_clear() -> None:
    def clear(_: State, message: Message, __: Local) -> Outcome:
        return Outcome(Closed(), send=message.one(Hash).data)

    table: Table = {Waiting: (Row(Step.QUICK_3, clear),)}
    assert run(table, Message(HEADER, (Hash(b"clear"),)).encode()).send == b"clear"
    with pytest.raises(InvalidFlags, match="encrypted where it has to be in the clear"):
        run(table, sealed(ONE, Hash(b"right")))


def test_what_a_state_waits_for() -> None:
    table: Table = {
        Waiting: (ProtectedRow(lambda _: Step.MAIN_5_PSK, step), protected()),
        Done: (protected(),),
    }
    assert expected(table, Waiting()) == "main mode 5"
    assert expected(table, Done()) == "", "what a finished exchange takes leads nowhere"
    assert expected(table, Closed()) == ""


# --- protection and chaining


def test_an_encrypted_message_says_so() -> None:
    data = Message(HEADER, (Hash(b"clear"),)).encode()
    with pytest.raises(InvalidFlags, match="the message is not encrypted"):
        ONE.open(Header.decode(data), data)
    assert open_clear(Header.decode(data), data).one(Hash).data == b"clear"


def test_the_last_block_is_the_next_iv_in_both_directions() -> None:
    data, after_sealing = ONE.seal(HEADER, (Hash(b"x" * 20),))
    message, after_opening = ONE.open(Header.decode(data), data)
    assert message.one(Hash).data == b"x" * 20
    assert after_sealing == after_opening == replace(ONE, iv=data[-16:])
    assert (len(data) - HEADER_SIZE) % 16 == 0


def test_the_same_message_is_the_one_with_the_same_proof() -> None:
    taken = Taken(ONE, b"proof")
    taken.check_same(b"proof")
    for other in (b"other", b"", b"proof of more"):
        with pytest.raises(UnexpectedMessage):
            taken.check_same(other)
