# SPDX-License-Identifier: ISC
"""The Internet checksum, RFC 1071, by whole numbers instead of loops.

2**16 ≡ 1 (mod 65535), so the ones'-complement sum of 16-bit words is the number that the bytes spell, modulo 65535.
What is zero modulo 65535 is a sum of 0xFFFF here, not of 0, since no packet is all zeros; its complement is 0.
"""

Buffer = bytes | bytearray | memoryview

# Division is the dear part, addition is cheap: halves (and their halves) are added up before the division. The widths
# suit 1400 bytes, are multiples of 16 bits, and are right for any length.
_WIDE, _NARROW = 5600, 2800
_WIDE_MASK, _NARROW_MASK = (1 << _WIDE) - 1, (1 << _NARROW) - 1


def word_sum(data: Buffer) -> int:
    """The sum of the big-endian 16-bit words of `data`, modulo 65535; a byte left over counts as if zero followed."""
    number = int.from_bytes(data, "big")
    number = (number >> _WIDE) + (number & _WIDE_MASK)
    number = ((number >> _NARROW) + (number & _NARROW_MASK)) % 65535
    return number * 256 % 65535 if len(data) & 1 else number


def checksum(data: Buffer, pseudo: int = 0) -> int:
    """What the checksum field has to hold, if it is zero in `data`; `pseudo` is a sum of words to be added."""
    return -(word_sum(data) + pseudo) % 65535


def updated(checksum: int, before: int, after: int) -> int:
    """A checksum after words that summed up to `before` have become `after` (RFC 1624)."""
    return (checksum + before - after) % 65535


def pseudo_header(addresses: Buffer, protocol: int, length: int) -> int:
    """The sum of a pseudo header (RFC 793 3.1, RFC 8200 8.1); `addresses` are source and destination."""
    return (int.from_bytes(addresses, "big") + protocol + length) % 65535
