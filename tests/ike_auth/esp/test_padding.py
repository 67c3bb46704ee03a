# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.drops import Dropped
from ike_auth.esp.padding import payload_size, trailer, trailers


@given(st.binary(max_size=100), st.sampled_from([4, 8, 16]), st.integers(0, 255))
def test_a_trailer_aligns_and_comes_off_again(payload: bytes, alignment: int, next_header: int) -> None:
    text = payload + trailers(next_header, alignment)[len(payload) % alignment]
    assert len(text) % alignment == 0
    assert len(text) < len(payload) + 2 + alignment
    assert text[-1] == next_header
    assert payload_size(text) == len(payload)


def test_padding_counts() -> None:
    assert trailer(4, 3) == b"\1\2\3\3\4"
    assert trailer(4, 0) == b"\0\4"
    assert payload_size(bytes(100) + trailer(4, 255)) == 100


@pytest.mark.parametrize("text", [b"", b"\4", b"\1\4", b"\1\2\4\3\4", b"\0\0\0\3\4", b"\1\2\3\xff\4"])
def test_bad_padding(text: bytes) -> None:
    with pytest.raises(Dropped, match="bad padding"):
        payload_size(text)
