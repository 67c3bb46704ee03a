# SPDX-License-Identifier: ISC
"""Phase 1: which ISAKMP transform (RFC 2409 5 and appendix A)."""

from collections.abc import Mapping
from functools import lru_cache

from ike_auth.config.model import Accept, Peer, Phase1Transform
from ike_auth.crypto.ciphers import phase1_cipher
from ike_auth.crypto.groups import public_size
from ike_auth.crypto.legacy import legacy_names
from ike_auth.crypto.prf import digest_size
from ike_auth.errors import LocalError, NoProposalChosen, UnsupportedAlgorithm
from ike_auth.negotiation.attributes import KEPT_OFFERS, attribute_map, lifetimes, same_transform
from ike_auth.negotiation.refusals import listed
from ike_auth.suites import Phase1Suite
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
from ike_auth.wire.numbers import Phase1Transform as TransformId
from ike_auth.wire.proposals import Proposal, SecurityAssociation, Transform

DEFAULT_LIFE = 28800  # seconds, RFC 2407 4.5; RFC 2409 leaves it to the same
_LIFE = (int(Phase1Attribute.LIFE_TYPE), int(Phase1Attribute.LIFE_DURATION))
_TAKEN = {
    Phase1Attribute.ENCRYPTION_ALGORITHM,
    Phase1Attribute.HASH_ALGORITHM,
    Phase1Attribute.AUTHENTICATION_METHOD,
    Phase1Attribute.GROUP_DESCRIPTION,
    Phase1Attribute.KEY_LENGTH,
}


def offer(peer: Peer) -> SecurityAssociation:
    """The SA payload of message 1: one proposal, our transforms in order of preference.

    Raises LocalError if no configured transform says exactly what it wants.
    """
    made = _offer(peer.transforms)
    if made is None:
        raise LocalError(f"{peer.where}: peer `{peer.name}` has no transform that can be offered, only `ANY`")
    return made


@lru_cache(KEPT_OFFERS)
def _offer(configured: tuple[Phase1Transform, ...]) -> SecurityAssociation | None:
    offered = [t for t in configured if None not in (t.cipher, t.hash, t.authentication, t.group)]
    transforms = tuple(
        Transform(number, TransformId.KEY_IKE, _attributes(transform))
        for number, transform in enumerate(offered, start=1)
    )
    return SecurityAssociation((Proposal(1, ProtocolId.ISAKMP, b"", transforms),)) if transforms else None


def choose(sa: SecurityAssociation, peer: Peer) -> tuple[SecurityAssociation, Phase1Suite]:
    """The first transform of the peer's that one of ours matches wholly: the SA payload to answer, and what it means.

    Raises NoProposalChosen, whose text sets each offered transform beside the configured one that comes nearest.
    """
    refusals: list[str] = []
    for proposal in sa.proposals:
        if proposal.protocol != ProtocolId.ISAKMP:
            refusals.append(f"proposal {proposal.number} is for {proposal.protocol}")
            continue
        for transform in proposal.transforms:
            refusal = _refusal(transform, peer.transforms)
            if refusal is None:
                suite = suite_of(transform)
                refusal = _unusable(suite, peer)
                if refusal is None:
                    chosen = Proposal(proposal.number, proposal.protocol, proposal.spi, (transform,))
                    return SecurityAssociation((chosen,)), suite
            refusals.append(f"`{_text(transform)}`: {refusal}")
    raise NoProposalChosen("no common phase 1 transform: " + listed(refusals))


def accept_choice(offered: SecurityAssociation, answer: SecurityAssociation) -> Phase1Suite:
    """What the responder picked out of our offer. Raises NoProposalChosen if it is not exactly one of ours."""
    if len(answer.proposals) != 1 or len(answer.proposals[0].transforms) != 1:
        raise NoProposalChosen("the peer's answer is not one proposal with one transform")
    chosen = answer.proposals[0].transforms[0]
    ours = offered.proposals[0].transforms
    if not any(same_transform(t, chosen, _LIFE) for t in ours):
        raise NoProposalChosen(f"the peer chose `{_text(chosen)}`, which we did not offer")
    return suite_of(chosen)


def suite_of(transform: Transform) -> Phase1Suite:
    """What a transform that passed the checks above means."""
    return _suite(transform.attributes)


@lru_cache(KEPT_OFFERS)
def _suite(attributes: tuple[Attribute, ...]) -> Phase1Suite:
    values = attribute_map(attributes, _LIFE)
    return Phase1Suite(
        EncryptionAlgorithm(values[Phase1Attribute.ENCRYPTION_ALGORITHM]),
        values.get(Phase1Attribute.KEY_LENGTH),
        HashAlgorithm(values[Phase1Attribute.HASH_ALGORITHM]),
        AuthenticationMethod(values[Phase1Attribute.AUTHENTICATION_METHOD]),
        Group(values[Phase1Attribute.GROUP_DESCRIPTION]),
        lifetimes(attributes, _LIFE).get(LifeType.SECONDS, DEFAULT_LIFE),
    )


