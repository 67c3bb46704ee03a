# SPDX-License-Identifier: ISC
"""Quick mode, RFC 2409 5.5: the SAs of ESP, AH and IPCOMP, under an IKE SA.

    Initiator                                             Responder
    1  HDR*, HASH(1), SA, Ni, [KE,] [IDci, IDcr]     →
                                    ←     2  HDR*, HASH(2), SA, Nr, [KE,] [IDci, IDcr]
    3  HDR*, HASH(3)                                 →

The responder asks policy before it spends a Diffie-Hellman value and an SPI, for every proposal that the connection
allows; the initiator asks after message 2, for the one that was chosen. The responder's inbound SA is there before
message 2 leaves, its outbound SA comes with message 3; the initiator has both before message 3 leaves.
"""

from collections.abc import Mapping
from dataclasses import replace
from hmac import compare_digest

from ike_auth.authorization.requests import AuthorizeTunnel, TunnelAuthorized, TunnelRequest
from ike_auth.config.model import Connection
from ike_auth.crypto import groups
from ike_auth.crypto.groups import KeyShare
from ike_auth.crypto.key_material import phase2_iv
from ike_auth.effects import Effect, InstallSa, RemoveSa, Report
from ike_auth.errors import InvalidHash, InvalidIdInformation, NoProposalChosen
from ike_auth.events import ExchangeFailed, TunnelRefused, TunnelUp
from ike_auth.exchanges.steps import AddTunnel, AnswerRow, Answers, Closed, Local, Outcome, State
from ike_auth.exchanges.v1 import informational
from ike_auth.exchanges.v1.chaining import MAX_CHAINS, Taken
from ike_auth.exchanges.v1.phase2 import Keying, client_selectors, connection_for, selectors_of, tunnel
from ike_auth.exchanges.v1.protection import Protection
from ike_auth.exchanges.v1.table import ProtectedRow, Table
from ike_auth.negotiation import phase2 as negotiation
from ike_auth.negotiation.phase2 import Candidate, Terms
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.values import value
from ike_auth.wire.header import Header
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.legality import Step
from ike_auth.wire.messages import Encoded, Message, encode_payloads
from ike_auth.wire.numbers import Doi, ExchangeType, NotifyType, ProtocolId
from ike_auth.wire.payloads import Hash, KeyExchange, Nonce, Notification, Payload
from ike_auth.wire.proposals import Proposal, SecurityAssociation

NONCE_SIZE = 32  # bytes
_QUICK = ExchangeType.QUICK  # stands in each header


@value
class Listening(State):
    """Responder, before message 1."""

    ike: IkeSa
    message_id: int
    protection: Protection


@value
class Offered(State):
    """Initiator, message 1 sent."""

    ike: IkeSa
    message_id: int
    protection: Protection
    connection: Connection
    local: Selector
    remote: Selector
    identities: tuple[Identity, ...]  # IDci and IDcr, if the connection names clients
    offer: SecurityAssociation
    spi_of: Mapping[ProtocolId, bytes]
    nonce: bytes
    share: KeyShare | None

    @property
    def awaits_message(self) -> bool:
        return True

    @property
    def own_spis(self) -> tuple[bytes, ...]:
        return tuple(self.spi_of.values())


@value
class ChoiceAsked(State):
    """Initiator, message 2 checked: policy is asked about what the responder chose."""

    offered: Offered
    taken: Taken
    following: Protection
    choice: Candidate
    public: bytes | None
    nonce: bytes
    question: AuthorizeTunnel

    @property
    def own_spis(self) -> tuple[bytes, ...]:
        return self.offered.own_spis


@value
class OfferAsked(State):
    """Responder, message 1 checked: policy is asked about what the initiator offers."""

    ike: IkeSa
    message_id: int
    taken: Taken
    following: Protection
    candidates: tuple[Candidate, ...]
    identities: tuple[Identity, ...]  # IDci and IDcr, to be sent back as they came
    public: bytes | None
    nonce: bytes
    question: AuthorizeTunnel


