# SPDX-License-Identifier: ISC
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.checksums import checksum, pseudo_header, updated, word_sum
from tests.ike_auth.esp.inner import naive_checksum, naive_sum


@given(st.binary(max_size=3000))
def test_sum_is_that_of_the_loop(data: bytes) -> None:
    assert word_sum(data) == naive_sum(data) % 65535
    assert word_sum(memoryview(data)) == word_sum(data)


def test_sum_of_the_largest_packet() -> None:
    for size in (65534, 65535):
        data = bytes(number * 7 & 0xFF for number in range(size))
        assert word_sum(data) == naive_sum(data) % 65535
    assert word_sum(b"\xff" * 1400) == 0  # the other zero


@given(st.binary(min_size=1, max_size=100), st.integers(0, 0xFFFF))
def test_a_checksum_makes_the_sum_come_out(data: bytes, pseudo: int) -> None:
    data = b"\x45" + data + bytes((len(data) + 1) % 2)
    assert checksum(data) == naive_checksum(data)
    assert (naive_sum(data) + checksum(data, pseudo) + pseudo) % 65535 == 0


@given(st.binary(min_size=4, max_size=64), st.integers(0, 0xFFFF))
def test_updating_is_computing_anew(data: bytes, word: int) -> None:
    data = b"\x45" + data + bytes((len(data) + 1) % 2)
    changed = data[:2] + word.to_bytes(2, "big") + data[4:]
    assert updated(checksum(data), int.from_bytes(data[2:4], "big"), word) == checksum(changed)


def test_pseudo_header() -> None:
    addresses = bytes.fromhex("0a0100010a020001")
    assert pseudo_header(addresses, 17, 300) == naive_sum(addresses + b"\0\x11" + (300).to_bytes(2, "big"))
