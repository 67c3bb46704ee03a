# SPDX-License-Identifier: ISC
"""How much an SA may carry: bytes (RFC 2407 4.5, kilobytes), and sequence numbers, which never repeat (RFC 4303
3.3.3).
"""

from __future__ import annotations

from dataclasses import dataclass

from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.events import Events, HardLimit, SoftLimit
from ike_auth.sa import IpsecSa


@dataclass(frozen=True, slots=True)
class Counted:
    """Bytes are those of inner packets. Times are those of `now`; None: never."""

    packets: int = 0
    bytes: int = 0
    first_used: float | None = None
    last_used: float | None = None


class Limits:
    """The counters of one SA, and the events when they reach the soft and the hard limit. Each is told once."""

    __slots__ = ("_events", "_hard_bytes", "_sa", "_soft_bytes", "_soft_sequence", "_told", "bytes", "first_used",
                 "last_sequence", "last_used", "packets")  # fmt: skip

    def __init__(self, sa: IpsecSa, soft: float, events: Events) -> None:
        """`soft`: the fraction of the hard limit that is the soft one; with jitter, so that two ends don't meet."""
        self.packets = self.bytes = 0
        self.first_used: float | None = None
        self.last_used: float | None = None
        self.last_sequence = (1 << 64) - 1 if sa.esn else (1 << 32) - 1
        self._hard_bytes = None if sa.life_kilobytes is None else sa.life_kilobytes * 1024
        self._soft_bytes = None if self._hard_bytes is None else int(self._hard_bytes * soft)
        self._soft_sequence = int(self.last_sequence * soft)
        self._sa = sa
        self._events = events
        self._told = 0  # 1: soft limit, 2: hard limit

    def spend(self, packets: int, size: int, sequence: int, now: float) -> None:
        """Count packets of `size` bytes together, of which the last has this sequence number, or none of them.

        Raises Dropped: HARD_LIMIT, SEQUENCE_EXHAUSTED.
        """
        total = self.bytes + size
        if self._hard_bytes is not None and total > self._hard_bytes:
            self._hard_bytes = -1  # a smaller packet would fit, but nobody counts on this SA any more
            self._tell(2)
            raise Dropped(Reason.HARD_LIMIT)
        if sequence > self.last_sequence:
            self.last_sequence = -1
            self._tell(2)
            raise Dropped(Reason.SEQUENCE_EXHAUSTED)
        if sequence >= self._soft_sequence or (self._soft_bytes is not None and total >= self._soft_bytes):
            self._tell(1)
        self.bytes = total
        self.packets += packets
        if self.first_used is None:
            self.first_used = now
        self.last_used = now

    @property
    def counted(self) -> Counted:
        return Counted(self.packets, self.bytes, self.first_used, self.last_used)

    def _tell(self, limit: int) -> None:
        if self._told < limit:
            self._told = limit
            event = HardLimit if limit == 2 else SoftLimit
            self._events.add(event(self._sa.spi, self._sa.inbound))
