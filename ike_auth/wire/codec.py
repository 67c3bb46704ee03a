# SPDX-License-Identifier: ISC
"""The bounded reader under every payload.

Nothing but `PeerError` leaves it, whatever the bytes are: each read is checked against the end first. What stands
behind a length gets a reader of its own, so nothing in it can reach beyond.
"""

from functools import cache
from struct import Struct

from ike_auth.errors import MalformedMessage


@cache
def layout(fields: str) -> Struct:
    """The compiled form of a struct format in network byte order, without its `!`."""
    return Struct("!" + fields)


class Reader:
    """Reads forward through bytes that the peer sent."""

    __slots__ = ("_data", "_end", "_position")

    def __init__(self, data: bytes | memoryview) -> None:
        self._data = bytes(data)
        self._position = 0
        self._end = len(self._data)

    @property
    def position(self) -> int:
        """How many bytes were read, counted from the start of the data."""
        return self._position

    @property
    def remaining(self) -> int:
        """How many bytes are left."""
        return self._end - self._position

    def unpack(self, fields: str) -> tuple[int, ...]:
        """Read integers: `fields` is a struct format of B, H, I and Q."""
        compiled = layout(fields)
        start = self._position
        if start + compiled.size > self._end:
            raise MalformedMessage(f"needs {compiled.size} bytes where {self._end - start} are left")
        self._position = start + compiled.size
        return compiled.unpack_from(self._data, start)

    def take(self, count: int) -> bytes:
        """Read `count` bytes."""
        start = self._position
        end = start + count
        if count < 0 or end > self._end:
            raise MalformedMessage(f"needs {count} bytes where {self._end - start} are left")
        self._position = end
        return self._data[start:end]

    def rest(self) -> bytes:
        """Read everything up to the end."""
        start, self._position = self._position, self._end
        return self._data[start : self._end]
