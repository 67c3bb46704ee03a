# SPDX-License-Identifier: ISC
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import (
    BadProposalSyntax,
    DoiNotSupported,
    LocalError,
    MalformedMessage,
    PeerError,
    SituationNotSupported,
)
from ike_auth.wire import proposals
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.numbers import Doi, ProtocolId
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform
from tests.ike_auth.wire.strategies import security_associations

# Two suites: ESP with AH, or ESP alone with a choice of two transforms.
AH = Proposal(1, ProtocolId.AH, b"\0\0\1\1", (Transform(1, 5, (Attribute(5, 5),)),))
ESP = Proposal(1, ProtocolId.ESP, b"\0\0\1\2", (Transform(1, 12, (Attribute(6, 128),)),))
ESP_ALONE = Proposal(2, ProtocolId.ESP, b"\0\0\1\3", (Transform(1, 12, (Attribute(6, 256),)), Transform(2, 3)))
SA = SecurityAssociation((AH, ESP, ESP_ALONE))
WIRE = bytes.fromhex(
    "00000001 00000001"
    "02 00 0018 01 02 04 01 00000101"
    "   00 00 000c 01 05 0000 80050005"
    "02 00 0018 01 03 04 01 00000102"
    "   00 00 000c 01 0c 0000 80060080"
    "00 00 0020 02 03 04 02 00000103"
    "   03 00 000c 01 0c 0000 80060100"
    "   00 00 0008 02 03 0000"
)


def decode(data: bytes) -> SecurityAssociation:
    return SecurityAssociation.decode(data)


def test_decode_and_encode() -> None:
    assert SA.encode() == WIRE
    assert decode(WIRE) == SA
    assert decode(WIRE).encode() == WIRE
    assert str(SA) == "SA(3 proposals)"


def test_proposals_of_one_number_belong_together() -> None:
    assert SA.alternatives() == [(AH, ESP), (ESP_ALONE,)]


def test_first_attribute_of_a_type() -> None:
    transform = Transform(1, 1, (Attribute(11, 1), Attribute(12, 60), Attribute(11, 2)))
    assert transform.attribute(11) == Attribute(11, 1)
    assert transform.attribute(4) is None


def test_raw_is_what_was_received() -> None:
    """RFC 2409 5: the hash covers the SA as it was sent; reserved bytes in it are the sender's affair."""
    odd = bytearray(WIRE)
    odd[8 + 12 + 6] = 0x7F  # RESERVED2 of the first transform
    received = decode(bytes(odd))
    assert received.raw == received.encode() == bytes(odd)
    assert received == SA
    assert SA.raw == WIRE
    assert replace(received, proposals=(ESP_ALONE,)).raw == SecurityAssociation((ESP_ALONE,)).raw


@pytest.mark.parametrize(
    ("offset", "byte", "error"),
    [
        (3, 0, DoiNotSupported),
        (7, 3, SituationNotSupported),
        (8, 3, BadProposalSyntax),  # a transform after a proposal
        (8, 0, BadProposalSyntax),  # bytes after the last proposal
        (11, 0x17, MalformedMessage),
        (11, 0x03, MalformedMessage),
        (14, 0x05, MalformedMessage),  # SPI into the transform
        (15, 0, BadProposalSyntax),
        (15, 2, BadProposalSyntax),
        (20, 2, BadProposalSyntax),  # a proposal after a transform
        (20, 3, MalformedMessage),  # a transform after the last one
        (23, 0x0D, MalformedMessage),
    ],
)
def test_contradictions(offset: int, byte: int, error: type[PeerError]) -> None:
    with pytest.raises(error):
        decode(WIRE[:offset] + bytes([byte]) + WIRE[offset + 1 :])


def test_no_transform_at_all() -> None:
    with pytest.raises(BadProposalSyntax, match="has no transform"):
        decode(bytes.fromhex("00000001 00000001 0000 0008 01 03 00 00"))


@pytest.mark.parametrize("size", range(len(WIRE)))
def test_truncated(size: int) -> None:
    with pytest.raises(PeerError):
        decode(WIRE[:size])


def test_limits() -> None:
    alone = Proposal(1, ProtocolId.ESP, b"spi!", (Transform(1, 12),))
    full = SecurityAssociation((alone,) * proposals.MAX_PROPOSALS)
    assert decode(full.encode()) == full
    with pytest.raises(BadProposalSyntax, match="too many"):
        decode(SecurityAssociation((alone,) * (proposals.MAX_PROPOSALS + 1)).encode())
    crowded = Proposal(1, ProtocolId.ESP, b"", (Transform(1, 12),) * 255)
    assert len(decode(SecurityAssociation((crowded,)).encode()).proposals[0].transforms) == 255
    with pytest.raises(BadProposalSyntax, match="too many"):
        decode(SecurityAssociation((crowded, crowded)).encode())


@pytest.mark.parametrize("count", [0, 256])
def test_transforms_that_do_not_fit(count: int) -> None:
    with pytest.raises(LocalError, match="do not fit"):
        SecurityAssociation((Proposal(1, ProtocolId.ESP, b"", (Transform(1, 12),) * count),))


def test_no_proposal() -> None:
    with pytest.raises(LocalError, match="needs a proposal"):
        SecurityAssociation(())


@given(security_associations)
@settings(deadline=None, max_examples=100)
def test_roundtrip(sa: SecurityAssociation) -> None:
    assert decode(sa.encode()) == sa
    assert sa.doi == Doi.IPSEC


# Invariant: any bytes decode or raise PeerError, and what decodes encodes back to the same bytes.
@given(st.data())
@settings(deadline=None, max_examples=200)
def test_decode_is_total(data: st.DataObject) -> None:
    wire = bytearray(WIRE)
    for _ in range(data.draw(st.integers(0, 4))):
        wire[data.draw(st.integers(0, len(wire) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = decode(bytes(wire))
    except PeerError:
        return
    assert found.encode() == wire
    assert decode(replace(found).encode()) == found


def test_transforms_that_come_again_are_decoded_once_unless_they_are_many() -> None:
    """docs/decisions/0306-what-comes-again-is-remembered.md"""

    def twice(*transforms: Transform) -> list[tuple[Transform, ...]]:
        offers = (SecurityAssociation((Proposal(1, ProtocolId.ESP, spi, transforms),)) for spi in (b"spi1", b"spi2"))
        return [decode(offer.encode()).proposals[0].transforms for offer in offers]

    first, again = twice(Transform(1, 12))
    assert first is again
    first, again = twice(*[Transform(1, 12)] * 33)
    assert first == again
    assert first is not again
