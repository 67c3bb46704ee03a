# SPDX-License-Identifier: ISC
"""ESP and AH proposals: what is offered, what may be put to policy, and what is said against the rest."""

from dataclasses import replace

import pytest

from ike_auth.config import isakmpd
from ike_auth.config.model import Suite
from ike_auth.errors import NoProposalChosen
from ike_auth.negotiation.phase2 import (
    DEFAULT_LIFE,
    MAX_CANDIDATES,
    MAX_COMBINATIONS,
    Terms,
    accept_choice,
    candidates,
    group_of,
    offer,
)
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.numbers import (
    AhTransform,
    AuthenticationAlgorithm,
    EncapsulationMode,
    EspTransform,
    Group,
    IpsecAttribute,
    LifeType,
    ProtocolId,
)
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform
from tests.ike_auth.configurations import A, gateway

ESP, AH = ProtocolId.ESP, ProtocolId.AH
TUNNEL, TRANSPORT = EncapsulationMode.TUNNEL, EncapsulationMode.TRANSPORT
UDP_TUNNEL, UDP_TRANSPORT = EncapsulationMode.UDP_TUNNEL, EncapsulationMode.UDP_TRANSPORT
SHA2_256 = AuthenticationAlgorithm.HMAC_SHA2_256
AES = EspTransform.AES_CBC
SPI = bytes.fromhex("c0ffee01")
ESP_AND_AH = """
[both]
Protocols= esp,ah

[esp]
PROTOCOL_ID= IPSEC_ESP
Transforms= QM-ESP-AES-256-SHA2-256-XF

[ah]
PROTOCOL_ID= IPSEC_AH
Transforms= ah-tunnel

[ah-tunnel]
TRANSFORM_ID= SHA2_256
ENCAPSULATION_MODE= TUNNEL
AUTHENTICATION_ALGORITHM= HMAC_SHA2_256
Life= LIFE_QUICK_MODE
"""


def suites(names: str, lines: str = "") -> tuple[Suite, ...]:
    text = gateway(A, suites=names, peer=lines, sections=ESP_AND_AH)
    return isakmpd.parse(text).connections["tunnel"].suites


def terms(
    names: str | None = None, *, nat: bool = False, key_exchange: bool = False, legacy: str = "", ids: bool = True
) -> Terms:
    allowed = frozenset(legacy.split(",")) if legacy else frozenset[str]()
    configured = None if names is None else suites(names, f"Allow-Legacy= {legacy}" if legacy else "")
    return Terms(nat, key_exchange, ids, allowed, configured)


def transform(
    id: int = AES,
    authentication: int | None = SHA2_256,
    bits: int | None = 256,
    group: int | None = None,
    mode: int | None = TUNNEL,
    life: int | None = None,
    number: int = 1,
    more: tuple[Attribute, ...] = (),
) -> Transform:
    found = []
    if life is not None:
        found.append(Attribute.number(IpsecAttribute.LIFE_TYPE, LifeType.SECONDS))
        found.append(Attribute.number(IpsecAttribute.LIFE_DURATION, life))
    for kind, value in (
        (IpsecAttribute.ENCAPSULATION_MODE, mode),
        (IpsecAttribute.AUTHENTICATION_ALGORITHM, authentication),
        (IpsecAttribute.GROUP_DESCRIPTION, group),
        (IpsecAttribute.KEY_LENGTH, bits),
    ):
        if value is not None:
            found.append(Attribute.number(kind, value))
    return Transform(number, id, (*found, *more))


def sa(*transforms: Transform, protocol: ProtocolId = ESP, spi: bytes = SPI) -> SecurityAssociation:
    return SecurityAssociation((Proposal(1, protocol, spi, transforms),))


def ah(mode: int = TUNNEL, group: int | None = None, id: int = AhTransform.SHA2_256) -> Transform:
    return transform(id, SHA2_256, None, group, mode)


def refusal(offered: SecurityAssociation, given: Terms) -> str:
    with pytest.raises(NoProposalChosen) as raised:
        candidates(offered, given)
    return str(raised.value).removeprefix("no acceptable phase 2 proposal: ")


# --- the offer


