# SPDX-License-Identifier: ISC
"""Phase 2: which proposals can be meant (RFC 2407 4.4 and 4.5, RFC 2409 5.5; IPCOMP: RFC 3173 4.1). Policy is asked
later."""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice, product

from ike_auth.authorization.requests import ProtocolParameters
from ike_auth.config.model import Phase2Transform, ProtocolOffer, Suite
from ike_auth.crypto.legacy import legacy_names
from ike_auth.errors import NoProposalChosen, PeerError, UnsupportedAlgorithm
from ike_auth.negotiation.attributes import KEPT_OFFERS, attribute_map, lifetimes, same_transform
from ike_auth.negotiation.bundles import in_one_mode, named, without_keys
from ike_auth.negotiation.refusals import listed
from ike_auth.sa import DEFAULT_REPLAY_WINDOW
from ike_auth.suites import key_sizes
from ike_auth.values import value
from ike_auth.wire import cpi
from ike_auth.wire.attributes import Attribute
from ike_auth.wire.numbers import (
    AhTransform,
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

DEFAULT_LIFE = 28800  # seconds, RFC 2407 4.5
MAX_COMBINATIONS = 1024  # looked at in one SA payload: two protocols may have 255 transforms each
MAX_CANDIDATES = 64  # put to policy
SPI_SIZE = 4
_LOWEST_SPI = 256  # RFC 4303 2.1: those below are reserved
_LIFE = (int(IpsecAttribute.LIFE_TYPE), int(IpsecAttribute.LIFE_DURATION))
_TAKEN = {
    IpsecAttribute.GROUP_DESCRIPTION,
    IpsecAttribute.ENCAPSULATION_MODE,
    IpsecAttribute.AUTHENTICATION_ALGORITHM,
    IpsecAttribute.KEY_LENGTH,
    IpsecAttribute.KEY_ROUNDS,
    IpsecAttribute.ECN_TUNNEL,
}
_OF_KEYS = frozenset(  # which IPCOMP has none of
    (
        IpsecAttribute.GROUP_DESCRIPTION,
        IpsecAttribute.AUTHENTICATION_ALGORITHM,
        IpsecAttribute.KEY_LENGTH,
        IpsecAttribute.KEY_ROUNDS,
    )
)
_UNDER_NAT = {
    EncapsulationMode.TUNNEL: EncapsulationMode.UDP_TUNNEL,
    EncapsulationMode.TRANSPORT: EncapsulationMode.UDP_TRANSPORT,
}
_WITHOUT_NAT = {udp: plain for plain, udp in _UNDER_NAT.items()}


@value
class Terms:
    """What both ends know before they talk of transforms."""

    nat: bool  # a NAT was detected, so ESP goes into UDP and AH cannot be
    key_exchange: bool  # a KE payload was sent
    client_ids: bool  # IDci and IDcr were sent
    allow_legacy: frozenset[str]
    suites: tuple[Suite, ...] | None  # None: no connection names this tunnel, policy alone decides


@value
class Limits:
    """What one protocol of a tunnel is held to that only the configuration knows of, or knows better."""

    replay_window: int = DEFAULT_REPLAY_WINDOW
    kilobytes: int | None = None


@value
class Candidate:
    """One alternative of an SA payload, each protocol with one transform."""

    proposals: tuple[Proposal, ...]
    parameters: tuple[ProtocolParameters, ...]
    key_sizes: tuple[tuple[int, int], ...]  # of each protocol, as `suites.key_sizes` has them
    group: Group | None  # of PFS
    suite: Suite | None  # the first of the connection's that allows it
    life_seconds: int
    limits: tuple[Limits, ...]  # of each protocol, by the suite


# All of a candidate but its proposals.
_Meaning = tuple[
    tuple[ProtocolParameters, ...], tuple[tuple[int, int], ...], Group | None, Suite | None, int, tuple[Limits, ...]
]


def _limits(chosen: ProtocolParameters, offered: ProtocolOffer | None) -> Limits:
    if without_keys(chosen):
        return Limits(replay_window=0)
    if offered is None:
        return Limits(kilobytes=chosen.life_kilobytes)
    kilobytes = chosen.life_kilobytes
    # A peer that has not spoken of them does not forbid a limit of our own.
    if kilobytes is None and any(transform.life_kilobytes for transform in offered.transforms):
        ours = next(t for t in offered.transforms if _transform_difference(chosen, t) is None)
        kilobytes = None if ours.life_kilobytes is None else ours.life_kilobytes.offer
    return Limits(offered.replay_window, kilobytes)


def group_of(suites: Sequence[Suite]) -> Group | None:
    """The one group that a quick mode offers: a message has one KE payload, so the first suite decides."""
    return suites[0].group


def offer(suites: Sequence[Suite], spis: Mapping[ProtocolId, bytes], nat: bool) -> SecurityAssociation:
    """The SA payload of quick mode's first message. Suites with another group than the first's are left out.

    IPCOMP is named last, as strongSwan and pluto do: some take a bundle's life and mode from what they find first.
    """
    group = group_of(suites)
    usable = [suite for suite in suites if suite.group == group]
    proposals = tuple(
        Proposal(number, offered.protocol, spis[offered.protocol], _transforms(offered.transforms, nat))
        for number, suite in enumerate(usable, start=1)
        for offered in sorted(suite.protocols, key=lambda offered: offered.protocol == ProtocolId.IPCOMP)
    )
    return SecurityAssociation(proposals)


def candidates(sa: SecurityAssociation, terms: Terms) -> tuple[Candidate, ...]:
    """What of a peer's SA payload may be put to policy, in the peer's order.

    Raises NoProposalChosen with the reason against each combination if nothing remains.
    """
    found: list[Candidate] = []
    refusals: list[str] = []
    for combination in islice(_combinations(sa), MAX_COMBINATIONS):
        if len(found) == MAX_CANDIDATES:
            break
        try:
            candidate = _candidate(combination, terms)
            if candidate.suite is None and terms.suites is not None:
                raise NoProposalChosen(_beside_suites(candidate, terms.suites))
        except (PeerError, UnsupportedAlgorithm) as refusal:
            refusals.append(str(refusal))
        else:
            found.append(candidate)
    if not found:
        raise NoProposalChosen("no acceptable phase 2 proposal: " + listed(refusals))
    return tuple(found)


def accept_choice(offered: SecurityAssociation, answer: SecurityAssociation, terms: Terms) -> Candidate:
    """What the responder picked out of our offer. Raises NoProposalChosen if it is not exactly one of ours."""
    chosen = _only_one(answer)
    if chosen is None:
        raise NoProposalChosen("the peer's answer is not one proposal with one transform a protocol")
    candidate = _candidate(chosen, terms)
    if not any(_same(candidate.proposals, ours) for ours in _combinations(offered)):
        raise NoProposalChosen(f"the peer chose `{named(candidate.parameters)}`, which we did not offer")
    return candidate


def _only_one(answer: SecurityAssociation) -> tuple[Proposal, ...] | None:
    match list(islice(_combinations(answer), 3)):
        case [chosen]:
            return chosen
        # strongSwan repeats the bundle without IPCOMP, as if this were an offer still, and does what the bundle says.
        case [bundle, rest] if len(rest) < len(bundle) and list(map(_unnumbered, rest)) == [
            _unnumbered(proposal) for proposal in bundle if proposal.protocol != ProtocolId.IPCOMP
        ]:
            return bundle
    return None


def _unnumbered(proposal: Proposal) -> Proposal:
    return Proposal(0, proposal.protocol, proposal.spi, proposal.transforms)


@lru_cache(KEPT_OFFERS)
def _transforms(offered: tuple[Phase2Transform, ...], nat: bool) -> tuple[Transform, ...]:
    return tuple(
        Transform(number, transform.transform, _attributes(transform, nat))
        for number, transform in enumerate(offered, start=1)
    )


def _attributes(transform: Phase2Transform, nat: bool) -> tuple[Attribute, ...]:
    mode = _UNDER_NAT.get(transform.encapsulation, transform.encapsulation) if nat else transform.encapsulation
    found: list[Attribute] = []
    lives = ((LifeType.SECONDS, transform.life_seconds), (LifeType.KILOBYTES, transform.life_kilobytes))
    for kind, life in lives:
        if life is not None:
            found.append(Attribute.number(IpsecAttribute.LIFE_TYPE, kind))
            found.append(Attribute.number(IpsecAttribute.LIFE_DURATION, life.offer))
    found.append(Attribute.number(IpsecAttribute.ENCAPSULATION_MODE, mode))
    if transform.authentication is not None:
        found.append(Attribute.number(IpsecAttribute.AUTHENTICATION_ALGORITHM, transform.authentication))
    if transform.group is not None:
        found.append(Attribute.number(IpsecAttribute.GROUP_DESCRIPTION, transform.group))
    if transform.key_length is not None:
        found.append(Attribute.number(IpsecAttribute.KEY_LENGTH, transform.key_length.offer))
    return tuple(found)


def _combinations(sa: SecurityAssociation) -> Iterator[tuple[Proposal, ...]]:
    """Every way to take one transform for each protocol of one alternative."""
    for alternative in sa.alternatives():
        yield from product(*map(_singled, alternative))


def _singled(proposal: Proposal) -> list[Proposal]:
    """The proposal once for each of its transforms."""
    if len(proposal.transforms) == 1:
        return [proposal]
    return [Proposal(proposal.number, proposal.protocol, proposal.spi, (t,)) for t in proposal.transforms]


def _same(theirs: tuple[Proposal, ...], ours: tuple[Proposal, ...]) -> bool:
    """In whichever order: applied they are in the one that makes sense (RFC 3173 2.1, RFC 4301 appendix E)."""
    if [(p.protocol, p.transforms) for p in theirs] == [(p.protocol, p.transforms) for p in ours]:
        return True
    theirs, ours = (tuple(sorted(side, key=lambda proposal: proposal.protocol)) for side in (theirs, ours))
    return [p.protocol for p in theirs] == [p.protocol for p in ours] and all(
        same_transform(_relevant(their), _relevant(our), _LIFE) for their, our in zip(theirs, ours, strict=True)
    )


def _relevant(proposal: Proposal) -> Transform:
    """The one transform, for IPCOMP without what has no meaning there (RFC 3173 4.1)."""
    transform = proposal.transforms[0]
    if proposal.protocol != ProtocolId.IPCOMP:
        return transform
    kept = tuple(attribute for attribute in transform.attributes if attribute.type not in _OF_KEYS)
    return Transform(transform.number, transform.id, kept)


def _candidate(proposals: tuple[Proposal, ...], terms: Terms) -> Candidate:
    asked = tuple([_parameters(proposal, terms) for proposal in proposals])
    return Candidate(proposals, *_meant(asked, terms.key_exchange, terms.allow_legacy, terms.suites))


@lru_cache(KEPT_OFFERS)  # as `_keyed`
def _meant(
    asked: tuple[ProtocolParameters, ...],
    key_exchange: bool,
    allow_legacy: frozenset[str],
    suites: tuple[Suite, ...] | None,
) -> _Meaning:
    """What an alternative means as a whole, its protocols in one mode.

    Raises NoProposalChosen, UnsupportedAlgorithm.
    """
    parameters = in_one_mode(asked)
    objection = _objection(parameters, key_exchange, allow_legacy)
    if objection is not None:
        raise NoProposalChosen(f"{named(parameters)}: {objection}")
    group = next(p.group for p in parameters if not without_keys(p))
    suite = next((suite for suite in suites or () if _difference(parameters, suite) is None), None)
    lives = (p.life_seconds or (None if without_keys(p) else DEFAULT_LIFE) for p in parameters)
    offers = {} if suite is None else suite.offers
    limits = tuple([_limits(chosen, offers.get(chosen.protocol)) for chosen in parameters])
    life = min(life for life in lives if life is not None)
    return parameters, tuple(map(key_sizes, parameters)), group, suite, life, limits


def _objection(
    parameters: tuple[ProtocolParameters, ...], key_exchange: bool, allow_legacy: frozenset[str]
) -> str | None:
    """What is wrong with an alternative as a whole, or with an algorithm in it."""
    if len({p.protocol for p in parameters}) != len(parameters):
        return "one protocol twice in one proposal"
    keyed = [p for p in parameters if not without_keys(p)]
    if not keyed:
        return "IPCOMP protects nothing, and goes with ESP only"
    if len({p.group for p in keyed}) != 1:
        return "protocols with different groups"
    if (keyed[0].group is not None) != key_exchange:
        return f"{'a' if key_exchange else 'no'} key exchange was sent"
    for chosen in parameters:
        missing = legacy_names(chosen.transform, chosen.authentication, chosen.group) - allow_legacy
        if missing:
            return f"needs `Allow-Legacy= {','.join(sorted(missing))}` in the peer's section"
    return None


def _parameters(proposal: Proposal, terms: Terms) -> ProtocolParameters:
    """What one proposal with its one transform asks for. Raises NoProposalChosen, BadProposalSyntax."""
    transform = proposal.transforms[0]
    where = f"proposal {proposal.number} transform {transform.number}"
    if proposal.protocol == ProtocolId.IPCOMP:
        return _compression(proposal, terms, where)
    if proposal.protocol not in (ProtocolId.ESP, ProtocolId.AH):
        raise NoProposalChosen(f"{where}: protocol {proposal.protocol} is not supported")
    if len(proposal.spi) != SPI_SIZE or int.from_bytes(proposal.spi, "big") < _LOWEST_SPI:
        raise NoProposalChosen(f"{where}: SPI `{proposal.spi.hex()}` is reserved or not of four bytes")
    return _keyed(proposal.protocol, transform, terms.nat, terms.client_ids, where)


@lru_cache(KEPT_OFFERS)  # with each renewal the same ones come again
def _keyed(protocol: ProtocolId, transform: Transform, nat: bool, client_ids: bool, where: str) -> ProtocolParameters:
    """The same for ESP and AH, but for the SPI."""
    values, lives = _values(transform, where), _lives(transform)
    kind = EspTransform if protocol == ProtocolId.ESP else AhTransform
    authentication = values.get(IpsecAttribute.AUTHENTICATION_ALGORITHM)
    group = values.get(IpsecAttribute.GROUP_DESCRIPTION)
    return ProtocolParameters(
        protocol,
        kind(transform.id),
        _encapsulation(values.get(IpsecAttribute.ENCAPSULATION_MODE), protocol, nat, client_ids, where),
        None if authentication is None else AuthenticationAlgorithm(authentication),
        values.get(IpsecAttribute.KEY_LENGTH),
        values.get(IpsecAttribute.KEY_ROUNDS),
        None if group is None else Group(group),
        lives.get(LifeType.SECONDS),
        lives.get(LifeType.KILOBYTES),
        bool(values.get(IpsecAttribute.ECN_TUNNEL)),
    )


def _compression(proposal: Proposal, terms: Terms, where: str) -> ProtocolParameters:
    """The same for IPCOMP. What has no meaning there is no reason to refuse it (RFC 3173 4.1)."""
    transform = proposal.transforms[0]
    if not cpi.is_negotiable(cpi.unified(proposal.protocol, proposal.spi)):
        raise NoProposalChosen(f"{where}: `{proposal.spi.hex()}` is no CPI from {cpi.LOWEST} to {cpi.HIGHEST}")
    values, lives = _values(transform, where), _lives(transform)
    # RFC 3173 4.1 has transport mode by default. Peers differ in what a NAT means for a protocol that ESP carries.
    mode = EncapsulationMode(values.get(IpsecAttribute.ENCAPSULATION_MODE, EncapsulationMode.TRANSPORT))
    mode = _WITHOUT_NAT.get(mode, mode)
    if mode not in _UNDER_NAT:
        raise NoProposalChosen(f"{where}: encapsulation {mode} is unknown")
    return ProtocolParameters(
        proposal.protocol,
        IpcompTransform(transform.id),
        _UNDER_NAT[mode] if terms.nat else mode,
        None,
        life_seconds=lives.get(LifeType.SECONDS),
        life_kilobytes=lives.get(LifeType.KILOBYTES),
        ecn_tunnel=bool(values.get(IpsecAttribute.ECN_TUNNEL)),
    )


def _encapsulation(
    value: int | None, protocol: ProtocolId, nat: bool, client_ids: bool, where: str
) -> EncapsulationMode:
    # RFC 2407 4.5 leaves a missing mode to the host; what the client IDs say is the only sensible reading.
    if value is None:
        value = EncapsulationMode.TUNNEL if client_ids else EncapsulationMode.TRANSPORT
        value = _UNDER_NAT[value] if nat else value
    mode = EncapsulationMode(value)
    if nat and protocol == ProtocolId.AH:
        raise NoProposalChosen(f"{where}: AH does not pass the NAT that was detected")
    allowed = _WITHOUT_NAT if nat else _UNDER_NAT
    if mode not in allowed:
        state = "behind NAT" if nat else "without NAT"
        raise NoProposalChosen(f"{where}: encapsulation {mode} does not go {state}")
    return mode


def _beside_suites(candidate: Candidate, suites: tuple[Suite, ...]) -> str:
    """A connection's `Suites=` bind the responder too: what each wants that the candidate is not."""
    differences = filter(None, [_difference(candidate.parameters, suite) for suite in suites])
    return f"{named(candidate.parameters)}: {'; '.join(differences)}"


def _difference(parameters: tuple[ProtocolParameters, ...], suite: Suite) -> str | None:
    if suite.offers.keys() != {p.protocol for p in parameters}:
        return f"{suite.name} is {' + '.join(protocol.name for protocol in suite.offers)}"
    for chosen in parameters:
        against = [_transform_difference(chosen, ours) for ours in suite.offers[chosen.protocol].transforms]
        if None not in against:
            return f"{suite.name} wants {against[0]}"
    return None


def _transform_difference(chosen: ProtocolParameters, ours: Phase2Transform) -> str | None:
    if chosen.transform != ours.transform:
        return ours.transform.name
    if _WITHOUT_NAT.get(chosen.encapsulation, chosen.encapsulation) != ours.encapsulation:
        return ours.encapsulation.name
    if chosen.authentication != ours.authentication:
        return "no authentication algorithm" if ours.authentication is None else ours.authentication.name
    if chosen.group != ours.group:
        return "no PFS" if ours.group is None else f"PFS with {ours.group.name}"
    for name, asked, accept in (
        ("key length", chosen.key_length, ours.key_length),
        ("life seconds", chosen.life_seconds, ours.life_seconds),
        ("life kilobytes", chosen.life_kilobytes, ours.life_kilobytes),
    ):
        if asked is not None and accept is not None and not accept.takes(asked):
            return f"{name} from {accept.low} to {accept.high}"
    return None


def _values(transform: Transform, where: str) -> Mapping[int, int]:
    """The attributes but for the lives. Raises NoProposalChosen for one that we do not take."""
    values = attribute_map(transform.attributes, _LIFE)
    unknown = values.keys() - _TAKEN
    if unknown:
        raise NoProposalChosen(f"{where}: {IpsecAttribute(min(unknown))} is not negotiated here")
    return values


def _lives(transform: Transform) -> Mapping[int, int]:
    return lifetimes(transform.attributes, _LIFE)
