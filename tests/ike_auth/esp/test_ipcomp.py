# SPDX-License-Identifier: ISC
import zlib
from contextlib import suppress
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.errors import LocalError
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.ipcomp import Compressor, decompress
from ike_auth.sa import IpsecSa
from ike_auth.wire.numbers import EncapsulationMode, EspTransform, IpcompTransform, ProtocolId
from tests.ike_auth.esp.sas import ipsec_sa


def ipcomp_sa(spi: bytes = b"\x12\x34", transform: int = IpcompTransform.DEFLATE) -> IpsecSa:
    # The parameters have the number of the transform, whatever the protocol it is a number of.
    parameters = ProtocolParameters(ProtocolId.IPCOMP, EspTransform(transform), EncapsulationMode.TUNNEL, None)
    return replace(ipsec_sa(), spi=spi, parameters=parameters)


def raw_deflate(data: bytes) -> bytes:
    deflate = zlib.compressobj(wbits=-15)
    return deflate.compress(data) + deflate.flush()


def test_the_header() -> None:
    """RFC 3173 3.1: next header, flags that are zero, CPI."""
    packet = bytes(1000)
    compressed = Compressor(ipcomp_sa()).compress(4, packet)
    assert compressed is not None
    assert compressed[:4] == b"\4\0\x12\x34"
    assert zlib.decompress(compressed[4:], wbits=-15) == packet
    assert decompress(compressed) == (0x1234, 4, packet)


def test_a_cpi_may_come_in_four_bytes() -> None:
    assert Compressor(ipcomp_sa(b"\0\0\x12\x34")).cpi == 0x1234


@pytest.mark.parametrize("packet", [bytes(89), Random(1).randbytes(1000), b""])
def test_what_does_not_shrink_is_left(packet: bytes) -> None:
    assert Compressor(ipcomp_sa()).compress(4, packet) is None


@given(st.binary(max_size=20), st.integers(1, 200))
def test_what_is_compressed_comes_back(piece: bytes, times: int) -> None:
    compressed = Compressor(ipcomp_sa()).compress(41, piece * times)
    if compressed is not None:
        assert len(compressed) < len(piece) * times
        assert decompress(memoryview(compressed)) == (0x1234, 41, piece * times)


@pytest.mark.parametrize(
    "payload",
    [
        b"\4\0\0",  # no header
        b"\4\0\0\2",  # nothing in it
        b"\4\0\0\2" + b"\xff" * 20,  # no deflate
        b"\4\0\0\2" + raw_deflate(bytes(1000))[:-1],  # cut
        b"\4\0\0\2" + raw_deflate(bytes(65536)),  # larger than any packet
        b"\4\0\0\2" + raw_deflate(bytes(50_000_000)),  # a bomb
    ],
)
def test_bad_compression(payload: bytes) -> None:
    with pytest.raises(Dropped) as caught:
        decompress(payload)
    assert caught.value.reason == Reason.BAD_COMPRESSION


def test_the_largest_packet_comes_through() -> None:
    assert len(decompress(b"\4\0\0\2" + raw_deflate(bytes(65535)))[2]) == 65535


# Invariant: any bytes are decompressed to at most 65535 bytes, or Dropped.
@given(st.binary(max_size=300))
def test_decompress_is_total(data: bytes) -> None:
    with suppress(Dropped):
        assert len(decompress(data)[2]) <= 65535


def test_only_deflate_and_only_a_cpi() -> None:
    with pytest.raises(LocalError, match="userspace has deflate only"):
        Compressor(ipcomp_sa(transform=IpcompTransform.LZS))
    for spi in (b"\0\0", b"\1\0\0\2", b"\1"):
        with pytest.raises(LocalError, match="no CPI"):
            Compressor(ipcomp_sa(spi))
