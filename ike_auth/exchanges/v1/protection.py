# SPDX-License-Identifier: ISC
"""IKEv1's encrypted messages: header in clear, payloads in CBC with a chained IV (RFC 2409 appendix B)."""

from ike_auth.crypto.ciphers import Cbc
from ike_auth.errors import InvalidFlags
from ike_auth.values import value
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.messages import Encoded, Message, encode_payloads
from ike_auth.wire.numbers import PayloadType
from ike_auth.wire.payloads import Payload

NOTHING: Encoded = (PayloadType.NONE, b"")


@value
class Protection:
    """A cipher and the IV of the next message, in whichever direction it goes."""

    cipher: Cbc
    iv: bytes

    def open(self, header: Header, data: bytes) -> "tuple[Message, Protection]":
        """Decrypt and decode a datagram. Raises MalformedMessage, or what a payload's decoder raises."""
        if not header.encrypted:
            raise InvalidFlags("the message is not encrypted")
        text, following = self.cipher.decrypt(data[HEADER_SIZE:], self.iv)
        return Message.decrypted(header, text), Protection(self.cipher, following)

    def seal(
        self, header: Header, payloads: tuple[Payload, ...] = (), then: Encoded = NOTHING
    ) -> "tuple[bytes, Protection]":
        """The datagram of a message, padded with zeros, and the protection of the one after it.

        `then` are payloads that are encoded already, since a hash in `payloads` covers them.
        """
        first, body = encode_payloads(payloads, then)
        ciphertext, following = self.cipher.encrypt(body, self.iv)
        return header.datagram(first, ciphertext, encrypted=True), Protection(self.cipher, following)


def open_clear(header: Header, data: bytes) -> Message:
    """Decode a datagram whose payloads are not encrypted. Raises InvalidFlags if it says they are."""
    if header.encrypted:
        raise InvalidFlags("the message is encrypted where it has to be in the clear")
    return Message.clear(header, data)
