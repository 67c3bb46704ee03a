# SPDX-License-Identifier: ISC
"""Phase 1 transforms: what is offered, what a responder takes, and what it says against what it does not take."""

from dataclasses import replace

import pytest

from ike_auth.config import isakmpd
from ike_auth.config.model import Accept, Peer, Phase1Transform
from ike_auth.errors import BadProposalSyntax, LocalError, NoProposalChosen
from ike_auth.negotiation.phase1 import DEFAULT_LIFE, accept_choice, choose, offer, suite_of
from ike_auth.negotiation.refusals import MOST
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.numbers import (
    AuthenticationMethod,
    EncryptionAlgorithm,
    Group,
    HashAlgorithm,
    LifeType,
    Phase1Attribute,
    ProtocolId,
)
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform
from tests.ike_auth.configurations import A, gateway

AES, SHA2_256, GRP14 = EncryptionAlgorithm.AES_CBC, HashAlgorithm.SHA2_256, Group.MODP_2048
PSK = AuthenticationMethod.PRE_SHARED
ANY = Phase1Transform("any", None, Accept(128, 128, 256), None, None, None, None)


def peer(transforms: str = "AES-256-SHA2-256-GRP14", lines: str = "") -> Peer:
    return isakmpd.parse(gateway(A, transforms=transforms, peer=lines)).peers["peer"]


def transform(
    cipher: int = AES,
    bits: int | None = 256,
    hash: int = SHA2_256,
    group: int = GRP14,
    authentication: int = PSK,
    life: int | None = None,
    number: int = 1,
    id: int = 1,
    more: tuple[Attribute, ...] = (),
) -> Transform:
    found = [
        Attribute.number(Phase1Attribute.ENCRYPTION_ALGORITHM, cipher),
        Attribute.number(Phase1Attribute.HASH_ALGORITHM, hash),
        Attribute.number(Phase1Attribute.AUTHENTICATION_METHOD, authentication),
        Attribute.number(Phase1Attribute.GROUP_DESCRIPTION, group),
    ]
    if life is not None:
        found.append(Attribute.number(Phase1Attribute.LIFE_TYPE, LifeType.SECONDS))
        found.append(Attribute.number(Phase1Attribute.LIFE_DURATION, life))
    if bits is not None:
        found.append(Attribute.number(Phase1Attribute.KEY_LENGTH, bits))
    return Transform(number, id, (*found, *more))


def sa(*transforms: Transform, protocol: ProtocolId = ProtocolId.ISAKMP) -> SecurityAssociation:
    return SecurityAssociation((Proposal(1, protocol, b"", transforms),))


def refusal(offered: SecurityAssociation, configured: Peer) -> str:
    with pytest.raises(NoProposalChosen) as raised:
        choose(offered, configured)
    return str(raised.value).removeprefix("no common phase 1 transform: ")


# --- the offer


def test_one_proposal_with_our_transforms_in_their_order() -> None:
    offered = offer(peer("AES-256-SHA2-256-GRP14,AES-128-SHA-GRP5", "Allow-Legacy= SHA1"))
    (proposal,) = offered.proposals
    assert (proposal.protocol, proposal.spi) == (ProtocolId.ISAKMP, b"")
    assert [t.number for t in proposal.transforms] == [1, 2]
    assert [
        (s.cipher, s.key_length, s.hash, s.group, s.life_seconds) for s in map(suite_of, proposal.transforms)
    ] == [
        (AES, 256, SHA2_256, GRP14, 3600),
        (AES, 128, HashAlgorithm.SHA1, Group.MODP_1536, 3600),
    ]


def test_what_is_any_cannot_be_offered() -> None:
    exact = peer()
    assert offer(replace(exact, transforms=(ANY, *exact.transforms))) == offer(exact)
    with pytest.raises(LocalError, match="peer `peer` has no transform that can be offered"):
        offer(replace(exact, transforms=(ANY,)))


def test_a_cipher_of_one_key_length_has_no_length_attribute() -> None:
    offered = offer(peer("3DES-SHA-GRP14", "Allow-Legacy= 3DES,SHA1"))
    assert offered.proposals[0].transforms[0].attribute(Phase1Attribute.KEY_LENGTH) is None