def _attributes(transform: Phase1Transform) -> tuple[Attribute, ...]:
    assert transform.cipher
    assert transform.hash
    assert transform.authentication
    assert transform.group
    found = [
        Attribute.number(Phase1Attribute.ENCRYPTION_ALGORITHM, transform.cipher),
        Attribute.number(Phase1Attribute.HASH_ALGORITHM, transform.hash),
        Attribute.number(Phase1Attribute.AUTHENTICATION_METHOD, transform.authentication),
        Attribute.number(Phase1Attribute.GROUP_DESCRIPTION, transform.group),
    ]
    lives = ((LifeType.SECONDS, transform.life_seconds), (LifeType.KILOBYTES, transform.life_kilobytes))
    for kind, life in lives:
        if life is not None:
            found.append(Attribute.number(Phase1Attribute.LIFE_TYPE, kind))
            found.append(Attribute.number(Phase1Attribute.LIFE_DURATION, life.offer))
    if transform.key_length is not None:
        found.append(Attribute.number(Phase1Attribute.KEY_LENGTH, transform.key_length.offer))
    return tuple(found)


@lru_cache(KEPT_OFFERS)
def _refusal(transform: Transform, configured: tuple[Phase1Transform, ...]) -> str | None:
    """None if one of ours matches; else the nearest one and the first attribute in which it differs."""
    values = attribute_map(transform.attributes, _LIFE)
    unknown = values.keys() - _TAKEN
    if unknown:
        return f"has {Phase1Attribute(min(unknown))}, which is not negotiated here"
    if transform.id != TransformId.KEY_IKE:
        return f"transform {transform.number} is not KEY_IKE"
    nearest: tuple[int, str] = (-1, "none is configured")
    life = _life(transform)
    for ours in configured:
        matched, difference = _compare(values, life, ours)
        if difference is None:
            return None
        nearest = max(nearest, (matched, f"{difference} ({ours.name})"), key=lambda pair: pair[0])
    return nearest[1]


def _unusable(suite: Phase1Suite, peer: Peer) -> str | None:
    """`ANY` in the configuration must not let in what we cannot do, or the peer's section does not allow by name."""
    missing = legacy_names(suite.cipher, suite.hash, suite.group) - peer.allow_legacy
    if missing:
        return f"needs `Allow-Legacy= {','.join(sorted(missing))}` in [{peer.name}] ({peer.where})"
    try:
        phase1_cipher(suite.cipher, suite.key_length)
        digest_size(suite.hash)
        public_size(suite.group)
    except UnsupportedAlgorithm as error:
        return str(error)
    if suite.authentication not in (AuthenticationMethod.PRE_SHARED, AuthenticationMethod.RSA_SIG):
        return f"authentication by {suite.authentication} is not supported"
    if suite.authentication == AuthenticationMethod.PRE_SHARED and peer.preshared_key is None:
        return f"there is no pre-shared key in [{peer.name}] ({peer.where}), add `Authentication=`"
    return None


def _compare(values: Mapping[int, int], life: Mapping[int, int], ours: Phase1Transform) -> tuple[int, str | None]:
    """How many attributes agree before the first that differs, and that one."""
    wanted = (
        (Phase1Attribute.ENCRYPTION_ALGORITHM, EncryptionAlgorithm, ours.cipher),
        (Phase1Attribute.AUTHENTICATION_METHOD, AuthenticationMethod, ours.authentication),
        (Phase1Attribute.HASH_ALGORITHM, HashAlgorithm, ours.hash),
        (Phase1Attribute.GROUP_DESCRIPTION, Group, ours.group),
    )
    for matched, (kind, enum, want) in enumerate(wanted):
        got = values.get(kind)
        if got is None:
            return matched, f"{kind} is missing"
        if want is None and not enum(got).known:
            return matched, f"{kind} {got} is not known"
        if want is not None and got != want:
            return matched, f"{kind} is {enum(got)}, we want {want}"
    got_length = values.get(Phase1Attribute.KEY_LENGTH)
    if ours.key_length is None and got_length is not None:
        return 4, f"KEY_LENGTH is {got_length}, we want none"
    if ours.key_length is not None and (got_length is None or not ours.key_length.takes(got_length)):
        return 4, f"KEY_LENGTH is {got_length or 'missing'}, we want {_range(ours.key_length)}"
    for unit, accept in ((LifeType.SECONDS, ours.life_seconds), (LifeType.KILOBYTES, ours.life_kilobytes)):
        if accept is not None and unit in life and not accept.takes(life[unit]):
            return 5, f"lifetime is {life[unit]} {unit.name.lower()}, we want {_range(accept)}"
    return 6, None


def _life(transform: Transform) -> Mapping[int, int]:
    return lifetimes(transform.attributes, _LIFE)


def _range(accept: Accept) -> str:
    return str(accept.low) if accept.low == accept.high else f"{accept.low} to {accept.high}"


def _text(transform: Transform) -> str:
    values = attribute_map(transform.attributes, _LIFE)
    names = [
        enum(values[kind]).name
        for kind, enum in (
            (Phase1Attribute.ENCRYPTION_ALGORITHM, EncryptionAlgorithm),
            (Phase1Attribute.KEY_LENGTH, _Bits),
            (Phase1Attribute.HASH_ALGORITHM, HashAlgorithm),
            (Phase1Attribute.GROUP_DESCRIPTION, Group),
            (Phase1Attribute.AUTHENTICATION_METHOD, AuthenticationMethod),
        )
        if kind in values
    ]
    return " ".join(names)


class _Bits(int):
    @property
    def name(self) -> str:
        return str(int(self))