@value
class Answered(State):
    """Responder, message 2 sent: the tunnel waits for the proof that the initiator is alive.

    `protections` has one for each message 2 that went out: several if message 1 came in several ciphertexts.
    """

    ike: IkeSa
    message_id: int
    protections: tuple[Protection, ...]
    tunnel: Tunnel
    nonce_i: bytes
    nonce_r: bytes
    taken: Taken
    answer: Encoded  # message 2

    @property
    def awaits_message(self) -> bool:
        return True

    @property
    def own_spis(self) -> tuple[bytes, ...]:
        return tuple([sa.spi for sa in self.tunnel.inbound])

    @property
    def peer_spis(self) -> tuple[bytes, ...]:
        return tuple(sa.spi for sa in self.tunnel.outbound)

    @property
    def pending_tunnel(self) -> Tunnel:
        return self.tunnel

    def abandoned(self) -> tuple[Effect, ...]:
        return tuple(RemoveSa(sa) for sa in self.tunnel.inbound)


@value
class Confirmed(State):
    """Initiator, message 3 sent. What is kept answers message 2 in another ciphertext (`chaining`)."""

    open = False

    ike: IkeSa
    message_id: int
    taken: Taken
    answer: tuple[Payload, ...]  # message 3
    spis: tuple[bytes, ...]

    @property
    def own_spis(self) -> tuple[bytes, ...]:
        return self.spis

    @property
    def protection(self) -> Protection:
        return self.taken.protection


def listen(ike: IkeSa, message_id: int) -> Listening:
    return Listening(ike, message_id, _protection(ike, message_id))


def initiate(ike: IkeSa, connection: Connection, local: Local) -> Outcome:
    """Message 1 for a connection of ours. Raises LocalError."""
    message_id = int.from_bytes(local.random(4), "big") or 1
    protocols = {offered.protocol for suite in connection.suites for offered in suite.protocols}
    spis = {protocol: local.new_spi(protocol) for protocol in sorted(protocols)}
    offer = negotiation.offer(connection.suites, spis, ike.nat.detected)
    group = negotiation.group_of(connection.suites)
    share = None if group is None else groups.generate(group, local.random)
    nonce = local.random(NONCE_SIZE)
    ours, theirs = selectors_of(connection, local)
    payloads: tuple[Payload, ...] = (offer, Nonce(nonce))
    if share is not None:
        payloads += (KeyExchange(share.public),)
    identities = (ours.identity(), theirs.identity()) if connection.local or connection.remote else ()
    chain = encode_payloads(payloads + identities)
    proof = ike.keys.hash_1(message_id, chain[1])
    sealed, following = _protection(ike, message_id).seal(_header(ike, message_id), (Hash(proof),), then=chain)
    state = Offered(ike, message_id, following, connection, ours, theirs, identities, offer, spis, nonce, share)
    return Outcome(state, send=sealed)


def _consider_offer(state: Listening, message: Message, following: Protection, local: Local) -> Outcome:
    """Message 1 → the question which proposal may be had."""
    ike, id = state.ike, state.message_id
    if not compare_digest(message.one(Hash).data, ike.keys.hash_1(id, message.after_first)):
        raise InvalidHash("quick mode 1: wrong HASH(1)")
    identities = message.all(Identity)
    try:
        remote, ours = client_selectors(identities, local.remote.host, local.local.host)
        connection = connection_for(ike.peer.name, ours, remote, local)
        key = message.first(KeyExchange)
        terms = _terms(ike, connection, key is not None, bool(identities))
        candidates = negotiation.candidates(message.one(SecurityAssociation), terms)
    except (NoProposalChosen, InvalidIdInformation) as refusal:
        # The message is genuine, so what it asks for is refused for good.
        return _refuse(ike, message, refusal, local)
    name = None if connection is None else connection.name
    client_ids = bool(identities)
    question = AuthorizeTunnel(tuple([_request(ike, c, ours, remote, False, name, client_ids) for c in candidates]))
    asked = OfferAsked(
        ike,
        id,
        Taken(state.protection, _proof_of(message)),
        following,
        candidates,
        identities,
        None if key is None else key.data,
        message.one(Nonce).data,
        question,
    )
    return Outcome(asked, ask=question)


