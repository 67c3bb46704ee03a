# SPDX-License-Identifier: ISC
"""Repeating what we sent, and recognising what was sent to us before. Values; the timers are the engine's.

The same bytes again get the same reply and nothing else runs (RFC 2408 5.1), for as long as the exchange is
remembered. What is kept are digests and our replies, a few of each.
"""

from hashlib import sha256

from ike_auth.values import value

KEPT = 3  # replies; a peer repeats its last message, and reordering may bring up the one before
FIRST_DELAY = 7.0  # seconds, isakmpd's: 7, 9, 11, ...
DELAY_STEP = 2.0


def digest(data: bytes) -> bytes:
    return sha256(data).digest()[:16]


@value
class Retransmission:
    """`replies` are (digest of what came, datagrams that answered it), newest last."""

    replies: tuple[tuple[bytes, tuple[bytes, ...]], ...] = ()
    message: bytes | None = None  # what awaits an answer
    sent: int = 0  # times that `message` was sent

    def reply_to(self, received: bytes) -> tuple[bytes, ...] | None:
        """Our answer to a datagram with this digest; None if it has not been here."""
        for seen, answer in self.replies:
            if seen == received:
                return answer
        return None

    def answered(self, received: bytes, answer: tuple[bytes, ...]) -> "Retransmission":
        """Remember how a datagram was answered, an answer of nothing too."""
        others = [pair for pair in self.replies if pair[0] != received]
        return Retransmission((*others, (received, answer))[-KEPT:], self.message, self.sent)

    @classmethod
    def final(cls, received: bytes, answer: tuple[bytes, ...]) -> "Retransmission":
        """What is kept once the exchange is over: how the peer's last message was answered."""
        return cls(((received, answer),))

    def awaiting(self, message: bytes | None) -> "Retransmission":
        """From now on repeat this message, or with None, nothing."""
        return Retransmission(self.replies, message, 0 if message is None else 1)

    def again(self) -> "Retransmission":
        return Retransmission(self.replies, self.message, self.sent + 1)

    @property
    def delay(self) -> float:
        """Seconds from the last sending to the next."""
        return FIRST_DELAY + DELAY_STEP * (self.sent - 1)