def test_each_suite_is_a_proposal_and_each_transform_one_of_its_alternatives() -> None:
    configured = suites("QM-ESP-AES-256-SHA2-256-SUITE,QM-ESP-AES-128-SHA-SUITE")
    offered = offer(configured, {ESP: SPI}, nat=False)
    assert [(p.number, p.protocol, p.spi) for p in offered.proposals] == [(1, ESP, SPI), (2, ESP, SPI)]
    found = candidates(offered, terms())
    assert [(c.parameters[0].key_length, c.life_seconds) for c in found] == [(256, 1200), (128, 1200)]


def test_protocols_of_one_suite_share_a_number() -> None:
    offered = offer(suites("both"), {ESP: SPI, AH: b"ahah"}, nat=False)
    assert [(p.number, p.protocol, p.spi) for p in offered.proposals] == [(1, ESP, SPI), (1, AH, b"ahah")]
    (found,) = candidates(offered, terms("both"))
    assert [p.protocol for p in found.parameters] == [ESP, AH]


def test_suites_of_another_group_than_the_first_are_left_out() -> None:
    configured = suites(
        "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE,QM-ESP-AES-128-SHA-PFS-GRP5-SUITE,QM-ESP-AES-128-SHA2-256-PFS-GRP14-SUITE"
    )
    assert group_of(configured) == Group.MODP_2048
    found = candidates(offer(configured, {ESP: SPI}, nat=False), terms(key_exchange=True))
    assert [(c.parameters[0].key_length, c.group) for c in found] == [(256, Group.MODP_2048), (128, Group.MODP_2048)]


@pytest.mark.parametrize(
    ("name", "nat", "mode"),
    [
        ("QM-ESP-AES-256-SHA2-256-SUITE", False, TUNNEL),
        ("QM-ESP-AES-256-SHA2-256-SUITE", True, UDP_TUNNEL),
        ("QM-ESP-TRP-AES-256-SHA2-256-SUITE", False, TRANSPORT),
        ("QM-ESP-TRP-AES-256-SHA2-256-SUITE", True, UDP_TRANSPORT),
    ],
)
def test_behind_nat_esp_goes_into_udp(name: str, nat: bool, mode: EncapsulationMode) -> None:
    offered = offer(suites(name), {ESP: SPI}, nat)
    (found,) = candidates(offered, terms(name, nat=nat))
    assert found.parameters[0].encapsulation == mode


# --- what may be put to policy


def test_in_the_order_of_the_peer() -> None:
    offered = sa(transform(bits=128), transform(bits=192, number=2), transform(bits=256, number=3))
    found = candidates(offered, terms("QM-ESP-AES-256-SHA2-256-SUITE,QM-ESP-AES-128-SHA2-256-SUITE"))
    assert [c.parameters[0].key_length for c in found] == [128, 256]


def test_without_a_connection_everything_that_makes_sense() -> None:
    found = candidates(sa(transform(), transform(EspTransform.AES_GCM_16, None, 128)), terms())
    assert len(found) == 2
    assert found[0].life_seconds == DEFAULT_LIFE


def test_every_combination_of_two_protocols() -> None:
    esp = Proposal(1, ESP, SPI, (transform(bits=128), transform(bits=256)))
    both = SecurityAssociation((esp, Proposal(1, AH, SPI, (ah(), ah(id=AhTransform.SHA1)))))
    found = candidates(both, terms())
    assert [(c.parameters[0].key_length, c.parameters[1].transform) for c in found] == [
        (128, AhTransform.SHA2_256),
        (256, AhTransform.SHA2_256),
    ]


def test_the_shortest_life_of_a_bundle_counts() -> None:
    esp = Proposal(1, ESP, SPI, (transform(life=600),))
    both = SecurityAssociation((esp, Proposal(1, AH, SPI, (ah(),))))
    assert candidates(both, terms())[0].life_seconds == 600


def test_a_missing_mode_is_what_the_client_ids_say() -> None:
    for ids, nat, mode in (
        (True, False, TUNNEL),
        (False, False, TRANSPORT),
        (True, True, UDP_TUNNEL),
        (False, True, UDP_TRANSPORT),
    ):
        (found,) = candidates(sa(transform(mode=None)), terms(nat=nat, ids=ids))
        assert found.parameters[0].encapsulation == mode


