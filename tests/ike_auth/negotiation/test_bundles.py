# SPDX-License-Identifier: ISC
"""IPCOMP beside ESP: what peers offer, what it means, and what is said against the rest (RFC 3173 4.1)."""

from dataclasses import replace

import pytest

from ike_auth.config import isakmpd
from ike_auth.config.model import Suite
from ike_auth.errors import IkeError, NoProposalChosen
from ike_auth.negotiation.phase2 import Candidate, Limits, Terms, accept_choice, candidates, group_of, offer
from ike_auth.suites import describe
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.numbers import (
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    Group,
    IpcompTransform,
    IpsecAttribute,
    LifeType,
    ProtocolId,
)
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform
from tests.ike_auth.configurations import COMPRESSED, A, gateway

AH, ESP, IPCOMP = ProtocolId.AH, ProtocolId.ESP, ProtocolId.IPCOMP
TUNNEL, TRANSPORT = EncapsulationMode.TUNNEL, EncapsulationMode.TRANSPORT
UDP_TUNNEL, UDP_TRANSPORT = EncapsulationMode.UDP_TUNNEL, EncapsulationMode.UDP_TRANSPORT
ESP_SPI, CPI = b"\xc0\xff\xee\x01", b"\x12\x34"
SPIS = {ESP: ESP_SPI, IPCOMP: CPI}
Attributes = dict[IpsecAttribute, int]


def suites(names: str = "compressed") -> tuple[Suite, ...]:
    return isakmpd.parse(gateway(A, suites=names, sections=COMPRESSED)).connections["tunnel"].suites


def terms(names: str | None = None, *, nat: bool = False, key_exchange: bool = False) -> Terms:
    return Terms(nat, key_exchange, True, frozenset(), None if names is None else suites(names))


def attributes(mode: int | None, life: int | None, more: Attributes) -> tuple[Attribute, ...]:
    found = []
    if life is not None:
        found.append(Attribute.number(IpsecAttribute.LIFE_TYPE, LifeType.SECONDS))
        found.append(Attribute.number(IpsecAttribute.LIFE_DURATION, life))
    if mode is not None:
        found.append(Attribute.number(IpsecAttribute.ENCAPSULATION_MODE, mode))
    return (*found, *(Attribute.number(type, value) for type, value in more.items()))


def esp(mode: int = TUNNEL, life: int | None = None, number: int = 1, group: int | None = None) -> Proposal:
    more = {
        IpsecAttribute.AUTHENTICATION_ALGORITHM: int(AuthenticationAlgorithm.HMAC_SHA2_256),
        IpsecAttribute.KEY_LENGTH: 128,
        **({} if group is None else {IpsecAttribute.GROUP_DESCRIPTION: group}),
    }
    return Proposal(number, ESP, ESP_SPI, (Transform(1, EspTransform.AES_CBC, attributes(mode, life, more)),))


def ipcomp(
    mode: int | None = TUNNEL,
    life: int | None = None,
    *,
    id: int = IpcompTransform.DEFLATE,
    spi: bytes = CPI,
    more: Attributes | None = None,
) -> Proposal:
    return Proposal(1, IPCOMP, spi, (Transform(1, id, attributes(mode, life, more or {})),))


def sa(*proposals: Proposal) -> SecurityAssociation:
    return SecurityAssociation(proposals)


def only(offered: SecurityAssociation, given: Terms) -> Candidate:
    (found,) = candidates(offered, given)
    return found


def modes(found: Candidate) -> dict[ProtocolId, EncapsulationMode]:
    return {p.protocol: p.encapsulation for p in found.parameters}


# --- what others offer


def test_strongswan_offers_the_bundle_and_the_same_without_ipcomp() -> None:
    """Its IPCOMP has a mode and a life, never a group."""
    group = int(Group.MODP_2048)
    offered = sa(esp(life=3960, group=group), ipcomp(life=3960), esp(life=3960, number=2, group=group))
    both, alone = candidates(offered, terms(key_exchange=True))
    assert [describe(p) for p in both.parameters] == [
        "ESP AES_CBC-128 HMAC_SHA2_256 tunnel PFS MODP_2048",
        "IPCOMP DEFLATE tunnel",
    ]
    assert [p.protocol for p in alone.parameters] == [ESP]
    assert both.group == alone.group == group
    assert both.life_seconds == 3960


def test_pluto_calls_the_esp_of_a_bundle_transport() -> None:
    """The tunnel is what IPCOMP makes, and nothing is added around it. We say so of both."""
    assert modes(only(sa(esp(TRANSPORT), ipcomp(TUNNEL)), terms())) == {ESP: TUNNEL, IPCOMP: TUNNEL}
    behind_nat = only(sa(esp(UDP_TRANSPORT), ipcomp(UDP_TUNNEL)), terms(nat=True))
    assert modes(behind_nat) == {ESP: UDP_TUNNEL, IPCOMP: UDP_TUNNEL}


