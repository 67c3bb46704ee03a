# SPDX-License-Identifier: ISC
"""IPComp with deflate: RFC 3173, RFC 2394. Of an SA there is only the CPI; each packet is compressed on its own."""

from __future__ import annotations

import zlib
from struct import Struct

from ike_auth.errors import LocalError
from ike_auth.esp.checksums import Buffer
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.sa import IpsecSa
from ike_auth.wire.numbers import IpcompTransform

IPCOMP = 108  # the IP protocol number
HEADER_SIZE = 4
_HEADER = Struct("!BxH")  # next header, flags, CPI
_RAW = -15  # no zlib header, window of 32 kB (RFC 2394 2.1)
_WORTH_TRYING = 90  # bytes: below it a packet hardly ever gets smaller (RFC 2394 3.2)
_LARGEST_PACKET = 0xFFFF


class Compressor:
    """One IPCOMP SA, either direction."""

    __slots__ = ("cpi", "sa")

    def __init__(self, sa: IpsecSa) -> None:
        """Raises LocalError for what is not deflate, or no CPI."""
        if int(sa.parameters.transform) != IpcompTransform.DEFLATE:
            raise LocalError(f"IPCOMP transform {sa.parameters.transform}: userspace has deflate only")
        self.sa = sa
        self.cpi = int.from_bytes(sa.spi, "big")  # two bytes, or four of which two are zero (RFC 2407 4.4.5)
        if len(sa.spi) not in (2, 4) or not 0 < self.cpi <= 0xFFFF:
            raise LocalError(f"`{sa.spi.hex()}` is no CPI")

    def compress(self, next_header: int, packet: Buffer) -> bytes | None:
        """The packet behind an IPComp header; None if it doesn't get smaller (RFC 3173 2.2)."""
        if len(packet) < _WORTH_TRYING:
            return None
        deflate = zlib.compressobj(wbits=_RAW)
        compressed = _HEADER.pack(next_header, self.cpi) + deflate.compress(packet) + deflate.flush()
        return compressed if len(compressed) < len(packet) else None


def decompress(payload: Buffer) -> tuple[int, int, bytes]:
    """CPI, next header, packet. Raises Dropped(BAD_COMPRESSION), also for what gets larger than any packet."""
    if len(payload) < HEADER_SIZE:
        raise Dropped(Reason.BAD_COMPRESSION)
    next_header, cpi = _HEADER.unpack_from(payload)
    inflate = zlib.decompressobj(wbits=_RAW)
    try:
        packet = inflate.decompress(payload[HEADER_SIZE:], _LARGEST_PACKET)
    except zlib.error:
        raise Dropped(Reason.BAD_COMPRESSION) from None
    if not inflate.eof:
        raise Dropped(Reason.BAD_COMPRESSION)
    return cpi, next_header, packet
