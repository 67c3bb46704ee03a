# SPDX-License-Identifier: ISC
"""The ISAKMP header, RFC 2408 3.1."""

from __future__ import annotations

from functools import lru_cache
from struct import Struct

from ike_auth.errors import (
    InvalidCookie,
    InvalidExchangeType,
    InvalidFlags,
    InvalidMajorVersion,
    InvalidMinorVersion,
    MalformedMessage,
    UnequalPayloadLengths,
)
from ike_auth.values import value
from ike_auth.wire.numbers import ExchangeType, Flags, PayloadType

HEADER_SIZE = 28
VERSION_1 = 0x10  # major 1, minor 0
NO_COOKIE = bytes(8)

_HEADER = Struct("!8s8sBBBBII")
_PARTS = Struct("!8s8s4sII")  # the same, but for what a message is
_KNOWN_FLAGS = int(Flags.ENCRYPTION | Flags.COMMIT | Flags.AUTH_ONLY)


@value
class Header:
    """28 bytes before the payloads; `length` counts them too.

    `datagram` fills in `next_payload` and `length`, so who builds a header may leave them at their defaults.
    """

    initiator_cookie: bytes
    responder_cookie: bytes
    next_payload: PayloadType = PayloadType.NONE
    version: int = VERSION_1
    exchange: ExchangeType = ExchangeType.NONE
    flags: Flags = Flags.NONE
    message_id: int = 0
    length: int = HEADER_SIZE

    @property
    def encrypted(self) -> bool:
        return int(self.flags) & 1 == 1

    @property
    def major_version(self) -> int:
        return self.version >> 4

    @classmethod
    def decode(cls, datagram: bytes) -> Header:
        """The header of a whole datagram.

        Raises MalformedMessage for less than a header, UnequalPayloadLengths if its length is not the datagram's.
        """
        if len(datagram) < HEADER_SIZE:
            raise MalformedMessage(f"a datagram of {len(datagram)} bytes holds no ISAKMP header")
        initiator, responder, form, message_id, length = _PARTS.unpack_from(datagram)
        if length != len(datagram):
            raise UnequalPayloadLengths(f"header says {length} bytes, datagram has {len(datagram)}")
        first, version, exchange, flags = _form(form)
        return cls(initiator, responder, first, version, exchange, flags, message_id, length)

    def checked(self) -> Header:
        """This header, if it can belong to an IKEv1 message at all (RFC 2408 5.2); else the error to report."""
        _check_form(self.version, self.exchange, self.flags)
        if self.initiator_cookie == NO_COOKIE:
            raise InvalidCookie("initiator cookie of zeros")
        return self

    def encode(self) -> bytes:
        return _HEADER.pack(
            self.initiator_cookie,
            self.responder_cookie,
            self.next_payload,
            self.version,
            self.exchange,
            int(self.flags),
            self.message_id,
            self.length,
        )

    def datagram(self, first: PayloadType, body: bytes, *, encrypted: bool = False) -> bytes:
        """The whole message: this header, made to fit, and `body` (payloads, or if `encrypted` their ciphertext)."""
        head = _HEADER.pack(
            self.initiator_cookie,
            self.responder_cookie,
            first,
            self.version,
            self.exchange,
            int(self.flags) | encrypted,
            self.message_id,
            HEADER_SIZE + len(body),
        )
        return head + body


@lru_cache(256)  # honest peers have some twenty
def _form(data: bytes) -> tuple[PayloadType, int, ExchangeType, Flags]:
    first, version, exchange, flags = data
    return PayloadType(first), version, ExchangeType(exchange), Flags(flags)


@lru_cache(256)
def _check_form(version: int, exchange: ExchangeType, flags: Flags) -> None:
    if version != VERSION_1:
        kind = InvalidMinorVersion if version >> 4 == VERSION_1 >> 4 else InvalidMajorVersion
        raise kind(f"version {version >> 4}.{version & 15}")
    if exchange not in _EXCHANGES:
        raise InvalidExchangeType(f"exchange type {exchange}")
    if int(flags) & ~_KNOWN_FLAGS:
        raise InvalidFlags(f"flags {int(flags):#04x}")


def message_id_of(datagram: bytes) -> int:
    """The message id of a datagram of ours, without decoding the rest."""
    return int.from_bytes(datagram[20:24], "big")


_EXCHANGES = frozenset(
    {
        ExchangeType.BASE,
        ExchangeType.MAIN,
        ExchangeType.AUTH_ONLY,
        ExchangeType.AGGRESSIVE,
        ExchangeType.INFORMATIONAL,
        ExchangeType.TRANSACTION,
        ExchangeType.QUICK,
        ExchangeType.NEW_GROUP,
    }
)