def test_pluto_may_be_given_what_the_suites_call_a_tunnel() -> None:
    found = only(sa(esp(TRANSPORT, life=1200), ipcomp()), terms("compressed"))
    assert found.proposals[0].transforms[0].attribute(IpsecAttribute.ENCAPSULATION_MODE) == Attribute.number(
        IpsecAttribute.ENCAPSULATION_MODE, TRANSPORT
    ), "the answer is in the peer's words"


@pytest.mark.parametrize("spi", [CPI, b"\0\0" + CPI], ids=["two bytes", "four"])
@pytest.mark.parametrize("first", ["esp", "ipcomp"])
def test_a_cpi_of_either_size_in_either_place(spi: bytes, first: str) -> None:
    bundle = (esp(), ipcomp(spi=spi)) if first == "esp" else (ipcomp(spi=spi), esp())
    found = only(sa(*bundle), terms("compressed"))
    assert found.proposals == bundle
    assert found.group is None


def test_what_has_no_meaning_for_ipcomp_is_passed_over() -> None:
    """RFC 3173 4.1: it is no reason to refuse it."""
    more = {
        IpsecAttribute.GROUP_DESCRIPTION: int(Group.MODP_1024),
        IpsecAttribute.AUTHENTICATION_ALGORITHM: int(AuthenticationAlgorithm.HMAC_MD5),
        IpsecAttribute.KEY_LENGTH: 128,
    }
    found = only(sa(esp(), ipcomp(more=more)), terms("compressed"))
    compression = found.parameters[1]
    assert (compression.group, compression.authentication, compression.key_length) == (None, None, None)


@pytest.mark.parametrize(("nat", "esp_mode"), [(False, TUNNEL), (True, UDP_TUNNEL)])
@pytest.mark.parametrize("mode", [TUNNEL, UDP_TUNNEL])
def test_what_a_nat_means_for_ipcomp_is_left_to_the_peer(nat: bool, esp_mode: int, mode: int) -> None:
    assert modes(only(sa(esp(esp_mode), ipcomp(mode)), terms(nat=nat)))[IPCOMP] == esp_mode


def test_without_a_mode_ipcomp_is_in_transport_mode() -> None:
    assert modes(only(sa(esp(TRANSPORT), ipcomp(None)), terms())) == {ESP: TRANSPORT, IPCOMP: TRANSPORT}


@pytest.mark.parametrize(("of_esp", "of_ipcomp", "life"), [(600, None, 600), (None, 600, 600), (40000, None, 40000)])
def test_the_life_of_a_bundle(of_esp: int | None, of_ipcomp: int | None, life: int) -> None:
    assert only(sa(esp(life=of_esp), ipcomp(life=of_ipcomp)), terms()).life_seconds == life


@pytest.mark.parametrize(
    ("offered", "why"),
    [
        (sa(ipcomp()), "IPCOMP DEFLATE tunnel: IPCOMP protects nothing, and goes with ESP only"),
        (sa(esp(), ipcomp(id=IpcompTransform.LZS)), "IPCOMP transform LZS"),
        (sa(esp(), ipcomp(id=77)), "IPCOMP transform IpcompTransform_77"),
        (sa(esp(), ipcomp(spi=b"\0\xff")), "proposal 1 transform 1: `00ff` is no CPI from 256 to 61439"),
        (sa(esp(), ipcomp(spi=b"\xf0\x00")), "`f000` is no CPI from 256 to 61439"),
        (sa(esp(), ipcomp(spi=b"\0\1\x12\x34")), "`00011234` is no CPI"),
        (sa(esp(), ipcomp(spi=b"\x34")), "`34` is no CPI"),
        (sa(esp(), ipcomp(spi=b"")), "`` is no CPI"),
        (sa(esp(), ipcomp(TRANSPORT)), "IPCOMP in transport mode inside a tunnel is not supported"),
        (sa(esp(), ipcomp(None)), "IPCOMP in transport mode inside a tunnel is not supported"),
        (sa(esp(), ipcomp(99)), "encapsulation EncapsulationMode_99 is unknown"),
        (sa(esp(), ipcomp(), ipcomp(spi=b"\x12\x35")), "one protocol twice in one proposal"),
        (
            sa(esp(), ipcomp(more={IpsecAttribute.COMPRESS_DICTIONARY_SIZE: 15})),
            "COMPRESS_DICTIONARY_SIZE is not negotiated here",
        ),
        (sa(esp(), ipcomp(), Proposal(1, AH, b"ahah", esp().transforms)), "IPCOMP goes with ESP only"),
    ],
)
def test_what_is_refused_and_why(offered: SecurityAssociation, why: str) -> None:
    with pytest.raises(NoProposalChosen) as raised:
        candidates(offered, terms())
    assert why in str(raised.value)