def test_kilobytes_are_a_second_pair_of_attributes() -> None:
    limited = replace(peer().transforms[0], life_kilobytes=Accept.exactly(1 << 20))
    offered = offer(replace(peer(), transforms=(limited,)))
    chosen = choose(offered, replace(peer(), transforms=(limited,)))[0]
    assert [a.as_int for a in chosen.proposals[0].transforms[0].attributes][4:8] == [1, 3600, 2, 1 << 20]


# --- the responder's choice


def test_the_first_transform_of_the_peer_that_one_of_ours_matches() -> None:
    configured = peer("AES-128-SHA2-256-GRP14,AES-256-SHA2-256-GRP14")
    offered = sa(transform(bits=192), transform(bits=256, number=2), transform(bits=128, number=3))
    answer, suite = choose(offered, configured)
    assert answer.proposals[0].transforms == (offered.proposals[0].transforms[1],), "sent back as it came"
    assert (suite.key_length, suite.life_seconds) == (256, DEFAULT_LIFE)


def test_a_second_proposal_may_be_the_one() -> None:
    wrong = Proposal(1, ProtocolId.ESP, b"", (transform(),))
    right = Proposal(2, ProtocolId.ISAKMP, b"", (transform(),))
    answer, _ = choose(SecurityAssociation((wrong, right)), peer())
    assert answer.proposals == (right,)


@pytest.mark.parametrize(
    ("offered", "why"),
    [
        (
            transform(cipher=EncryptionAlgorithm.CAST_CBC, bits=None),
            "ENCRYPTION_ALGORITHM is CAST_CBC, we want AES_CBC",
        ),
        (
            transform(authentication=AuthenticationMethod.RSA_SIG),
            "AUTHENTICATION_METHOD is RSA_SIG, we want PRE_SHARED",
        ),
        (transform(hash=HashAlgorithm.MD5), "HASH_ALGORITHM is MD5, we want SHA2_256"),
        (transform(group=Group.MODP_1024), "GROUP_DESCRIPTION is MODP_1024, we want MODP_2048"),
        (transform(group=9999), "GROUP_DESCRIPTION is Group_9999, we want MODP_2048"),
        (transform(bits=128), "KEY_LENGTH is 128, we want 256"),
        (transform(bits=None), "KEY_LENGTH is missing, we want 256"),
        (transform(life=10), "lifetime is 10 seconds, we want 60 to 86400"),
    ],
)
def test_the_first_difference_is_named(offered: Transform, why: str) -> None:
    assert f": {why} (AES-256-SHA2-256-GRP14)" in refusal(sa(offered), peer())


def test_the_nearest_of_ours_is_named() -> None:
    configured = peer("AES-256-SHA2-512-GRP14,AES-256-SHA2-256-GRP5")
    assert refusal(sa(transform()), configured) == (
        "`AES_CBC 256 SHA2_256 MODP_2048 PRE_SHARED`: GROUP_DESCRIPTION is MODP_2048, we want MODP_1536"
        " (AES-256-SHA2-256-GRP5)"
    )


def test_a_cipher_of_one_key_length_takes_none() -> None:
    configured = peer("3DES-SHA2-256-GRP14", "Allow-Legacy= 3DES")
    three_des = transform(cipher=EncryptionAlgorithm.TRIPLE_DES_CBC, bits=192)
    assert "KEY_LENGTH is 192, we want none" in refusal(sa(three_des), configured)


def test_a_missing_attribute_is_named() -> None:
    whole = transform()
    partial = replace(whole, attributes=whole.attributes[1:])
    assert "ENCRYPTION_ALGORITHM is missing" in refusal(sa(partial), peer())


def test_what_is_not_negotiated_here_is_refused() -> None:
    prf = Attribute.number(Phase1Attribute.PRF, 1)
    assert refusal(sa(transform(more=(prf,))), peer()).endswith("has PRF, which is not negotiated here")
    assert refusal(sa(transform(id=2)), peer()).endswith("transform 1 is not KEY_IKE")
    assert refusal(sa(transform(), protocol=ProtocolId.ESP), peer()) == "proposal 1 is for ESP"