def _answer_offer(state: OfferAsked, answer: TunnelAuthorized, local: Local) -> Outcome:
    """The answer → message 2, or a refusal."""
    if answer.chosen is None:
        return _refused(state, answer, local)
    ike, candidate = state.ike, state.candidates[answer.chosen]
    request = state.question.requests[answer.chosen]
    share = None if candidate.group is None else groups.generate(candidate.group, local.random)
    shared = None if share is None or state.public is None else share.shared(state.public)
    nonce = local.random(NONCE_SIZE)
    spis = {proposal.protocol: local.new_spi(proposal.protocol) for proposal in candidate.proposals}
    keying = Keying(state.nonce, nonce, shared)
    made = tunnel(ike, candidate, spis, request, answer.decisions[answer.chosen], keying, local)
    chosen = tuple([_with_spi(proposal, spis[proposal.protocol]) for proposal in candidate.proposals])
    payloads: tuple[Payload, ...] = (SecurityAssociation(chosen), Nonce(nonce))
    if share is not None:
        payloads += (KeyExchange(share.public),)
    chain = encode_payloads(payloads + state.identities)
    proof = ike.keys.hash_2(state.message_id, state.nonce, chain[1])
    message_2 = encode_payloads((Hash(proof),), then=chain)
    sealed, following = state.following.seal(_header(ike, state.message_id), then=message_2)
    return Outcome(
        Answered(ike, state.message_id, (following,), made, state.nonce, nonce, state.taken, message_2),
        send=sealed,
        before=tuple([InstallSa(sa) for sa in made.inbound]),
    )


def _offered_again(state: Answered, message: Message, following: Protection, local: Local) -> Outcome:
    """Message 1 in another ciphertext → message 2 chained from it."""
    state.taken.check_same(_proof_of(message))
    sealed, last = following.seal(_header(state.ike, state.message_id), then=state.answer)
    protections = (last, *(known for known in state.protections if known != last))
    return Outcome(replace(state, protections=protections[:MAX_CHAINS]), send=sealed)


def _consider_choice(state: Offered, message: Message, following: Protection, local: Local) -> Outcome:
    """Message 2 → the question whether this may be had."""
    ike, id = state.ike, state.message_id
    if not compare_digest(message.one(Hash).data, ike.keys.hash_2(id, state.nonce, message.after_first)):
        raise InvalidHash("quick mode 2: wrong HASH(2)")
    key = message.first(KeyExchange)
    identities = message.all(Identity)
    try:
        # The same traffic may be said in another form.
        if identities and identities != state.identities:
            sides = client_selectors(identities, local.local.host, local.remote.host)
            if sides != (state.local, state.remote):
                raise InvalidIdInformation("the peer answers with other client identities than ours")
        client_ids = bool(state.identities)
        terms = _terms(ike, state.connection, key is not None, client_ids)
        choice = negotiation.accept_choice(state.offer, message.one(SecurityAssociation), terms)
    except (NoProposalChosen, InvalidIdInformation) as refusal:
        return _refuse(ike, message, refusal, local)
    name = state.connection.name
    question = AuthorizeTunnel((_request(ike, choice, state.local, state.remote, True, name, client_ids),))
    public = None if key is None else key.data
    taken = Taken(state.protection, _proof_of(message))
    asked = ChoiceAsked(state, taken, following, choice, public, message.one(Nonce).data, question)
    return Outcome(asked, ask=question)


def _answer_choice(state: ChoiceAsked, answer: TunnelAuthorized, local: Local) -> Outcome:
    """The answer → message 3 and the tunnel, or a refusal."""
    if answer.chosen is None:
        return _refused(state, answer, local)
    offered = state.offered
    ike, share = offered.ike, offered.share
    shared = None if share is None or state.public is None else share.shared(state.public)
    keying = Keying(offered.nonce, state.nonce, shared)
    request, decision = state.question.requests[0], answer.decisions[0]
    made = tunnel(ike, state.choice, offered.spi_of, request, decision, keying, local)
    message_3 = (Hash(ike.keys.hash_3(offered.message_id, offered.nonce, state.nonce)),)
    sealed, _ = state.following.seal(_header(ike, offered.message_id), message_3)
    return Outcome(
        Confirmed(ike, offered.message_id, state.taken, message_3, offered.own_spis),
        send=sealed,
        before=tuple([InstallSa(sa) for sa in made.sas]),
        after=(Report(TunnelUp(made)),),
        changes=(AddTunnel(made),),
    )


def _chosen_again(state: Confirmed, message: Message, following: Protection, local: Local) -> Outcome:
    """Message 2 in another ciphertext → message 3 chained from it."""
    state.taken.check_same(_proof_of(message))
    sealed, _ = following.seal(_header(state.ike, state.message_id), state.answer)
    return Outcome(state, send=sealed)


