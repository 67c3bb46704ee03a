# SPDX-License-Identifier: ISC
import pytest

from ike_auth.errors import (
    InvalidCookie,
    InvalidExchangeType,
    InvalidFlags,
    InvalidMajorVersion,
    InvalidMinorVersion,
    MalformedMessage,
    UnequalPayloadLengths,
)
from ike_auth.wire.header import HEADER_SIZE, NO_COOKIE, Header
from ike_auth.wire.numbers import ExchangeType, Flags, NotifyType, PayloadType

WIRE = bytes.fromhex("08c375e2dbe904b2 96baea81546a1414 08 10 20 01 510f0c4c 00000020 aabbccdd")
HEADER = Header(
    initiator_cookie=bytes.fromhex("08c375e2dbe904b2"),
    responder_cookie=bytes.fromhex("96baea81546a1414"),
    next_payload=PayloadType.HASH,
    version=0x10,
    exchange=ExchangeType.QUICK,
    flags=Flags.ENCRYPTION,
    message_id=0x510F0C4C,
    length=32,
)


def test_decode() -> None:
    header = Header.decode(WIRE)
    assert header == HEADER
    assert header.encrypted
    assert header.major_version == 1
    assert header.checked() is header


def test_encode() -> None:
    assert HEADER.encode() == WIRE[:HEADER_SIZE]
    assert HEADER.datagram(PayloadType.HASH, WIRE[HEADER_SIZE:]) == WIRE


def test_datagram_fills_in_first_payload_and_length() -> None:
    header = Header(HEADER.initiator_cookie, NO_COOKIE, exchange=ExchangeType.MAIN)
    again = Header.decode(header.datagram(PayloadType.SA, b"12345"))
    assert (again.next_payload, again.length, again.version) == (PayloadType.SA, 33, 0x10)
    assert not again.encrypted


@pytest.mark.parametrize("size", range(HEADER_SIZE))
def test_too_short(size: int) -> None:
    with pytest.raises(MalformedMessage, match=f"of {size} bytes"):
        Header.decode(WIRE[:size])


@pytest.mark.parametrize("datagram", [WIRE[:-1], WIRE + b"\0", WIRE[:HEADER_SIZE]])
def test_length_has_to_be_the_datagrams(datagram: bytes) -> None:
    with pytest.raises(UnequalPayloadLengths) as caught:
        Header.decode(datagram)
    assert caught.value.notify == NotifyType.UNEQUAL_PAYLOAD_LENGTHS


@pytest.mark.parametrize(
    ("offset", "byte", "error", "complaint"),
    [
        (17, 0x20, InvalidMajorVersion, "version 2.0"),
        (17, 0x03, InvalidMajorVersion, "version 0.3"),
        (17, 0x11, InvalidMinorVersion, "version 1.1"),
        (18, 0, InvalidExchangeType, "exchange type NONE"),
        (18, 34, InvalidExchangeType, "exchange type ExchangeType_34"),  # IKE_SA_INIT, with the version of IKEv1
        (18, 240, InvalidExchangeType, "exchange type ExchangeType_240"),
        (19, 0x08, InvalidFlags, "flags 0x08"),
        (19, 0x81, InvalidFlags, "flags 0x81"),
    ],
)
def test_headers_of_no_message(offset: int, byte: int, error: type[Exception], complaint: str) -> None:
    header = Header.decode(WIRE[:offset] + bytes([byte]) + WIRE[offset + 1 :])
    with pytest.raises(error, match=f"^{complaint}$"):
        header.checked()


def test_initiator_cookie_of_zeros() -> None:
    with pytest.raises(InvalidCookie):
        Header.decode(NO_COOKIE + WIRE[8:]).checked()