@pytest.mark.parametrize(
    ("offered", "given", "why"),
    [
        (sa(transform(), protocol=ProtocolId.ISAKMP), terms(), "proposal 1 transform 1: protocol ISAKMP is not sup"),
        (sa(transform(), spi=b"\0\0\0\xff"), terms(), "SPI `000000ff` is reserved or not of four bytes"),
        (sa(transform(), spi=b"12345678"), terms(), "SPI `3132333435363738` is reserved or not of four bytes"),
        (
            sa(transform(more=(Attribute.number(IpsecAttribute.COMPRESS_DICTIONARY_SIZE, 1),))),
            terms(),
            "COMPRESS_DICTIONARY_SIZE is not negotiated here",
        ),
        (sa(transform(mode=77)), terms(), "encapsulation EncapsulationMode_77 does not go without NAT"),
        (sa(transform(mode=UDP_TUNNEL)), terms(), "encapsulation UDP_TUNNEL does not go without NAT"),
        (sa(transform(mode=TUNNEL)), terms(nat=True), "encapsulation TUNNEL does not go behind NAT"),
        (sa(ah(mode=UDP_TUNNEL), protocol=AH), terms(nat=True), "AH does not pass the NAT that was detected"),
        (sa(transform(group=14)), terms(), "PFS MODP_2048: no key exchange was sent"),
        (sa(transform()), terms(key_exchange=True), "no PFS: a key exchange was sent"),
        (sa(transform(authentication=None)), terms(), "ESP without integrity protection"),
        (sa(transform(EspTransform.NULL, bits=None)), terms(), "needs `Allow-Legacy= NULL` in the peer's section"),
        (
            sa(transform(EspTransform.TRIPLE_DES, AuthenticationAlgorithm.HMAC_MD5, None, 2)),
            terms(key_exchange=True, legacy="MD5"),
            "needs `Allow-Legacy= 3DES,MODP_1024` in the peer's section",
        ),
        (sa(transform(EspTransform(200))), terms(), "ESP transform EspTransform_200 with 256 bits"),
        (sa(transform(bits=None)), terms(), "ESP transform AES_CBC"),
        (sa(transform(), transform()), terms("QM-ESP-AES-128-SHA2-256-SUITE"), "key length from 128 to 128; ESP"),
    ],
)
def test_what_is_refused_and_why(offered: SecurityAssociation, given: Terms, why: str) -> None:
    assert why in refusal(offered, given)


@pytest.mark.parametrize(
    ("name", "legacy"), [("NULL", "NULL"), ("3DES", "3DES"), ("AES-128", "MD5")], ids=["NULL", "3DES", "MD5"]
)
def test_legacy_algorithms_by_the_switch(name: str, legacy: str) -> None:
    hash = "MD5" if legacy == "MD5" else "SHA2-256"
    suite = f"QM-ESP-{name}-{hash}-SUITE"
    offered = offer(suites(suite, f"Allow-Legacy= {legacy}"), {ESP: SPI}, nat=False)
    assert len(candidates(offered, terms(suite, legacy=legacy))) == 1
    assert f"needs `Allow-Legacy= {legacy}` in the peer's section" in refusal(offered, terms())


def test_what_makes_no_bundle() -> None:
    esp, again = Proposal(1, ESP, SPI, (transform(),)), Proposal(1, ESP, b"spi2", (transform(),))
    assert "one protocol twice in one proposal" in refusal(SecurityAssociation((esp, again)), terms())
    with_group = Proposal(1, AH, SPI, (ah(group=14),))
    mixed = SecurityAssociation((esp, with_group))
    assert "protocols with different groups" in refusal(mixed, terms(key_exchange=True))


@pytest.mark.parametrize(
    ("offered", "key_exchange", "wants"),
    [
        (transform(EspTransform.AES_GCM_16, None, 256), False, "AES_CBC"),
        (transform(mode=TRANSPORT), False, "TUNNEL"),
        (transform(authentication=AuthenticationAlgorithm.HMAC_SHA1), False, "HMAC_SHA2_256"),
        (transform(group=14), True, "no PFS"),
        (transform(bits=128), False, "key length from 256 to 256"),
        (transform(life=10), False, "life seconds from 60 to 86400"),
    ],
)
def test_the_suites_of_a_connection_bind_the_responder_too(
    offered: Transform, key_exchange: bool, wants: str
) -> None:
    suite = "QM-ESP-AES-256-SHA2-256-SUITE"
    text = refusal(sa(offered), terms(suite, key_exchange=key_exchange))
    assert text.endswith(f"{suite} wants {wants}")


