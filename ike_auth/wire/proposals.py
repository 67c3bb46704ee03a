# SPDX-License-Identifier: ISC
"""The security association payload with its proposals and transforms, RFC 2408 3.4 to 3.6, RFC 2407 4.6.1."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import InitVar, field
from functools import lru_cache
from itertools import groupby
from struct import Struct
from typing import ClassVar

from ike_auth.errors import BadProposalSyntax, DoiNotSupported, LocalError, MalformedMessage, SituationNotSupported
from ike_auth.values import value
from ike_auth.wire import attributes
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.codec import Reader
from ike_auth.wire.numbers import Doi, PayloadType, ProtocolId, Situation

MAX_PROPOSALS = 64  # of one SA payload
MAX_TRANSFORMS = 256  # of all proposals together: one proposal can hold 255
_DOI_AND_SITUATION = Struct("!II")
_GENERIC = Struct("!BBH")
_PROPOSAL = Struct("!BBHBBBB")
_PROPOSAL_HEAD = Struct("!BBBB")
_TRANSFORM = Struct("!BBHBBH")
_USUAL = 256  # bytes of the transforms of a proposal: six of them and more


@value
class Transform:
    """RFC 2408 3.6."""

    number: int
    id: int
    attributes: tuple[Attribute, ...] = ()

    @classmethod
    def decode(cls, body: bytes) -> Transform:
        reader = Reader(body)
        # Reserved bytes inside the SA are not looked at: nothing depends on them, and the peer's hash covers them.
        number, id, _ = reader.unpack("BBH")
        return cls(number, id, attributes.decode_all(reader))

    def encode(self, following: PayloadType) -> bytes:
        body = attributes.encode_all(self.attributes)
        return _TRANSFORM.pack(following, 0, 8 + len(body), self.number, self.id, 0) + body

    def attribute(self, type: int) -> Attribute | None:
        """The first attribute of this type."""
        return next((attribute for attribute in self.attributes if attribute.type == type), None)


@lru_cache(512)  # as `encode_all`
def _encoded_transforms(transforms: tuple[Transform, ...]) -> bytes:
    more, last = transforms[:-1], transforms[-1]
    return b"".join([each.encode(PayloadType.TRANSFORM) for each in more]) + last.encode(PayloadType.NONE)


def _transforms(chain: bytes) -> tuple[Transform, ...]:
    return tuple([Transform.decode(body) for body in _bodies(chain, PayloadType.TRANSFORM, MAX_TRANSFORMS)])


# Peers offer what everybody offers, again and again. One that does not may fill this, with some megabytes.
_usual_transforms = lru_cache(maxsize=256)(_transforms)


@value
class Proposal:
    """RFC 2408 3.5. Proposals of one number belong together: the peer takes all of them or none."""

    number: int
    protocol: ProtocolId
    spi: bytes
    transforms: tuple[Transform, ...]

    @classmethod
    def decode(cls, body: bytes) -> Proposal:
        if len(body) < _PROPOSAL_HEAD.size:
            raise MalformedMessage(f"needs {_PROPOSAL_HEAD.size} bytes where {len(body)} are left")
        number, protocol, spi_size, count = _PROPOSAL_HEAD.unpack_from(body)
        start = _PROPOSAL_HEAD.size + spi_size
        if start > len(body):
            raise MalformedMessage(f"needs {spi_size} bytes where {len(body) - _PROPOSAL_HEAD.size} are left")
        spi = body[_PROPOSAL_HEAD.size : start]
        if not count:
            raise BadProposalSyntax(f"proposal {number} has no transform")
        chain = body[start:]
        transforms = _usual_transforms(chain) if len(chain) <= _USUAL else _transforms(chain)
        if len(transforms) != count:
            raise BadProposalSyntax(f"proposal {number} says {count} transforms and has {len(transforms)}")
        return cls(number, ProtocolId(protocol), spi, transforms)

    def encode(self, following: PayloadType) -> bytes:
        if not 0 < len(self.transforms) <= 255:
            raise LocalError(f"proposal {self.number}: {len(self.transforms)} transforms do not fit")
        body = _encoded_transforms(self.transforms)
        spi, count = self.spi, len(self.transforms)
        length = _PROPOSAL.size + len(spi) + len(body)
        head = _PROPOSAL.pack(following, 0, length, self.number, self.protocol, len(spi), count)
        return head + spi + body


@value
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
    def decode(cls, body: bytes) -> SecurityAssociation:
        """Raises DoiNotSupported and SituationNotSupported besides the errors of form."""
        if len(body) < _DOI_AND_SITUATION.size:
            raise MalformedMessage(f"needs {_DOI_AND_SITUATION.size} bytes where {len(body)} are left")
        doi, situation = _DOI_AND_SITUATION.unpack_from(body)
        if doi != Doi.IPSEC:
            raise DoiNotSupported(f"domain of interpretation {doi}")
        if situation != Situation.IDENTITY_ONLY:
            raise SituationNotSupported(f"situation {situation:#x}")
        proposals: list[Proposal] = []
        left = MAX_TRANSFORMS
        for each in _bodies(body[_DOI_AND_SITUATION.size :], PayloadType.PROPOSAL, MAX_PROPOSALS):
            proposals.append(Proposal.decode(each))
            left -= len(proposals[-1].transforms)
            if left < 0:
                raise _too_many()
        return cls(tuple(proposals), received=body)

    def encode(self) -> bytes:
        return self.raw

    def alternatives(self) -> list[tuple[Proposal, ...]]:
        """The proposals grouped by number, in order: each group is one thing to take or leave."""
        if len(self.proposals) == 1:
            return [self.proposals]
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


def _bodies(chain: bytes, own: PayloadType, most: int) -> list[bytes]:
    """What stands behind the generic headers of a chain that holds proposals only, or transforms only."""
    found: list[bytes] = []
    following, start, size = int(own), 0, len(chain)
    while following:
        if len(found) == most:
            raise _too_many()
        body = start + _GENERIC.size
        if body > size:
            raise MalformedMessage(f"needs {_GENERIC.size} bytes where {size - start} are left")
        following, _, length = _GENERIC.unpack_from(chain, start)
        if following not in (own, PayloadType.NONE):
            raise BadProposalSyntax(f"payload {following} after a {own.name.lower()}")
        end = start + length
        if not body <= end <= size:
            raise MalformedMessage(f"a body of {end - body} bytes where {size - body} are left")
        found.append(chain[body:end])
        start = end
    if start < size:
        raise BadProposalSyntax(f"{size - start} bytes after the last {own.name.lower()}")
    return found


def _too_many() -> BadProposalSyntax:
    return BadProposalSyntax("too many proposals or transforms")