def _confirm(state: Answered, message: Message, _: Protection, local: Local) -> Outcome:
    """Message 3 → the tunnel."""
    expected = state.ike.keys.hash_3(state.message_id, state.nonce_i, state.nonce_r)
    if not compare_digest(message.one(Hash).data, expected):
        raise InvalidHash("quick mode 3: wrong HASH(3)")
    outbound = tuple([InstallSa(sa) for sa in state.tunnel.outbound])
    return Outcome(Closed(), after=(*outbound, Report(TunnelUp(state.tunnel))), changes=(AddTunnel(state.tunnel),))


def _refused(state: OfferAsked | ChoiceAsked, answer: TunnelAuthorized, local: Local) -> Outcome:
    """Policy says no."""
    ike = state.ike if isinstance(state, OfferAsked) else state.offered.ike
    candidate = state.candidates[0] if isinstance(state, OfferAsked) else state.choice
    told = _no(ike, candidate.proposals[0], NotifyType.NO_PROPOSAL_CHOSEN, local)
    event = TunnelRefused(state.question.requests, answer.decisions)
    return Outcome(Closed(), notify=(told,), after=(Report(event),))


def _refuse(ike: IkeSa, message: Message, refusal: NoProposalChosen | InvalidIdInformation, local: Local) -> Outcome:
    """The configuration, or the message itself, says no."""
    told = _no(ike, message.one(SecurityAssociation).proposals[0], refusal.notify, local)
    what = " ".join(("quick mode", " → ".join(identity.text for identity in message.all(Identity)))).rstrip()
    event = ExchangeFailed(what, ike.peer.name, local.remote, str(refusal), ike.identity)
    return Outcome(Closed(), notify=(told,), after=(Report(event),))


def _no(ike: IkeSa, proposal: Proposal, type: NotifyType, local: Local) -> bytes:
    """What tells the peer that its proposal is refused, by the SPI that it gave it."""
    payload = Notification(Doi.IPSEC, proposal.protocol, type, proposal.spi)
    return informational.notify(ike, payload, local.random)


def _with_spi(proposal: Proposal, spi: bytes) -> Proposal:
    """The peer's proposal with our SPI; a CPI in as many bytes as the peer writes its own in (RFC 3173 4.1)."""
    return Proposal(proposal.number, proposal.protocol, spi.rjust(len(proposal.spi), b"\0"), proposal.transforms)


def _terms(ike: IkeSa, connection: Connection | None, key_exchange: bool, client_ids: bool) -> Terms:
    suites = None if connection is None else connection.suites
    return Terms(ike.nat.detected, key_exchange, client_ids, ike.peer.allow_legacy, suites)


def _request(
    ike: IkeSa,
    candidate: Candidate,
    local: Selector,
    remote: Selector,
    initiator: bool,
    connection: str | None,
    client_ids: bool,
) -> TunnelRequest:
    return TunnelRequest(
        ike.authenticated,
        candidate.parameters,
        local,
        remote,
        candidate.group is not None,
        initiator,
        connection,
        client_ids,
    )


def _proof_of(message: Message) -> bytes:
    """HASH(1) or HASH(2), which was checked, and what it covers: all of the message but its padding."""
    return message.one(Hash).data + message.after_first


def _protection(ike: IkeSa, message_id: int) -> Protection:
    return Protection(ike.cipher, phase2_iv(ike.suite.hash, ike.last_block, message_id))


def _header(ike: IkeSa, message_id: int) -> Header:
    return Header(ike.cookies.initiator, ike.cookies.responder, exchange=_QUICK, message_id=message_id)


MESSAGES: Table = {
    Listening: (ProtectedRow(lambda _: Step.QUICK_1, _consider_offer),),
    Offered: (ProtectedRow(lambda _: Step.QUICK_2, _consider_choice),),
    Answered: (
        ProtectedRow(lambda _: Step.QUICK_3, _confirm, under=lambda state: state.protections),
        ProtectedRow(lambda _: Step.QUICK_1, _offered_again, under=lambda state: (state.taken.protection,)),
    ),
    Confirmed: (ProtectedRow(lambda _: Step.QUICK_2, _chosen_again),),
}
ANSWERS: Answers = {
    OfferAsked: AnswerRow(TunnelAuthorized, "the tunnel", _answer_offer),
    ChoiceAsked: AnswerRow(TunnelAuthorized, "the tunnel", _answer_choice),
}
