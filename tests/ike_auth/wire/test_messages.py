# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import LocalError, MalformedMessage, PeerError, UnexpectedMessage
from ike_auth.wire.header import HEADER_SIZE, NO_COOKIE, Header
from ike_auth.wire.messages import MAX_PAYLOADS, Message, decode_payloads, encode_payloads
from ike_auth.wire.numbers import Doi, ExchangeType, Flags, NotifyType, PayloadType, ProtocolId
from ike_auth.wire.payloads import Hash, Identification, KeyExchange, Nonce, Notification, Payload, VendorId
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform
from tests.ike_auth.wire.strategies import chains

HEADER = Header(b"initiate", b"responds", exchange=ExchangeType.QUICK, message_id=0x510F0C4C)
CHAIN = (Hash(b"hash"), Nonce(b"nonce"), Nonce(b""))
WIRE = bytes.fromhex("0a000008") + b"hash" + bytes.fromhex("0a000009") + b"nonce" + bytes.fromhex("00000004")
SA = SecurityAssociation((Proposal(1, ProtocolId.ISAKMP, b"", (Transform(1, 1),)),))


def test_chain() -> None:
    assert encode_payloads(CHAIN) == (PayloadType.HASH, WIRE)
    assert decode_payloads(PayloadType.HASH, WIRE) == CHAIN


def test_no_payloads() -> None:
    assert encode_payloads(()) == (PayloadType.NONE, b"")
    assert decode_payloads(PayloadType.NONE, b"") == ()


def test_a_hash_goes_before_what_it_covers() -> None:
    covered = encode_payloads(CHAIN[1:])
    assert covered == (PayloadType.NONCE, WIRE[8:])
    assert encode_payloads(CHAIN[:1], then=covered) == (PayloadType.HASH, WIRE)


def test_padding_only_where_there_may_be_some() -> None:
    padded = WIRE + bytes(7)
    assert decode_payloads(PayloadType.HASH, padded, padded=True) == CHAIN
    with pytest.raises(MalformedMessage, match="7 bytes after the last payload"):
        decode_payloads(PayloadType.HASH, padded)


def test_after_first_is_what_came() -> None:
    message = Message.decrypted(
        Header(b"initiate", b"responds", PayloadType.HASH, exchange=ExchangeType.QUICK), WIRE + b"pad"
    )
    assert message.payloads == CHAIN
    assert message.after_first == WIRE[8:]
    alone = Message.decrypted(Header(b"initiate", b"responds", PayloadType.NONCE), b"\0\0\0\4" + bytes(8))
    assert alone.after_first == b""


def test_decode_and_encode() -> None:
    message = Message(HEADER, CHAIN)
    datagram = message.encode()
    assert datagram[HEADER_SIZE:] == WIRE
    again = Message.decode(datagram)
    assert again.payloads == CHAIN
    assert again.header.next_payload == PayloadType.HASH
    assert again.encode() == datagram
    assert again == Message.decode(datagram)


@pytest.mark.parametrize(
    ("wire", "complaint"),
    [
        ("0a0000086861", "payload 1, HASH: a body of 4 bytes where 2 are left"),
        ("0a0000", "payload 1, HASH: needs 4 bytes where 3 are left"),
        ("00000003", "payload 1, HASH: a body of -1 bytes"),
        ("0a000005ff 0000", "payload 2, NONCE: needs 4 bytes where 2 are left"),
        ("00010004", "payload 1, HASH: reserved byte 0x01"),
        ("0b000004 00000008 00000001", "payload 2, NOTIFY: needs 8 bytes where 4 are left"),
        ("63000004", "payload 2, PayloadType_99: needs 4 bytes where 0 are left"),
    ],
)
def test_errors_name_the_payload(wire: str, complaint: str) -> None:
    with pytest.raises(MalformedMessage) as caught:
        decode_payloads(PayloadType.HASH, bytes.fromhex(wire))
    assert complaint in str(caught.value)
    assert caught.value.notify == NotifyType.PAYLOAD_MALFORMED


def test_what_the_peer_is_told_survives_the_naming() -> None:
    sa = bytearray(SA.encode())
    sa[15] = 2
    with pytest.raises(PeerError, match="payload 1, SA: proposal 1 says 2 transforms") as caught:
        decode_payloads(PayloadType.SA, bytes.fromhex("0000001c") + sa)
    assert caught.value.notify == NotifyType.BAD_PROPOSAL_SYNTAX


