# SPDX-License-Identifier: ISC
"""The payloads of RFC 2408 3 besides the SA, and those that RFC 3947 and the FRAGMENTATION extension add.

`DECODERS` read a payload's body, `encode` gives it; the generic header around it belongs to `messages`. `kind` is the
number that the generic header before it names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from ipaddress import IPv4Address, IPv6Address
from struct import Struct
from typing import ClassVar, Self

from ike_auth.errors import LocalError, MalformedMessage
from ike_auth.values import value
from ike_auth.wire.codec import Reader
from ike_auth.wire.identities import Identity
from ike_auth.wire.numbers import CertEncoding, Doi, IdType, NotifyType, PayloadType, ProtocolId
from ike_auth.wire.proposals import SecurityAssociation

_NOTIFICATION = Struct("!IBBH")
_DELETE = Struct("!IBBH")
_FRAGMENT = Struct("!HBB")


@value
class _Opaque:
    """A payload that is nothing but its data."""

    kind: ClassVar[PayloadType]

    data: bytes

    def encode(self) -> bytes:
        return self.data


@value
class KeyExchange(_Opaque):
    """RFC 2408 3.7: the public value of the group."""

    kind = PayloadType.KE


@value
class Hash(_Opaque):
    """RFC 2408 3.11."""

    kind = PayloadType.HASH


@value
class Signature(_Opaque):
    """RFC 2408 3.12."""

    kind = PayloadType.SIG


@value
class Nonce(_Opaque):
    """RFC 2408 3.13. RFC 2409 5 allows 8 to 256 bytes, which `legality.check` holds it to."""

    kind = PayloadType.NONCE


@value
class VendorId(_Opaque):
    """RFC 2408 3.16; `vendor_ids` knows some by name."""

    kind = PayloadType.VENDOR


# RFC 2408 3.8 calls it so; who a peer is and which traffic it means share one form, and one class.
Identification = Identity


@value
class Certificate:
    """RFC 2408 3.9."""

    kind: ClassVar[PayloadType] = PayloadType.CERT

    encoding: CertEncoding
    data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(_encoding(body), body[1:])

    def encode(self) -> bytes:
        return bytes((self.encoding,)) + self.data


@value
class CertificateRequest:
    """RFC 2408 3.10; `data` names the authority in DER, or is empty for any."""

    kind: ClassVar[PayloadType] = PayloadType.CERTREQ

    encoding: CertEncoding
    data: bytes = b""

    @classmethod
    def decode(cls, body: bytes) -> Self:
        return cls(_encoding(body), body[1:])

    def encode(self) -> bytes:
        return bytes((self.encoding,)) + self.data


@value
class Notification:
    """RFC 2408 3.14."""

    kind: ClassVar[PayloadType] = PayloadType.NOTIFY

    doi: Doi
    protocol: ProtocolId
    type: NotifyType
    spi: bytes = b""
    data: bytes = b""

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        doi, protocol, spi_size, type = reader.unpack("IBBH")
        return cls(Doi(doi), ProtocolId(protocol), NotifyType(type), reader.take(spi_size), reader.rest())

    def encode(self) -> bytes:
        return _NOTIFICATION.pack(self.doi, self.protocol, len(self.spi), self.type) + self.spi + self.data

    def __str__(self) -> str:
        return f"NOTIFY({self.type})"


@value
class Delete:
    """RFC 2408 3.15: SPIs of the sender's inbound SAs that are gone, all of one size."""

    kind: ClassVar[PayloadType] = PayloadType.DELETE

    doi: Doi
    protocol: ProtocolId
    spis: tuple[bytes, ...]

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        doi, protocol, size, count = reader.unpack("IBBH")
        if not size and count > 1:
            raise MalformedMessage(f"{count} SPIs of no size")
        spis = tuple([reader.take(size) for _ in range(count)])
        return cls(Doi(doi), ProtocolId(protocol), spis)

    def encode(self) -> bytes:
        sizes = {len(spi) for spi in self.spis} or {0}
        if len(sizes) > 1:
            raise LocalError("SPIs of different sizes in one delete payload")
        return _DELETE.pack(self.doi, self.protocol, sizes.pop(), len(self.spis)) + b"".join(self.spis)

    def __str__(self) -> str:
        return f"DELETE({self.protocol} {' '.join(spi.hex() for spi in self.spis)})"


