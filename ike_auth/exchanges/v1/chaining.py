# SPDX-License-Identifier: ISC
"""The same message in another ciphertext.

Of an encrypted message not every bit is authenticated: in Phase 1 the proof covers the identity alone, so payloads
that stand beside it can be altered on the way, and padding is covered nowhere. Who can inject sends an altered copy
ahead of the genuine message; it verifies, and its last block is another one. That block is the IV of the message
after it (RFC 2409 appendix B), so the peer could not read our answer, and would go on repeating a message that we
no longer expect.

So a step keeps what it took: what of the message nobody but the peer can have written, and the protection that it
came under. When that comes again in another ciphertext, it gets the same answer again, chained from that ciphertext.
Which of them was genuine shows by what the peer can read. docs/decisions/0503-same-message-another-ciphertext.md
"""

from hmac import compare_digest

from ike_auth.errors import UnexpectedMessage
from ike_auth.exchanges.v1.protection import Protection
from ike_auth.values import value

MAX_CHAINS = 16  # that one exchange goes on with; each costs a forger who can alter messages in flight one more


@value
class Taken:
    """A message that was taken: how it was protected, and the authenticated part of it."""

    protection: Protection
    proof: bytes

    def check_same(self, proof: bytes) -> None:
        """Raises UnexpectedMessage unless it is the same message."""
        if not compare_digest(self.proof, proof):
            raise UnexpectedMessage("another message than the one that was taken here")
