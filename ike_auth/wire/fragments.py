# SPDX-License-Identifier: ISC
"""Reassembly of messages that came in FRAGMENT payloads (the FRAGMENTATION vendor extension).

A fragment is a datagram of its own: an ISAKMP header in the clear, and one payload with the id of the set, the number
of the piece (from 1), a mark on the last one, and a piece of the whole datagram, that datagram's header included.

Nothing of it is authenticated. Who knows the cookies can spoil a set, by a piece with false content or by a
false last one: the set is then put together wrongly and the message that results is dropped like any other forgery,
or the set is given up. That costs the one attempt; the peer's retransmission starts from nothing. It cannot make us
keep more than `MAX_SETS` sets of `MAX_SIZE` bytes for each exchange, nor keep them longer than `MAX_AGE`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ike_auth.errors import MalformedMessage
from ike_auth.wire.payloads import Fragment

MAX_SIZE = 32 * 1024  # of a whole message: several certificates of 4096 bits, and room
MAX_FRAGMENTS = 64
MAX_SETS = 2  # one that a retransmission has replaced may still arrive late
MAX_AGE = 30.0  # seconds from a set's first piece


@dataclass(frozen=True, slots=True)
class FragmentSet:
    """The pieces of one message that have come so far."""

    started: float
    pieces: Mapping[int, bytes] = field(default_factory=dict)
    count: int | None = None  # known once the last piece is here

    def with_piece(self, fragment: Fragment) -> FragmentSet:
        """Raises MalformedMessage if the piece contradicts the others, which makes the whole set worthless."""
        count = fragment.number if fragment.last else self.count
        if self.pieces.get(fragment.number, fragment.data) != fragment.data:
            raise MalformedMessage(f"fragment {fragment.number} came with two contents")
        if self.count not in (None, count):
            raise MalformedMessage(f"fragments {self.count} and {count} are both the last one")
        pieces = {**self.pieces, fragment.number: fragment.data}
        if count is not None and max(pieces) > count:
            raise MalformedMessage(f"fragment {max(pieces)} behind the last one, {count}")
        if sum(map(len, pieces.values())) > MAX_SIZE:
            raise MalformedMessage(f"fragments of more than {MAX_SIZE} bytes")
        return FragmentSet(self.started, pieces, count)

    @property
    def message(self) -> bytes | None:
        """The whole datagram, once all pieces are here."""
        if self.count is None or len(self.pieces) < self.count:
            return None
        return b"".join([self.pieces[number] for number in range(1, self.count + 1)])


@dataclass(frozen=True, slots=True)
class Reassembly:
    """The fragments of one exchange; a value that `add` makes the next one of.

    The exchange's cookies and the peer's address are what fragments are sorted by before they come here.
    """

    sets: Mapping[int, FragmentSet] = field(default_factory=dict)

    def add(self, fragment: Fragment, now: float) -> tuple[Reassembly, bytes | None]:
        """The next state, and the datagram if this piece completed one.

        `now` is monotonic, in seconds. A piece that contradicts its set replaces it; a set that is complete, or older
        than `MAX_AGE`, is forgotten. Raises MalformedMessage for a piece that fits into no set: the state stays.
        """
        if not 1 <= fragment.number <= MAX_FRAGMENTS or not fragment.data or len(fragment.data) > MAX_SIZE:
            raise MalformedMessage(f"fragment {fragment.number} of {len(fragment.data)} bytes")
        sets = {id: kept for id, kept in self.sets.items() if now - kept.started <= MAX_AGE}
        known = sets.pop(fragment.id, FragmentSet(now))
        try:
            grown = known.with_piece(fragment)
        except MalformedMessage:
            grown = FragmentSet(now).with_piece(fragment)
        message = grown.message
        if message is None:
            sets[fragment.id] = grown
            while len(sets) > MAX_SETS:
                del sets[min(sets, key=lambda id: sets[id].started)]
        return Reassembly(sets), message
