# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import LocalError, MalformedMessage
from ike_auth.wire.attributes import MAX_ATTRIBUTES, Attribute, decode_all, encode_all
from ike_auth.wire.codec import Reader


@pytest.mark.parametrize(
    ("attribute", "wire", "number"),
    [
        (Attribute(1, 7), "80010007", 7),
        (Attribute(12, 0xFFFF), "800cffff", 0xFFFF),
        (Attribute(12, b"\x00\x01\x51\x80"), "000c000400015180", 86400),
        (Attribute(12, b"\x07"), "000c000107", 7),
        (Attribute(12, bytes(7) + b"\x09"), "000c00080000000000000009", 9),
    ],
)
def test_both_forms(attribute: Attribute, wire: str, number: int) -> None:
    assert attribute.encode().hex() == wire
    assert decode_all(Reader(bytes.fromhex(wire))) == (attribute,)
    assert attribute.as_int == number


@pytest.mark.parametrize(
    ("number", "wire"),
    [(0, "800b0000"), (65535, "800bffff"), (65536, "000b000400010000"), (1 << 32, "000b00050100000000")],
)
def test_numbers_take_the_shortest_form(number: int, wire: str) -> None:
    attribute = Attribute.number(11, number)
    assert attribute.encode().hex() == wire
    assert attribute.as_int == number


@pytest.mark.parametrize("value", [b"", bytes(9), bytes(5000)])
def test_bytes_that_are_no_number(value: bytes) -> None:
    with pytest.raises(MalformedMessage, match="are no number"):
        _ = Attribute(6, value).as_int


def test_a_number_that_does_not_fit() -> None:
    with pytest.raises(LocalError, match="does not fit into 16 bits"):
        Attribute(12, 65536).encode()


@pytest.mark.parametrize("wire", ["80", "8001", "800100", "0001", "00010002", "0001000201", "000100ff00"])
def test_truncated(wire: str) -> None:
    with pytest.raises(MalformedMessage):
        decode_all(Reader(bytes.fromhex(wire)))


def test_many() -> None:
    some = tuple(Attribute(number, number) for number in range(MAX_ATTRIBUTES))
    assert decode_all(Reader(encode_all(some))) == some
    with pytest.raises(MalformedMessage, match=f"more than {MAX_ATTRIBUTES}"):
        decode_all(Reader(encode_all((*some, some[0]))))


# Invariant: what decodes encodes back to the same bytes.
@given(st.binary(max_size=60))
@settings(deadline=None, max_examples=200)
def test_decode_is_total(data: bytes) -> None:
    try:
        found = decode_all(Reader(data))
    except MalformedMessage:
        return
    assert encode_all(found) == data
