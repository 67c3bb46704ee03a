# SPDX-License-Identifier: ISC
"""The SPI of IPCOMP is a CPI, of 16 bits (RFC 3173 3.3 and 4.1, RFC 2407 4.4.5)."""

from ike_auth.wire.numbers import ProtocolId

SIZE = 2
LOWEST, HIGHEST = 256, 61439  # that are negotiated: below are well-known ones, above private ones


def unified(protocol: ProtocolId, spi: bytes) -> bytes:
    """A CPI that came in four bytes, of which two have to be zero, in two; every other SPI as it came."""
    if protocol == ProtocolId.IPCOMP and len(spi) == 4 and not any(spi[:SIZE]):
        return spi[SIZE:]
    return spi


def is_negotiable(cpi: bytes) -> bool:
    return len(cpi) == SIZE and LOWEST <= int.from_bytes(cpi, "big") <= HIGHEST
