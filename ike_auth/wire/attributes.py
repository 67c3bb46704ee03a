# SPDX-License-Identifier: ISC
"""Data attributes, RFC 2408 3.3: a type with a 16-bit value, or with a length and bytes."""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import NamedTuple

from ike_auth.errors import LocalError, MalformedMessage
from ike_auth.wire.codec import Reader

MAX_ATTRIBUTES = 16  # of one transform: as many as there are classes of them
_BASIC = 0x8000  # the AF bit: type and value, no length
_PAIR = Struct("!HH")


class Attribute(NamedTuple):
    """An `int` value travels in the basic form, bytes in the variable one."""

    type: int
    value: int | bytes

    @classmethod
    def number(cls, type: int, value: int) -> Attribute:
        """The shortest form: basic up to 65535, above that four or more bytes (a lifetime of a day needs them)."""
        if value <= 0xFFFF:
            return cls(type, value)
        return cls(type, value.to_bytes(max(4, (value.bit_length() + 7) // 8), "big"))

    @property
    def as_int(self) -> int:
        """The value as a number, whichever form it came in. Raises MalformedMessage above 64 bits."""
        value = self.value
        if isinstance(value, int):
            return value
        if not 0 < len(value) <= 8:
            raise MalformedMessage(f"attribute {self.type}: {len(value)} bytes are no number")
        return int.from_bytes(value, "big")

    def encode(self) -> bytes:
        value = self.value
        if not isinstance(value, int):
            return _PAIR.pack(self.type, len(value)) + value
        if value > 0xFFFF:
            raise LocalError(f"attribute {self.type}: {value} does not fit into 16 bits")
        return _PAIR.pack(self.type | _BASIC, value)


def decode_all(reader: Reader) -> tuple[Attribute, ...]:
    """The attributes up to the reader's end."""
    data = reader.rest()
    found: list[Attribute] = []
    start, size = 0, len(data)
    while start < size:
        if len(found) == MAX_ATTRIBUTES:
            raise MalformedMessage(f"more than {MAX_ATTRIBUTES} attributes")
        if start + _PAIR.size > size:
            raise MalformedMessage(f"needs {_PAIR.size} bytes where {size - start} are left")
        kind, value = _PAIR.unpack_from(data, start)
        start += _PAIR.size
        if kind & _BASIC:
            found.append(Attribute(kind & ~_BASIC, value))
        elif start + value > size:
            raise MalformedMessage(f"needs {value} bytes where {size - start} are left")
        else:
            found.append(Attribute(kind, data[start : start + value]))
            start += value
    return tuple(found)


@lru_cache(512)  # what we are configured to offer, and what we choose of what peers do
def encode_all(attributes: tuple[Attribute, ...]) -> bytes:
    return b"".join([attribute.encode() for attribute in attributes])
