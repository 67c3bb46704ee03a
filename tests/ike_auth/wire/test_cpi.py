# SPDX-License-Identifier: ISC
import pytest

from ike_auth.wire.cpi import is_negotiable, unified
from ike_auth.wire.numbers import ProtocolId


@pytest.mark.parametrize(
    ("protocol", "spi", "as_one"),
    [
        (ProtocolId.IPCOMP, b"\x12\x34", b"\x12\x34"),
        (ProtocolId.IPCOMP, b"\0\0\x12\x34", b"\x12\x34"),
        (ProtocolId.IPCOMP, b"\1\0\x12\x34", b"\1\0\x12\x34"),
        (ProtocolId.IPCOMP, b"\0\1\x12\x34", b"\0\1\x12\x34"),
        (ProtocolId.IPCOMP, b"\0\x12\x34", b"\0\x12\x34"),
        (ProtocolId.ESP, b"\0\0\x12\x34", b"\0\0\x12\x34"),
    ],
)
def test_a_cpi_in_four_bytes_is_one_in_two(protocol: ProtocolId, spi: bytes, as_one: bytes) -> None:
    assert unified(protocol, spi) == as_one


@pytest.mark.parametrize(
    ("cpi", "negotiable"),
    [(b"\0\xff", False), (b"\1\0", True), (b"\xef\xff", True), (b"\xf0\0", False), (b"\1\0\1", False), (b"", False)],
)
def test_which_are_negotiated(cpi: bytes, negotiable: bool) -> None:
    """RFC 3173 3.3: from 256 to 61439."""
    assert is_negotiable(cpi) == negotiable
