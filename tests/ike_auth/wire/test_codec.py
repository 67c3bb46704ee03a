# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import MalformedMessage
from ike_auth.wire.codec import Reader


def test_reads_forward() -> None:
    reader = Reader(bytes(range(10)))
    assert reader.unpack("BH") == (0, 0x0102)
    assert (reader.position, reader.remaining) == (3, 7)
    assert reader.take(2) == b"\3\4"
    assert reader.rest() == bytes(range(5, 10))
    assert (reader.remaining, reader.rest()) == (0, b"")


def test_takes_memoryviews() -> None:
    assert Reader(memoryview(b"abc")).take(2) == b"ab"


@pytest.mark.parametrize("size", [0, 1, 3])
def test_unpack_past_the_end(size: int) -> None:
    with pytest.raises(MalformedMessage, match=f"needs 4 bytes where {size} are left"):
        Reader(bytes(size)).unpack("I")


@pytest.mark.parametrize("count", [5, -1, 1 << 70])
def test_take_out_of_bounds(count: int) -> None:
    reader = Reader(bytes(4))
    with pytest.raises(MalformedMessage):
        reader.take(count)
    assert reader.remaining == 4


# Invariant: whatever is asked of a reader, it gives bytes of its data in order, or raises MalformedMessage.
@given(st.binary(max_size=40), st.lists(st.tuples(st.sampled_from("ubt"), st.integers(-3, 45)), max_size=12))
@settings(deadline=None, max_examples=200)
def test_reader_is_total(data: bytes, asked: list[tuple[str, int]]) -> None:
    reader, got = Reader(data), b""
    for what, count in asked:
        try:
            if what == "u":
                got += reader.unpack("H")[0].to_bytes(2, "big")
            elif what == "t":
                got += reader.take(count)
            elif what == "b":
                got += bytes(reader.unpack("BB"))
        except MalformedMessage:
            continue
    assert data.startswith(got)
    assert got + reader.rest() == data
