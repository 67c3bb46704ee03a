# SPDX-License-Identifier: ISC
"""What stands between payload and ICV: padding 1, 2, 3 …, its length, and the next header (RFC 4303 2.4 to 2.6)."""

from functools import cache

from ike_auth.esp.drops import Dropped, Reason

_PADDINGS = tuple(bytes(range(1, length + 1)) for length in range(256))


@cache
def trailers(next_header: int, alignment: int) -> tuple[bytes, ...]:
    """By length of the payload modulo `alignment` (bytes): what goes behind it."""
    return tuple(trailer(next_header, -(length + 2) % alignment) for length in range(alignment))


def trailer(next_header: int, padding: int) -> bytes:
    return _PADDINGS[padding] + bytes((padding, next_header))


def payload_size(text: bytes) -> int:
    """How much of a decrypted text is payload. Raises Dropped(BAD_PADDING); the text is authentic, so this may be
    told.
    """
    padding = text[-2] if len(text) >= 2 else 0
    size = len(text) - 2 - padding
    if size < 0 or (padding and text[size:-2] != _PADDINGS[padding]):
        raise Dropped(Reason.BAD_PADDING)
    return size
