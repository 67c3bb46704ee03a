# SPDX-License-Identifier: ISC
from ipaddress import ip_address

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import LocalError, MalformedMessage, PeerError
from ike_auth.wire.codec import Reader
from ike_auth.wire.numbers import CertEncoding, Doi, IdType, NotifyType, PayloadType, ProtocolId
from ike_auth.wire.payloads import (
    DECODERS,
    Certificate,
    CertificateRequest,
    Delete,
    Fragment,
    Hash,
    Identification,
    KeyExchange,
    NatDiscovery,
    NatOriginalAddress,
    Nonce,
    Notification,
    Payload,
    Signature,
    UnknownPayload,
    VendorId,
)

EXAMPLES: list[tuple[Payload, PayloadType, str]] = [
    (KeyExchange(b"\1\2"), PayloadType.KE, "0102"),
    (Identification(IdType.FQDN, 17, 500, b"gw"), PayloadType.ID, "02 11 01f4 6777"),
    (Certificate(CertEncoding.X509_SIGNATURE, b"\x30\0"), PayloadType.CERT, "04 3000"),
    (CertificateRequest(CertEncoding.X509_SIGNATURE), PayloadType.CERTREQ, "04"),
    (CertificateRequest(CertEncoding(200), b"\x30\0"), PayloadType.CERTREQ, "c8 3000"),
    (Hash(b"\7" * 4), PayloadType.HASH, "07070707"),
    (Signature(b"\x80"), PayloadType.SIG, "80"),
    (Nonce(b"nonce"), PayloadType.NONCE, "6e6f6e6365"),
    (
        Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.INITIAL_CONTACT, b"\1\2", b"\3"),
        PayloadType.NOTIFY,
        "00000001 01 02 6002 0102 03",
    ),
    (
        Delete(Doi.IPSEC, ProtocolId.ESP, (b"abcd", b"efgh")),
        PayloadType.DELETE,
        "00000001 03 04 0002 6162636465666768",
    ),
    (Delete(Doi.IPSEC, ProtocolId.ESP, ()), PayloadType.DELETE, "00000001 03 00 0000"),
    (VendorId(b"v"), PayloadType.VENDOR, "76"),
    (NatDiscovery(b"h"), PayloadType.NAT_D, "68"),
    (NatDiscovery(b"h", PayloadType.NAT_D_DRAFT), PayloadType.NAT_D_DRAFT, "68"),
    (NatOriginalAddress(IdType.IPV4_ADDR, b"\x0a\0\0\1"), PayloadType.NAT_OA, "01 000000 0a000001"),
    (
        NatOriginalAddress(IdType.IPV4_ADDR, b"\x0a\0\0\1", PayloadType.NAT_OA_DRAFT),
        PayloadType.NAT_OA_DRAFT,
        "01 000000 0a000001",
    ),
    (Fragment(258, 3, True, b"x"), PayloadType.FRAGMENT, "0102 03 01 78"),
    (Fragment(1, 1, False, b""), PayloadType.FRAGMENT, "0001 01 00"),
]
by_example = pytest.mark.parametrize(("payload", "kind", "wire"), EXAMPLES, ids=lambda value: type(value).__name__)


@by_example
def test_decode_and_encode(payload: Payload, kind: PayloadType, wire: str) -> None:
    assert payload.kind is kind
    assert payload.encode() == bytes.fromhex(wire)
    assert DECODERS[kind](bytes.fromhex(wire)) == payload


@by_example
def test_bodies_that_end_too_early(payload: Payload, kind: PayloadType, wire: str) -> None:
    body = bytes.fromhex(wire)
    for size in range(len(body)):
        try:
            shorter = DECODERS[kind](body[:size])
        except MalformedMessage:
            continue
        assert shorter != payload


def test_payloads_of_equal_bytes_and_other_kind_differ() -> None:
    same: list[Payload] = [Hash(b"x"), Nonce(b"x")]
    assert same[0] != same[1]
    assert NatDiscovery(b"x") != NatDiscovery(b"x", PayloadType.NAT_D_DRAFT)


def test_reserved_bytes_of_nat_oa_are_ignored() -> None:
    found = NatOriginalAddress.decode(Reader(bytes.fromhex("01 ffffff 0a000001")))
    assert found == NatOriginalAddress(IdType.IPV4_ADDR, b"\x0a\0\0\1")
    assert found.address == ip_address("10.0.0.1")


@pytest.mark.parametrize(
    ("kind", "data"), [(IdType.IPV4_ADDR, b"123"), (IdType.FQDN, b"1234"), (IdType(99), b"1234")]
)
def test_nat_oa_that_is_no_address(kind: IdType, data: bytes) -> None:
    with pytest.raises(MalformedMessage, match="NAT-OA"):
        _ = NatOriginalAddress(kind, data).address


def test_a_count_of_spis_without_size_is_no_list() -> None:
    """It would make us keep 65535 empty SPIs for 12 bytes."""
    with pytest.raises(MalformedMessage, match="of no size"):
        Delete.decode(Reader(bytes.fromhex("00000001 01 00 ffff")))
    with pytest.raises(MalformedMessage):
        Delete.decode(Reader(bytes.fromhex("00000001 03 04 ffff 01020304")))


def test_one_spi_without_size() -> None:
    assert Delete.decode(Reader(bytes.fromhex("00000001 01 00 0001"))).spis == (b"",)


def test_spis_of_one_delete_have_one_size() -> None:
    with pytest.raises(LocalError, match="different sizes"):
        Delete(Doi.IPSEC, ProtocolId.ESP, (b"abcd", b"e")).encode()


def test_private_numbers() -> None:
    assert UnknownPayload(PayloadType(128), b"").private
    assert not UnknownPayload(PayloadType(127), b"").private


def test_texts() -> None:
    notification = Notification(Doi.IPSEC, ProtocolId.ESP, NotifyType.NO_PROPOSAL_CHOSEN)
    assert str(notification) == "NOTIFY(NO_PROPOSAL_CHOSEN)"
    assert str(Delete(Doi.IPSEC, ProtocolId.ESP, (b"\0\1\2\3", b"\0\1\2\4"))) == "DELETE(ESP 00010203 00010204)"
    assert str(Fragment(7, 2, True, b"data")) == "FRAGMENT(7:2 last)"


# Invariant: any body decodes or raises PeerError, and what decodes encodes back to an equal payload.
@given(st.sampled_from(sorted(DECODERS)), st.binary(max_size=80))
@settings(deadline=None, max_examples=300)
def test_decode_is_total(kind: int, body: bytes) -> None:
    try:
        payload = DECODERS[kind](body)
    except PeerError:
        return
    assert DECODERS[kind](payload.encode()) == payload
    assert str(payload)
