# SPDX-License-Identifier: ISC
"""The bounded reader under every payload.

Nothing but `PeerError` leaves it, whatever the bytes are: each read is checked against the innermost fence first.
"""

from functools import cache
from struct import Struct
from types import TracebackType

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
        """How many bytes are left before the fence."""
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
        """Read everything up to the fence."""
        start, self._position = self._position, self._end
        return self._data[start : self._end]

    def exactly(self, length: int) -> "Fence":
        """A fence for a `with` block that reads the next `length` bytes, all of them and no more."""
        end = self._position + length
        if length < 0 or end > self._end:
            raise MalformedMessage(f"a body of {length} bytes where {self._end - self._position} are left")
        fence = Fence(self, self._end)
        self._end = end
        return fence


class Fence:
    """What `Reader.exactly` gives: it stands already, and falls when the block ends."""

    __slots__ = ("_outer_end", "_reader")

    def __init__(self, reader: Reader, outer_end: int) -> None:
        self._reader = reader
        self._outer_end = outer_end

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        reader = self._reader
        left = reader.remaining
        reader._end = self._outer_end
        if kind is None and left:
            raise MalformedMessage(f"{left} bytes left over")