def test_suites_decide_about_compression_too() -> None:
    with pytest.raises(NoProposalChosen, match="QM-ESP-AES-128-SHA2-256-SUITE is ESP"):
        candidates(sa(esp(), ipcomp()), terms("QM-ESP-AES-128-SHA2-256-SUITE"))
    with pytest.raises(NoProposalChosen, match=r"compressed is IPCOMP \+ ESP"):
        candidates(sa(esp()), terms("compressed"))
    with pytest.raises(NoProposalChosen, match="compressed wants TUNNEL"):
        candidates(sa(esp(TRANSPORT), ipcomp(TRANSPORT)), terms("compressed"))


# --- what we offer


@pytest.mark.parametrize(("nat", "mode"), [(False, TUNNEL), (True, UDP_TUNNEL)])
def test_our_offer_names_ipcomp_last_and_without_a_group(nat: bool, mode: EncapsulationMode) -> None:
    assert group_of(suites("compressed-pfs")) == Group.CURVE25519
    offered = offer(suites("compressed-pfs"), SPIS, nat)
    assert [(p.number, p.protocol, p.spi) for p in offered.proposals] == [(1, ESP, ESP_SPI), (1, IPCOMP, CPI)]
    (transform,) = offered.proposals[1].transforms
    assert transform == Transform(1, IpcompTransform.DEFLATE, attributes(mode, 1200, {}))
    assert only(offered, terms("compressed-pfs", nat=nat, key_exchange=True)).group == Group.CURVE25519


def answer(offered: SecurityAssociation, *names: ProtocolId) -> SecurityAssociation:
    chosen = {p.protocol: replace(p, spi=b"peer" if p.protocol == ESP else b"\x55\x55") for p in offered.proposals}
    return SecurityAssociation(tuple(chosen[name] for name in names))


@pytest.mark.parametrize("order", [(ESP, IPCOMP), (IPCOMP, ESP)])
def test_the_answer_may_be_in_another_order(order: tuple[ProtocolId, ...]) -> None:
    offered = offer(suites(), SPIS, nat=False)
    chosen = accept_choice(offered, answer(offered, *order), terms("compressed"))
    assert {p.protocol: p.spi for p in chosen.proposals} == {ESP: b"peer", IPCOMP: b"\x55\x55"}


def test_strongswan_answers_as_if_it_were_offering() -> None:
    """It does what the bundle says; the proposal behind it is the same without IPCOMP."""
    offered = offer(suites(), SPIS, nat=False)
    both = answer(offered, ESP, IPCOMP).proposals
    alone = replace(both[0], number=2)
    chosen = accept_choice(offered, SecurityAssociation((*both, alone)), terms("compressed"))
    assert [p.protocol for p in chosen.parameters] == [ESP, IPCOMP]
    for other in (replace(alone, spi=b"else"), replace(alone, transforms=esp().transforms)):
        with pytest.raises(NoProposalChosen, match="not one proposal"):
            accept_choice(offered, SecurityAssociation((*both, other)), terms("compressed"))
    with pytest.raises(NoProposalChosen, match="not one proposal"):
        accept_choice(offered, SecurityAssociation((both[0], alone)), terms("compressed"))


def test_attributes_without_meaning_may_be_lost_or_come_up_in_the_answer() -> None:
    offered = offer(suites(), SPIS, nat=False)
    esp_answer, ipcomp_answer = answer(offered, ESP, IPCOMP).proposals
    (transform,) = ipcomp_answer.transforms
    group = Attribute.number(IpsecAttribute.GROUP_DESCRIPTION, 14)
    with_group = replace(ipcomp_answer, transforms=(replace(transform, attributes=(*transform.attributes, group)),))
    assert accept_choice(offered, sa(esp_answer, with_group), terms("compressed"))


@pytest.mark.parametrize("changed", [{"id": IpcompTransform.LZS}, {"attributes": attributes(TUNNEL, 1, {})}])
def test_another_compression_than_ours_is_not_accepted(changed: dict[str, object]) -> None:
    offered = offer(suites(), SPIS, nat=False)
    esp_answer, ipcomp_answer = answer(offered, ESP, IPCOMP).proposals
    other = replace(ipcomp_answer, transforms=(replace(ipcomp_answer.transforms[0], **changed),))  # type: ignore[arg-type]
    with pytest.raises(IkeError, match=r"which we did not offer|IPCOMP transform LZS"):
        accept_choice(offered, sa(esp_answer, other), terms("compressed"))


def test_a_bundle_of_which_a_part_is_chosen_is_no_choice() -> None:
    offered = offer(suites(), SPIS, nat=False)
    with pytest.raises(NoProposalChosen, match="which we did not offer"):
        accept_choice(offered, answer(offered, ESP), terms("compressed"))


def test_ipcomp_counts_neither_packets_nor_kilobytes() -> None:
    found = only(sa(esp(), ipcomp()), terms("compressed"))
    assert found.limits == (Limits(), Limits(replay_window=0))
