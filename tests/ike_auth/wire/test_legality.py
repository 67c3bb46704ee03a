# SPDX-License-Identifier: ISC
import pytest

from ike_auth.errors import InvalidPayloadType, MalformedMessage, PeerError, UnexpectedMessage
from ike_auth.wire import legality
from ike_auth.wire.header import Header
from ike_auth.wire.legality import LEGAL, Rule, Step
from ike_auth.wire.messages import Message
from ike_auth.wire.numbers import CertEncoding, Doi, IdType, NotifyType, PayloadType, ProtocolId
from ike_auth.wire.payloads import (
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
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform

SA = SecurityAssociation((Proposal(1, ProtocolId.ISAKMP, b"", (Transform(1, 1),)),))
KE = KeyExchange(b"public")
NONCE = Nonce(b"nonce of 16 byte")
ID = Identification(IdType.FQDN, 0, 0, b"gw")
HASH = Hash(b"hash")
SIG = Signature(b"signature")
CERT = Certificate(CertEncoding.X509_SIGNATURE, b"")
CERTREQ = CertificateRequest(CertEncoding.X509_SIGNATURE)
NOTIFY = Notification(Doi.IPSEC, ProtocolId.ISAKMP, NotifyType.INITIAL_CONTACT)
DELETE = Delete(Doi.IPSEC, ProtocolId.ESP, (b"spi!",))
VENDOR = VendorId(b"vendor")
NAT_D = NatDiscovery(b"hash")
NAT_D_DRAFT = NatDiscovery(b"hash", PayloadType.NAT_D_DRAFT)
NAT_OA = NatOriginalAddress(IdType.IPV4_ADDR, b"\x0a\0\0\1")
PRIVATE = UnknownPayload(PayloadType(200), b"")
RESERVED = UnknownPayload(PayloadType(99), b"")
TRANSFORM = UnknownPayload(PayloadType.TRANSFORM, b"")

# The shortest form of each message.
SHORTEST: dict[Step, tuple[Payload, ...]] = {
    Step.MAIN_1: (SA,),
    Step.MAIN_2: (SA,),
    Step.MAIN_3: (KE, NONCE),
    Step.MAIN_4: (KE, NONCE),
    Step.MAIN_5_PSK: (ID, HASH),
    Step.MAIN_6_PSK: (ID, HASH),
    Step.MAIN_5_SIG: (ID, SIG),
    Step.MAIN_6_SIG: (ID, SIG),
    Step.AGGRESSIVE_1: (SA, KE, NONCE, ID),
    Step.AGGRESSIVE_2_PSK: (SA, KE, NONCE, ID, HASH),
    Step.AGGRESSIVE_3_PSK: (HASH,),
    Step.AGGRESSIVE_2_SIG: (SA, KE, NONCE, ID, SIG),
    Step.AGGRESSIVE_3_SIG: (SIG,),
    Step.QUICK_1: (HASH, SA, NONCE),
    Step.QUICK_2: (HASH, SA, NONCE),
    Step.QUICK_3: (HASH,),
    Step.INFORMATIONAL: (HASH,),
    Step.INFORMATIONAL_CLEAR: (),
}


def check(rule: Rule, payloads: tuple[Payload, ...]) -> None:
    legality.check(rule, Message(Header(b"initiate", b"responds"), payloads))


every_step = pytest.mark.parametrize("step", Step, ids=lambda step: step.name)


def test_every_step_has_a_rule() -> None:
    assert set(LEGAL) == set(SHORTEST) == set(Step)
    assert LEGAL[Step.MAIN_1].name == "main mode 1"


@every_step
def test_shortest_form(step: Step) -> None:
    check(LEGAL[step], SHORTEST[step])


@every_step
def test_each_payload_of_the_shortest_form_is_required_once(step: Step) -> None:
    payloads = SHORTEST[step]
    for place, payload in enumerate(payloads):
        missing = payloads[:place] + payloads[place + 1 :]
        with pytest.raises(UnexpectedMessage):
            check(LEGAL[step], missing)
        with pytest.raises(UnexpectedMessage):
            check(LEGAL[step], (*payloads, payload))


@every_step
def test_vendor_ids_notifications_and_private_payloads_may_follow(step: Step) -> None:
    check(LEGAL[step], (*SHORTEST[step], VENDOR, NOTIFY, VENDOR, NOTIFY, PRIVATE))


@every_step
@pytest.mark.parametrize("payload", [RESERVED, TRANSFORM, Fragment(1, 1, True, b"")])
def test_payloads_that_stand_nowhere(step: Step, payload: Payload) -> None:
    with pytest.raises((InvalidPayloadType, UnexpectedMessage), match=step.value):
        check(LEGAL[step], (*SHORTEST[step], payload))


def test_reserved_numbers_are_named() -> None:
    with pytest.raises(InvalidPayloadType, match="main mode 3: payload number 99") as caught:
        check(LEGAL[Step.MAIN_3], (KE, NONCE, RESERVED))
    assert caught.value.notify == NotifyType.INVALID_PAYLOAD_TYPE


@pytest.mark.parametrize(
    ("step", "payloads"),
    [
        (Step.MAIN_1, (SA, VENDOR, VENDOR, CERTREQ)),
        (Step.MAIN_3, (KE, NONCE, NAT_D, NAT_D, NAT_D)),
        (Step.MAIN_3, (VENDOR, NONCE, CERTREQ, CERTREQ, KE, NAT_D_DRAFT, NAT_D_DRAFT)),
        (Step.MAIN_5_PSK, (ID, HASH, NOTIFY)),
        (Step.MAIN_5_SIG, (ID, CERT, CERT, CERTREQ, SIG, NOTIFY)),
        (Step.AGGRESSIVE_1, (SA, KE, NONCE, ID, VENDOR)),
        (Step.AGGRESSIVE_2_PSK, (SA, KE, NONCE, ID, HASH, NAT_D, NAT_D)),
        (Step.AGGRESSIVE_3_SIG, (NAT_D, NAT_D, CERT, SIG)),
        (Step.QUICK_1, (HASH, SA, NONCE, KE, ID, ID, NAT_OA, NAT_OA)),
        (Step.QUICK_1, (HASH, SA, KE, NONCE)),
        (Step.INFORMATIONAL, (HASH, DELETE, DELETE, NOTIFY)),
        (Step.INFORMATIONAL_CLEAR, (NOTIFY,)),
        (Step.INFORMATIONAL_CLEAR, (DELETE,)),
    ],
)
def test_legal(step: Step, payloads: tuple[Payload, ...]) -> None:
    check(LEGAL[step], payloads)


@pytest.mark.parametrize(
    ("step", "payloads", "complaint"),
    [
        (Step.MAIN_1, (VENDOR, SA), "VENDOR where SecurityAssociation comes first"),
        (Step.MAIN_1, (SA, KE), "KE may not stand here"),
        (Step.MAIN_1, (SA, DELETE), "DELETE may not stand here"),
        (Step.MAIN_3, (KE, NONCE, NAT_D), "1 payloads NatDiscovery"),
        (Step.MAIN_3, (KE, NONCE, *[NAT_D] * 17), "17 payloads NatDiscovery"),
        (Step.MAIN_3, (KE, NONCE, ID), "ID may not stand here"),
        (Step.MAIN_5_PSK, (ID, SIG), "SIG may not stand here"),
        (Step.MAIN_5_SIG, (ID, HASH), "HASH may not stand here"),
        (Step.MAIN_5_SIG, (ID, HASH, SIG), "HASH may not stand here"),
        (Step.QUICK_1, (SA, HASH, NONCE), "SA where Hash comes first"),
        (Step.QUICK_1, (HASH, NONCE, SA), "NONCE where SecurityAssociation comes first"),
        (Step.QUICK_1, (HASH, SA, NONCE, ID), "1 payloads Identity"),
        (Step.QUICK_1, (HASH, SA, NONCE, ID, ID, ID), "3 payloads Identity"),
        (Step.QUICK_1, (HASH, SA, NONCE, KE, KE), "2 payloads KeyExchange"),
        (Step.QUICK_1, (HASH, SA, NONCE, NAT_OA), "1 payloads NatOriginalAddress"),
        (Step.QUICK_3, (HASH, NONCE), "NONCE may not stand here"),
        (Step.INFORMATIONAL, (DELETE, HASH), "DELETE where Hash comes first"),
        (Step.INFORMATIONAL, (NOTIFY,), "NOTIFY where Hash comes first"),
        (Step.INFORMATIONAL_CLEAR, (HASH, DELETE), "HASH may not stand here"),
    ],
)
def test_illegal(step: Step, payloads: tuple[Payload, ...], complaint: str) -> None:
    with pytest.raises(PeerError) as caught:
        check(LEGAL[step], payloads)
    assert str(caught.value) == f"{step.value}: {complaint}"
    assert caught.value.notify == NotifyType.PAYLOAD_MALFORMED


@pytest.mark.parametrize(("size", "legal"), [(7, False), (8, True), (256, True), (257, False), (0, False)])
def test_sizes_of_nonces(size: int, legal: bool) -> None:
    payloads = (KE, Nonce(bytes(size)))
    if legal:
        check(LEGAL[Step.MAIN_3], payloads)
        return
    with pytest.raises(MalformedMessage, match=f"nonce of {size} bytes"):
        check(LEGAL[Step.MAIN_3], payloads)