@value
class NatDiscovery:
    """RFC 3947 3.2: the hash of an address and port as the sender sees them. `kind` tells the numbering, of the
    RFC or of its drafts."""

    data: bytes
    kind: PayloadType = PayloadType.NAT_D

    def encode(self) -> bytes:
        return self.data


@value
class NatOriginalAddress:
    """RFC 3947 5.2: an address of the SA's ends before translation; `kind` as in NatDiscovery."""

    type: IdType
    data: bytes
    kind: PayloadType = PayloadType.NAT_OA

    @classmethod
    def decode(cls, reader: Reader, kind: PayloadType = PayloadType.NAT_OA) -> Self:
        type, _, _ = reader.unpack("BBH")  # reserved bytes: ignored
        return cls(IdType(type), reader.rest(), kind)

    def encode(self) -> bytes:
        return bytes((self.type, 0, 0, 0)) + self.data

    @property
    def address(self) -> IPv4Address | IPv6Address:
        """Raises MalformedMessage unless it is one address."""
        found = Identity(self.type, 0, 0, self.data).ip_address
        if found is None:
            raise MalformedMessage(f"NAT-OA with a {self.type} of {len(self.data)} bytes")
        return found


@value
class Fragment:
    """A piece of a message, FRAGMENTATION vendor extension; `fragments` puts them together."""

    kind: ClassVar[PayloadType] = PayloadType.FRAGMENT

    id: int
    number: int  # from 1
    last: bool
    data: bytes

    @classmethod
    def decode(cls, reader: Reader) -> Self:
        id, number, flags = reader.unpack("HBB")
        return cls(id, number, bool(flags & 1), reader.rest())

    def encode(self) -> bytes:
        return _FRAGMENT.pack(self.id, self.number, self.last) + self.data

    def __str__(self) -> str:
        return f"FRAGMENT({self.id}:{self.number}{' last' if self.last else ''})"


@value
class UnknownPayload:
    """A payload of a number that is not in `DECODERS`; kept as it came."""

    kind: PayloadType
    data: bytes

    def encode(self) -> bytes:
        return self.data

    @property
    def private(self) -> bool:
        """Whether the number is for private use (RFC 2408 3.1): then it may be ignored, else it is an error."""
        return self.kind >= 128


Payload = (
    SecurityAssociation
    | KeyExchange
    | Identity
    | Certificate
    | CertificateRequest
    | Hash
    | Signature
    | Nonce
    | Notification
    | Delete
    | VendorId
    | NatDiscovery
    | NatOriginalAddress
    | Fragment
    | UnknownPayload
)


def _encoding(body: bytes) -> CertEncoding:
    if not body:
        raise MalformedMessage("needs 1 bytes where 0 are left")
    return CertEncoding(body[0])


def _read(decode: Callable[[Reader], Payload], body: bytes) -> Payload:
    """The whole of a body, by what reads a part."""
    reader = Reader(body)
    payload = decode(reader)
    if reader.remaining:
        raise MalformedMessage(f"{reader.remaining} bytes left over")
    return payload


# By their number, what makes payloads of their bodies, and raises MalformedMessage or what else their content calls
# for. A handshake is full of the first ones, which need no reader.
DECODERS: Mapping[int, Callable[[bytes], Payload]] = {
    PayloadType.KE: KeyExchange,
    PayloadType.HASH: Hash,
    PayloadType.SIG: Signature,
    PayloadType.NONCE: Nonce,
    PayloadType.VENDOR: VendorId,
    PayloadType.NAT_D: NatDiscovery,
    PayloadType.NAT_D_DRAFT: partial(NatDiscovery, kind=PayloadType.NAT_D_DRAFT),
    PayloadType.SA: SecurityAssociation.decode,
    PayloadType.ID: Identity.decode,
    PayloadType.CERT: Certificate.decode,
    PayloadType.CERTREQ: CertificateRequest.decode,
    PayloadType.NOTIFY: partial(_read, Notification.decode),
    PayloadType.DELETE: partial(_read, Delete.decode),
    PayloadType.NAT_OA: partial(_read, NatOriginalAddress.decode),
    PayloadType.NAT_OA_DRAFT: partial(_read, partial(NatOriginalAddress.decode, kind=PayloadType.NAT_OA_DRAFT)),
    PayloadType.FRAGMENT: partial(_read, Fragment.decode),
}
