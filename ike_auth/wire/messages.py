# SPDX-License-Identifier: ISC
"""Messages: a header and a chain of payloads, RFC 2408 3.2 and 5.3.

What is refused here is what makes the chain ambiguous: lengths, counts, a reserved byte that is not zero in a generic
header (RFC 2408 5.3 says so, and it is how text decrypted with a wrong key usually shows). Reserved bytes inside
a payload are ignored, for real peers set them. Which payloads may stand in which message says `legality`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import field
from functools import lru_cache, partial
from struct import Struct
from struct import error as StructError
from typing import TypeVar

from ike_auth.errors import LocalError, MalformedMessage, UnexpectedMessage
from ike_auth.values import value
from ike_auth.wire.header import HEADER_SIZE, Header
from ike_auth.wire.numbers import ExchangeType, PayloadType
from ike_auth.wire.payloads import DECODERS, Payload, UnknownPayload

# A peer that asks for certificates of each authority that it knows sends many; each payload costs us time.
MAX_PAYLOADS = 128
MAX_BODY = 0xFFFF - 4  # of one payload
_USUAL = 512  # bytes of a message that offers or chooses what Phase 1 is made with
_GENERIC = Struct("!BBH")
_GENERIC_SIZE = _GENERIC.size
_MODES = {
    ExchangeType.MAIN: "main mode",
    ExchangeType.AGGRESSIVE: "aggressive mode",
    ExchangeType.QUICK: "quick mode",
    ExchangeType.INFORMATIONAL: "informational",
    ExchangeType.TRANSACTION: "transaction",
    ExchangeType.BASE: "base mode",
}

_DECODERS = tuple(DECODERS.get(number, partial(UnknownPayload, PayloadType(number))) for number in range(256))

P = TypeVar("P", bound=Payload)
Encoded = tuple[PayloadType, bytes]  # a chain of payloads: the type of the first, and all bytes


@value
class Message:
    """A message in the clear, or what decryption gave.

    `after_first` is the received chain from behind the first payload on, without padding: what HASH(1) and HASH(2)
    of RFC 2409 5.5 cover. It is empty for messages of our own making and takes no part in comparisons.
    """

    header: Header
    payloads: tuple[Payload, ...]
    after_first: bytes = field(default=b"", repr=False, compare=False)
    kinds: tuple[type[Payload], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", tuple(map(type, self.payloads)))

    @classmethod
    def decode(cls, datagram: bytes) -> Message:
        """From a datagram that is not encrypted."""
        return cls.clear(Header.decode(datagram), datagram)

    @classmethod
    def clear(cls, header: Header, datagram: bytes) -> Message:
        """The same, where its header has been decoded already."""
        body = datagram[HEADER_SIZE:]
        decode = _usual_chain if header.next_payload == PayloadType.SA and len(body) <= _USUAL else _decode_chain
        return cls(header, *decode(header.next_payload, body, False))

    @classmethod
    def decrypted(cls, header: Header, plaintext: bytes) -> Message:
        """From the header of an encrypted datagram and its decrypted body, padding included."""
        return cls(header, *_decode_chain(header.next_payload, plaintext, padded=True))

    def encode(self) -> bytes:
        """The datagram in the clear, whatever the flags say; next payload and length are filled in."""
        return self.header.datagram(*encode_payloads(self.payloads))

    def all(self, kind: type[P]) -> tuple[P, ...]:
        kinds = self.kinds
        count = kinds.count(kind)
        if not count:
            return ()
        start = kinds.index(kind)
        together = slice(start, start + count)
        if kinds[together].count(kind) == count:  # mostly they stand together
            return self.payloads[together]  # type: ignore[return-value]
        return tuple([payload for payload in self.payloads if type(payload) is kind])

    def first(self, kind: type[P]) -> P | None:
        kinds = self.kinds
        return self.payloads[kinds.index(kind)] if kind in kinds else None  # type: ignore[return-value]

    def one(self, kind: type[P]) -> P:
        """The only payload of its kind. Raises UnexpectedMessage if there is none, or a second one."""
        kinds = self.kinds
        if kinds.count(kind) != 1:
            raise UnexpectedMessage(f"{kinds.count(kind)} payloads {kind.__name__} where one belongs")
        return self.payloads[kinds.index(kind)]  # type: ignore[return-value]

    @property
    def summary(self) -> str:
        """The payloads in one line, `SA(3 proposals) VENDOR×2`."""
        return describe(self.payloads)

    def __str__(self) -> str:
        mode = _MODES.get(self.header.exchange, str(self.header.exchange))
        id = f" {self.header.message_id:08x}" if self.header.message_id else ""
        return f"{mode}{id}: {self.summary}"


def decode_payloads(first: PayloadType, data: bytes, *, padded: bool = False) -> tuple[Payload, ...]:
    """The chain of payloads in `data`; bytes behind it are an error unless `padded`.

    Raises MalformedMessage (or another PeerError that a payload's content calls for) naming the payload.
    """
    return _decode_chain(first, data, padded)[0]


def encode_payloads(payloads: Sequence[Payload], then: Encoded = (PayloadType.NONE, b"")) -> Encoded:
    """The type of the first payload and the bytes of all; `then` is an encoded chain to go on with.

    Raises LocalError for a value that does not fit into its field.
    """
    following, chain = then
    try:
        for payload in reversed(payloads):
            body = payload.encode()
            chain = _GENERIC.pack(following, 0, len(body) + _GENERIC_SIZE) + body + chain
            following = payload.kind
    except (StructError, ValueError) as error:
        raise LocalError(f"a {type(payload).__name__} does not fit into its payload: {error}") from None
    return following, chain


def describe(payloads: Iterable[Payload]) -> str:
    """The payloads in one line; a run of the same ones is counted."""
    runs: list[tuple[str, int]] = []
    for payload in payloads:
        text = _describe_one(payload)
        if runs and runs[-1][0] == text:
            runs[-1] = text, runs[-1][1] + 1
        else:
            runs.append((text, 1))
    return " ".join(text if count == 1 else f"{text}×{count}" for text, count in runs)


def _describe_one(payload: Payload) -> str:
    has_own_text = payload.kind in (
        PayloadType.SA,
        PayloadType.NOTIFY,
        PayloadType.DELETE,
        PayloadType.FRAGMENT,
    )
    return str(payload) if has_own_text else str(payload.kind)


def _decode_chain(first: int, data: bytes, padded: bool) -> tuple[tuple[Payload, ...], bytes]:
    found: list[Payload] = []
    unpack, kind, start, size = _GENERIC.unpack_from, first, 0, len(data)
    try:
        for _ in range(MAX_PAYLOADS):
            if not kind:
                break
            try:
                following, reserved, length = unpack(data, start)
            except StructError:
                raise MalformedMessage(f"needs {_GENERIC_SIZE} bytes where {size - start} are left") from None
            end = start + length
            if reserved or length < _GENERIC_SIZE or end > size:
                raise MalformedMessage(_misfit(reserved, length - _GENERIC_SIZE, size - start - _GENERIC_SIZE))
            # A slice of its own: nothing in the payload can reach beyond it.
            found.append(_DECODERS[kind](data[start + _GENERIC_SIZE : end]))
            kind, start = following, end
        else:
            if kind:
                raise MalformedMessage(f"more than {MAX_PAYLOADS} payloads")
    except MalformedMessage as error:
        raise type(error)(f"payload {len(found) + 1}, {PayloadType(kind)}: {error}") from None
    if start < size and not padded:
        raise MalformedMessage(f"{size - start} bytes after the last payload")
    return tuple(found), data[_GENERIC.unpack_from(data)[2] : start] if found else b""


def _misfit(reserved: int, size: int, left: int) -> str:
    return f"reserved byte {reserved:#04x}" if reserved else f"a body of {size} bytes where {left} are left"


# There is nothing random behind the header of main mode's first two messages, so those of peers that are configured
# alike are the same.
_usual_chain = lru_cache(256)(_decode_chain)
