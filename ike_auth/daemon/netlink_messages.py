# SPDX-License-Identifier: ISC
"""Netlink messages (RFC 3549 2.2): bytes ↔ values, in this machine's byte order. No sockets here.

length 4 | type 2 | flags 2 | sequence 4 | port 4 | body, filled up to four bytes
body: a fixed structure of the family, then attributes
attribute: length 2 | type 2 | value, filled up to four bytes
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntFlag
from struct import Struct
from typing import Any

from ike_auth.errors import LocalError

_HEADER = Struct("=IHHII")
_ATTRIBUTE = Struct("=HH")
_ERRNO = Struct("=i")
_TYPE_MASK = 0x3FFF  # the upper two bits say "nested" and "network byte order"


class Flag(IntFlag):
    """`nlmsg_flags`; one bit may mean several things, as the type of a message has it."""

    NONE = 0
    REQUEST = 0x1
    MULTI = 0x2
    ACK = 0x4
    DUMP_INTERRUPTED = 0x10
    CAPPED = 0x100  # of an error: what was refused is not repeated in it
    ACK_TLVS = 0x200  # of an error: attributes follow
    REPLACE = 0x100
    EXCLUSIVE = 0x200
    CREATE = 0x400
    DUMP = 0x300
    APPEND = 0x800


#: Types of messages that every family has.
ERROR, DONE = 2, 3
#: `NLMSGERR_ATTR_MSG`, behind an error.
_ERROR_TEXT = 1
#: In an attribute's type: its value is attributes.
NESTED = 0x8000


class MalformedNetlink(LocalError):
    """Bytes that are no message of the kernel's as we know them."""


@dataclass(frozen=True, slots=True)
class Message:
    type: int
    flags: Flag
    body: bytes
    sequence: int = 0
    port: int = 0

    def encode(self) -> bytes:
        header = _HEADER.pack(_HEADER.size + len(self.body), self.type, self.flags, self.sequence, self.port)
        return header + self.body

    def __repr__(self) -> str:
        """Without the body: there may be keys in it."""
        return f"Message({self.type}, {self.flags!r}, {len(self.body)} bytes)"


@dataclass(frozen=True, slots=True)
class Refusal:
    """The kernel's answer to what it was told: 0, or the errno and what it says about it."""

    errno: int
    text: str = ""

    @classmethod
    def decode(cls, message: Message) -> Refusal:
        """Of a message of type ERROR. Raises MalformedNetlink."""
        body = message.body
        if len(body) < _ERRNO.size + _HEADER.size:
            raise MalformedNetlink(f"an error of {len(body)} bytes")
        number = -_ERRNO.unpack_from(body)[0]
        if number < 0:
            raise MalformedNetlink(f"an error numbered {-number}")
        text = ""
        if message.flags & Flag.ACK_TLVS:
            echoed = _HEADER.size if message.flags & Flag.CAPPED else _HEADER.unpack_from(body, _ERRNO.size)[0]
            for kind, value in attributes(body[_ERRNO.size + _aligned(echoed) :]):
                if kind == _ERROR_TEXT:
                    text = value.rstrip(b"\0").decode(errors="replace")
        return cls(number, text)


def messages(data: bytes) -> Iterator[Message]:
    """Those of one datagram. Raises MalformedNetlink."""
    position = 0
    while position < len(data):
        if len(data) - position < _HEADER.size:
            raise MalformedNetlink(f"{len(data) - position} bytes are no header")
        length, kind, flags, sequence, port = _HEADER.unpack_from(data, position)
        if length < _HEADER.size or position + length > len(data):
            raise MalformedNetlink(f"a message of {length} bytes where {len(data) - position} are left")
        yield Message(kind, Flag(flags), data[position + _HEADER.size : position + length], sequence, port)
        position += _aligned(length)


def attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Type and value, in order. Raises MalformedNetlink."""
    position = 0
    while position < len(data):
        if len(data) - position < _ATTRIBUTE.size:
            raise MalformedNetlink(f"{len(data) - position} bytes are no attribute")
        length, kind = _ATTRIBUTE.unpack_from(data, position)
        if length < _ATTRIBUTE.size or position + length > len(data):
            raise MalformedNetlink(f"an attribute of {length} bytes where {len(data) - position} are left")
        yield kind & _TYPE_MASK, data[position + _ATTRIBUTE.size : position + length]
        position += _aligned(length)


def encode_attributes(found: Iterable[tuple[int, bytes]]) -> bytes:
    parts: list[bytes] = []
    for kind, value in found:
        length = _ATTRIBUTE.size + len(value)
        parts += (_ATTRIBUTE.pack(length, kind), value, bytes(_aligned(length) - length))
    return b"".join(parts)


def unpacked(layout: Struct, data: bytes, position: int = 0) -> tuple[Any, ...]:
    """The fields of a fixed structure. Raises MalformedNetlink if it is cut off."""
    if len(data) - position < layout.size:
        raise MalformedNetlink(f"needs {layout.size} bytes where {len(data) - position} are left")
    return layout.unpack_from(data, position)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