def test_a_peer_without_transforms_takes_nothing() -> None:
    assert refusal(sa(transform()), replace(peer(), transforms=())).endswith("none is configured")


def test_every_transform_has_its_reason_up_to_a_few() -> None:
    text = refusal(sa(*(transform(bits=128, number=number) for number in range(1, MOST + 3))), peer())
    assert text.count("KEY_LENGTH is 128") == MOST
    assert text.endswith("; and 2 more")


def test_contradictions_in_a_transform_are_errors_of_syntax() -> None:
    twice = Attribute.number(Phase1Attribute.HASH_ALGORITHM, HashAlgorithm.MD5)
    with pytest.raises(BadProposalSyntax, match="stands twice"):
        choose(sa(transform(more=(twice,))), peer())
    duration = Attribute.number(Phase1Attribute.LIFE_DURATION, 3600)
    with pytest.raises(BadProposalSyntax, match="without a life type"):
        choose(sa(transform(more=(duration,))), peer())


# --- ANY


def test_any_takes_what_the_peer_offers() -> None:
    _, suite = choose(sa(transform(bits=192, group=Group.ECP_384, life=99)), replace(peer(), transforms=(ANY,)))
    assert (suite.key_length, suite.group, suite.life_seconds) == (192, Group.ECP_384, 99)


@pytest.mark.parametrize(
    ("offered", "why"),
    [
        (transform(hash=HashAlgorithm.MD5), "needs `Allow-Legacy= MD5` in [peer]"),
        (transform(group=Group.MODP_1024, hash=HashAlgorithm.SHA1), "needs `Allow-Legacy= MODP_1024,SHA1` in [peer]"),
        (transform(group=9999), "GROUP_DESCRIPTION 9999 is not known"),
        (transform(cipher=EncryptionAlgorithm.CAST_CBC, bits=128), "CAST_CBC"),
        (transform(hash=HashAlgorithm.TIGER), "TIGER"),
        (transform(group=Group.EC2N_155), "EC2N_155"),
        (transform(authentication=AuthenticationMethod.DSS_SIG), "authentication by DSS_SIG is not supported"),
    ],
)
def test_any_does_not_let_in_what_we_cannot_do_or_may_not(offered: Transform, why: str) -> None:
    assert why in refusal(sa(offered), replace(peer(), transforms=(ANY,)))


def test_a_pre_shared_key_has_to_be_there() -> None:
    keyless = replace(peer(), transforms=(ANY,), preshared_key=None)
    assert "there is no pre-shared key in [peer]" in refusal(sa(transform()), keyless)
    choose(sa(transform(authentication=AuthenticationMethod.RSA_SIG)), keyless)


# --- the initiator's check of the choice


def test_the_choice_may_be_any_of_ours_in_another_order_of_attributes() -> None:
    offered = offer(peer("AES-256-SHA2-256-GRP14,AES-128-SHA2-256-GRP14"))
    second = offered.proposals[0].transforms[1]
    # The life type has to stay in front of its duration.
    shuffled = replace(second, attributes=(*second.attributes[4:], *reversed(second.attributes[:4])))
    assert accept_choice(offered, sa(shuffled)).key_length == 128


@pytest.mark.parametrize(
    "answer",
    [
        sa(transform(bits=128, life=3600)),
        sa(transform(life=3601)),
        sa(transform(life=3600, more=(Attribute.number(Phase1Attribute.PRF, 1),))),
        sa(transform(life=3600), transform(life=3600, number=2)),
        SecurityAssociation(sa(transform(life=3600)).proposals * 2),
    ],
)
def test_what_was_not_offered_is_not_accepted(answer: SecurityAssociation) -> None:
    with pytest.raises(NoProposalChosen):
        accept_choice(offer(peer()), answer)
    assert accept_choice(offer(peer()), sa(transform(life=3600))).life_seconds == 3600