def test_what_other_suites_want() -> None:
    with_pfs = "QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE"
    assert refusal(sa(transform()), terms(with_pfs)).endswith(f"{with_pfs} wants PFS with MODP_2048")
    gcm = "QM-ESP-AESGCM-256-SUITE"
    with_hash = sa(transform(EspTransform.AES_GCM_16, SHA2_256))
    assert "takes no authentication algorithm" in refusal(with_hash, terms(gcm))
    assert refusal(sa(transform()), terms("both,QM-AH-SHA2-256-SUITE")).endswith(
        "both is ESP + AH; QM-AH-SHA2-256-SUITE is AH"
    )


def test_no_authentication_algorithm_is_something_to_want() -> None:
    (gcm,) = suites("QM-ESP-AESGCM-256-SUITE")
    (protocol,) = gcm.protocols
    cbc = replace(protocol, transforms=(replace(protocol.transforms[0], transform=AES),))
    given = replace(terms(), suites=(replace(gcm, protocols=(cbc,)),))
    assert refusal(sa(transform()), given).endswith("wants no authentication algorithm")


def test_a_peer_cannot_make_us_look_at_or_ask_about_any_number_of_combinations() -> None:
    many = tuple(transform(number=number) for number in range(1, 101))
    assert len(candidates(sa(*many), terms())) == MAX_CANDIDATES
    wrong = tuple(transform(authentication=None, number=number) for number in range(1, 101))
    esp = Proposal(1, ESP, SPI, wrong)
    bundle = SecurityAssociation((esp, Proposal(1, AH, SPI, tuple(ah() for _ in range(100)))))
    assert f"and {MAX_COMBINATIONS - 8} more" in refusal(bundle, terms())


# --- the initiator's check of the choice


def answer_to(offered: SecurityAssociation, **changes: object) -> SecurityAssociation:
    proposal = offered.proposals[0]
    chosen = replace(proposal, spi=b"peer", transforms=proposal.transforms[:1])
    return SecurityAssociation((replace(chosen, **changes),))  # type: ignore[arg-type]


def test_the_choice_is_one_of_ours() -> None:
    name = "QM-ESP-AES-256-SHA2-256-SUITE,QM-ESP-AES-128-SHA2-256-SUITE"
    offered = offer(suites(name), {ESP: SPI}, nat=False)
    chosen = accept_choice(offered, answer_to(offered), terms(name))
    assert (chosen.parameters[0].key_length, chosen.proposals[0].spi) == (256, b"peer")


@pytest.mark.parametrize(
    "transforms",
    [
        (transform(bits=192, life=1200),),
        (transform(life=1201),),
        (transform(EspTransform.AES_GCM_16, None, life=1200),),
        (transform(life=1200), transform(life=1200)),
    ],
)
def test_what_was_not_offered_is_not_accepted(transforms: tuple[Transform, ...]) -> None:
    name = "QM-ESP-AES-256-SHA2-256-SUITE"
    offered = offer(suites(name), {ESP: SPI}, nat=False)
    with pytest.raises(NoProposalChosen):
        accept_choice(offered, answer_to(offered, transforms=transforms), terms(name))
    again = accept_choice(offered, answer_to(offered, transforms=(transform(life=1200),)), terms(name))
    assert again.life_seconds == 1200


def test_half_a_bundle_is_no_choice() -> None:
    offered = offer(suites("both"), {ESP: SPI, AH: b"ahah"}, nat=False)
    whole = SecurityAssociation(tuple(replace(p, spi=b"peer") for p in offered.proposals))
    assert [p.protocol for p in accept_choice(offered, whole, terms("both")).parameters] == [ESP, AH]
    with pytest.raises(NoProposalChosen, match="which we did not offer"):
        accept_choice(offered, SecurityAssociation(whole.proposals[:1]), terms("both"))
