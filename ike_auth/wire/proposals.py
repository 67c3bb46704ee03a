# SPDX-License-Identifier: ISC
"""The security association payload with its proposals and transforms, RFC 2408 3.4 to 3.6, RFC 2407 4.6.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, dataclass, field
from itertools import groupby
from struct import Struct
from typing import ClassVar, NamedTuple

from ike_auth.errors import BadProposalSyntax, DoiNotSupported, LocalError, SituationNotSupported
from ike_auth.wire import attributes
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.codec import Reader
from ike_auth.wire.numbers import Doi, PayloadType, ProtocolId, Situation

MAX_PROPOSALS = 64  # of one SA payload
MAX_TRANSFORMS = 256  # of all proposals together: one proposal can hold 255
_DOI_AND_SITUATION = Struct("!II")
_PROPOSAL = Struct("!BBHBBBB")
_TRANSFORM = Struct("!BBHBBH")


class Transform(NamedTuple):
    """RFC 2408 3.6."""

    number: int
    id: int
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def decode(cls, reader: Reader) -> Transform:
        # Reserved bytes inside the SA are not looked at: nothing depends on them, and the peer's hash covers them.
        number, id, _ = reader.unpack("BBH")
        return cls(number, id, attributes.decode_all(reader))

    def encode(self, following: PayloadType) -> bytes:
        body = attributes.encode_all(self.attributes)
        return _TRANSFORM.pack(following, 0, 8 + len(body), self.number, self.id, 0) + body

    def attribute(self, type: int) -> Attribute | None:
        """The first attribute of this type."""
        return next((attribute for attribute in self.attributes if attribute.type == type), None)


class Proposal(NamedTuple):
    """RFC 2408 3.5. Proposals of one number belong together: the peer takes all of them or none."""

    number: int
    protocol: ProtocolId
    spi: bytes
    transforms: tuple[Transform, ...]

    @classmethod
    def decode(cls, reader: Reader) -> Proposal:
        number, protocol, spi_size, count = reader.unpack("BBBB")
        spi = reader.take(spi_size)
        transforms: list[Transform] = []
        expected = PayloadType.TRANSFORM if count else PayloadType.NONE
        while expected is PayloadType.TRANSFORM:
            expected, length = _chained(reader, PayloadType.TRANSFORM)
            with reader.exactly(length):
                transforms.append(Transform.decode(reader))
        if len(transforms) != count:
            raise BadProposalSyntax(f"proposal {number} says {count} transforms and has {len(transforms)}")
        if not transforms:
            raise BadProposalSyntax(f"proposal {number} has no transform")
        return cls(number, ProtocolId(protocol), spi, tuple(transforms))

    def encode(self, following: PayloadType) -> bytes:
        if not 0 < len(self.transforms) <= 255:
            raise LocalError(f"proposal {self.number}: {len(self.transforms)} transforms do not fit")
        more, last = self.transforms[:-1], self.transforms[-1]
        body = b"".join([transform.encode(PayloadType.TRANSFORM) for transform in more])
        body += last.encode(PayloadType.NONE)
        spi, count = self.spi, len(self.transforms)
        length = _PROPOSAL.size + len(spi) + len(body)
        head = _PROPOSAL.pack(following, 0, length, self.number, self.protocol, len(spi), count)
        return head + spi + body


@dataclass(frozen=True, slots=True)
class SecurityAssociation:
    """RFC 2408 3.4 with the IPsec DOI.

    `raw` is the body exactly as it was received, or as it will be sent: SAi_b of RFC 2409 5 is hashed from it. It
    takes no part in comparisons, and `dataclasses.replace` makes it anew.
    """

    kind: ClassVar[PayloadType] = PayloadType.SA

    proposals: tuple[Proposal, ...]
    doi: Doi = Doi.IPSEC
    situation: Situation = Situation.IDENTITY_ONLY
    raw: bytes = field(init=False, repr=False, compare=False)
    received: InitVar[bytes] = b""

    def __post_init__(self, received: bytes) -> None:
        object.__setattr__(self, "raw", received or self._encoded())

    @classmethod
    def decode(cls, reader: Reader) -> SecurityAssociation:
        """Raises DoiNotSupported and SituationNotSupported besides the errors of form."""
        body = reader.rest()
        reader = Reader(body)
        doi, situation = reader.unpack("II")
        if doi != Doi.IPSEC:
            raise DoiNotSupported(f"domain of interpretation {doi}")
        if situation != Situation.IDENTITY_ONLY:
            raise SituationNotSupported(f"situation {situation:#x}")
        proposals: list[Proposal] = []
        expected, transforms = PayloadType.PROPOSAL, 0
        while expected is PayloadType.PROPOSAL:
            expected, length = _chained(reader, PayloadType.PROPOSAL)
            with reader.exactly(length):
                proposals.append(Proposal.decode(reader))
            transforms += len(proposals[-1].transforms)
            if len(proposals) > MAX_PROPOSALS or transforms > MAX_TRANSFORMS:
                raise BadProposalSyntax("too many proposals or transforms")
        if reader.remaining:
            raise BadProposalSyntax(f"{reader.remaining} bytes after the last proposal")
        return cls(tuple(proposals), received=body)

    def encode(self) -> bytes:
        return self.raw

    def alternatives(self) -> list[tuple[Proposal, ...]]:
        """The proposals grouped by number, in order: each group is one thing to take or leave."""
        return [tuple(group) for _, group in groupby(self.proposals, key=lambda proposal: proposal.number)]

    def _encoded(self) -> bytes:
        chain: Sequence[Proposal] = self.proposals
        if not chain:
            raise LocalError("an SA payload needs a proposal")
        body = b"".join([proposal.encode(PayloadType.PROPOSAL) for proposal in chain[:-1]])
        return _DOI_AND_SITUATION.pack(self.doi, self.situation) + body + chain[-1].encode(PayloadType.NONE)

    def __str__(self) -> str:
        count = len(self.proposals)
        return f"SA({count} proposal{'s' if count > 1 else ''})"


def _chained(reader: Reader, own: PayloadType) -> tuple[PayloadType, int]:
    """Next payload and body length from the generic header of a proposal or transform."""
    following, _, length = reader.unpack("BBH")
    if following not in (own, PayloadType.NONE):
        raise BadProposalSyntax(f"payload {following} after a {own.name.lower()}")
    return (own if following else PayloadType.NONE), length - 4