def test_too_many_payloads() -> None:
    first, wire = encode_payloads([VendorId(b"")] * MAX_PAYLOADS)
    assert len(decode_payloads(first, wire)) == MAX_PAYLOADS
    first, wire = encode_payloads([VendorId(b"")] * (MAX_PAYLOADS + 1))
    with pytest.raises(MalformedMessage, match=f"more than {MAX_PAYLOADS}"):
        decode_payloads(first, wire)


@pytest.mark.parametrize(
    "payload",
    [
        VendorId(bytes(0x10000)),
        Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.CONNECTED, spi=bytes(256)),
        Identification(PayloadType.ID, 300, 0, b""),  # type: ignore[arg-type]
    ],
)
def test_values_that_do_not_fit(payload: Payload) -> None:
    with pytest.raises(LocalError, match="does not fit into its payload"):
        encode_payloads([payload])


def test_payloads_by_class() -> None:
    message = Message(HEADER, CHAIN)
    assert message.one(Hash) == Hash(b"hash")
    assert message.all(Nonce) == (Nonce(b"nonce"), Nonce(b""))
    assert message.first(Nonce) == Nonce(b"nonce")
    assert message.first(KeyExchange) is None
    assert message.all(KeyExchange) == ()
    with pytest.raises(UnexpectedMessage, match="2 payloads Nonce where one belongs"):
        message.one(Nonce)
    with pytest.raises(UnexpectedMessage, match="0 payloads KeyExchange"):
        message.one(KeyExchange)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (
            Message(Header(b"initiate", NO_COOKIE, exchange=ExchangeType.MAIN), (SA, VendorId(b"a"), VendorId(b"b"))),
            "main mode: SA(1 proposal) VENDOR×2",
        ),
        (Message(HEADER, CHAIN), "quick mode 510f0c4c: HASH NONCE×2"),
        (
            Message(
                Header(b"initiate", b"responds", exchange=ExchangeType.INFORMATIONAL, flags=Flags.ENCRYPTION),
                (Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.NO_PROPOSAL_CHOSEN), Hash(b"")),
            ),
            "informational: NOTIFY(NO_PROPOSAL_CHOSEN) HASH",
        ),
        (Message(Header(b"initiate", b"responds", exchange=ExchangeType(77)), ()), "ExchangeType_77: "),
    ],
)
def test_text(message: Message, text: str) -> None:
    assert str(message) == text
    assert text.endswith(message.summary)


@given(chains)
@settings(deadline=None, max_examples=150)
def test_roundtrip(payloads: tuple[Payload, ...]) -> None:
    message = Message(HEADER, payloads)
    again = Message.decode(message.encode())
    assert again.payloads == payloads
    assert str(again) == str(message)
    assert again.after_first == encode_payloads(payloads[1:])[1]


# Invariant: any bytes decode or raise PeerError, and what decodes encodes back to an equal message.
@given(st.binary(max_size=400), st.integers(0, 255))
@settings(deadline=None, max_examples=300)
def test_decode_is_total(body: bytes, first: int) -> None:
    decode_or_refuse(HEADER.datagram(PayloadType(first), body))
    decode_or_refuse(body)


# The same, with bytes that were a message before some of them were changed.
@given(chains, st.data())
@settings(deadline=None, max_examples=300)
def test_decode_of_damaged_messages(payloads: tuple[Payload, ...], data: st.DataObject) -> None:
    datagram = bytearray(Message(HEADER, payloads).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        datagram[data.draw(st.integers(16, len(datagram) - 1))] = data.draw(st.integers(0, 255))
    decode_or_refuse(bytes(datagram))


def decode_or_refuse(datagram: bytes) -> None:
    try:
        message = Message.decode(datagram)
    except PeerError:
        return
    assert Message.decode(message.encode()) == message
    assert str(message).isprintable()


def test_offers_that_come_again_are_decoded_once_unless_they_are_long() -> None:
    """docs/decisions/0306-what-comes-again-is-remembered.md"""

    def twice(*payloads: Payload) -> tuple[Message, Message]:
        one, other = (Header(cookie, NO_COOKIE, exchange=ExchangeType.MAIN) for cookie in (b"initiate", b"another!"))
        return Message.decode(Message(one, payloads).encode()), Message.decode(Message(other, payloads).encode())

    first, again = twice(SA, VendorId(b"a"))
    assert first.payloads is again.payloads
    assert (first.header.initiator_cookie, again.header.initiator_cookie) == (b"initiate", b"another!")
    for payloads in ((SA, VendorId(bytes(500))), (VendorId(b"a"), SA)):
        first, again = twice(*payloads)
        assert first.payloads == again.payloads
        assert first.payloads is not again.payloads
