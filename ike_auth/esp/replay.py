# SPDX-License-Identifier: ISC
"""Anti-replay window of an inbound SA: RFC 4303 3.4.3 and appendix A."""

from ike_auth.esp.drops import Dropped, Reason

_HALF = 1 << 32
_LOW = _HALF - 1
_LAST = (1 << 64) - 1


class Window:
    """Which of the last `size` sequence numbers have been seen. A size of 0 accepts everything, any number of times.

    First `sequence`, which makes 64 bits of the 32 on the wire; then `check`; and only when the ICV has held,
    `accept`.
    """

    __slots__ = ("_esn", "_mask", "_seen", "size", "top")

    def __init__(self, size: int, esn: bool = False) -> None:
        self.size = size
        self.top = 0  # the highest that was accepted
        self._esn = esn
        self._seen = 0  # bit n: whether top - n was accepted
        self._mask = (1 << size) - 1

    def sequence(self, low: int) -> int:
        """The whole sequence number whose low 32 bits came in a packet (appendix A2.2); 0 for one that can't be."""
        if not self._esn:
            return low
        high, top = self.top & ~_LOW, self.top & _LOW
        bottom = top - max(self.size, 1) + 1
        if bottom >= 0:  # the window lies within one half: what is below it belongs to the next
            sequence = high + low + (_HALF if low < bottom else 0)
            return sequence if sequence <= _LAST else 0
        return max(high + low - (_HALF if low >= bottom + _HALF else 0), 0)

    def check(self, sequence: int) -> None:
        """Raises Dropped: REPLAYED, or TOO_OLD to be told."""
        behind = self.top - sequence
        if behind < 0 or not self.size:
            return
        if sequence <= 0 or (behind < self.size and self._seen >> behind & 1):
            raise Dropped(Reason.REPLAYED)
        if behind >= self.size:
            raise Dropped(Reason.TOO_OLD)

    def accept(self, sequence: int) -> None:
        """Remember this number: its packet is authentic."""
        ahead = sequence - self.top
        if ahead <= 0:
            if -ahead < self.size:
                self._seen |= 1 << -ahead
            return
        self.top = sequence
        self._seen = (self._seen << ahead | 1) & self._mask if ahead < self.size else self._mask & 1
