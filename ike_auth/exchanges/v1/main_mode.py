# SPDX-License-Identifier: ISC
"""Main mode with pre-shared keys and RSA signatures, RFC 2409 5.1 and 5.4.

    Initiator                                   Responder
    1  HDR, SA                          →
                                        ←       2  HDR, SA
    3  HDR, KE, Ni, [CERTREQ], NAT-D    →
                                        ←       4  HDR, KE, Nr, [CERTREQ], NAT-D
    5  HDR*, IDii, HASH_I               →
                                        ←       6  HDR*, IDir, HASH_R
    5  HDR*, IDii, [CERT,] SIG_I        →
                                        ←       6  HDR*, IDir, [CERT,] SIG_R

The responder asks who the peer is between 5 and 6, the initiator after 6; with signatures, each asks for its own
before it sends it. A peer that is refused learns it by a notification, and the exchange stays where it was: the
message may have been tampered with on its way, and the genuine one may still come. Where certificates are the reason,
which are the part that can be tampered with, the notification waits for it too.
"""

from dataclasses import replace

from ike_auth.authorization.requests import IdentifyPeer, PeerIdentified, Sign, Signed
from ike_auth.config.model import Peer
from ike_auth.crypto import groups
from ike_auth.crypto.groups import KeyShare
from ike_auth.effects import Report
from ike_auth.errors import InvalidCookie, InvalidKeyInformation, LocalError
from ike_auth.events import IkeSaUp, LegacyInUse, PeerRefused
from ike_auth.exchanges.steps import AddIkeSa, AnswerRow, Answers, Change, Local, Outcome, StartedAnew, State
from ike_auth.exchanges.v1 import informational, phase1
from ike_auth.exchanges.v1.chaining import Taken
from ike_auth.exchanges.v1.informational import Channel
from ike_auth.exchanges.v1.phase1 import Agreed, Halves
from ike_auth.exchanges.v1.protection import NOTHING, Protection
from ike_auth.exchanges.v1.table import ProtectedRow, Row, Table
from ike_auth.negotiation import phase1 as negotiation
from ike_auth.sa import Cookies, IkeSa
from ike_auth.suites import Phase1Suite
from ike_auth.values import value
from ike_auth.wire.header import NO_COOKIE, Header
from ike_auth.wire.legality import Step
from ike_auth.wire.messages import Encoded, Message, encode_payloads
from ike_auth.wire.numbers import AuthenticationMethod, ExchangeType, NotifyType
from ike_auth.wire.payloads import KeyExchange, NatDiscovery, Nonce, Payload
from ike_auth.wire.proposals import SecurityAssociation

_MAIN = ExchangeType.MAIN  # stands in each header
KEYS_DIFFER = "which most often means that the pre-shared keys differ"


@value
class Listening(State):
    """Responder, before message 1."""

    peer: Peer
    initiator_cookie: bytes


@value
class Offered(State):
    """Initiator, message 1 sent."""

    peer: Peer
    initiator_cookie: bytes
    offer: SecurityAssociation

    @property
    def awaits_message(self) -> bool:
        return True

    @property
    def ike_cookies(self) -> Cookies:
        return Cookies(self.initiator_cookie, NO_COOKIE)


@value
class Chosen(State):
    """Responder, message 2 sent."""

    peer: Peer
    cookies: Cookies
    suite: Phase1Suite
    sa_body: bytes
    nat_traversal: bool
    dpd: bool

    @property
    def ike_cookies(self) -> Cookies:
        return self.cookies


@value
class KeysOffered(State):
    """Initiator, message 3 sent."""

    peer: Peer
    cookies: Cookies
    suite: Phase1Suite
    sa_body: bytes
    discovery: tuple[NatDiscovery, ...]  # ours; empty: we do without
    dpd: bool
    share: KeyShare
    nonce: bytes

    @property
    def awaits_message(self) -> bool:
        return True

    @property
    def ike_cookies(self) -> Cookies:
        return self.cookies


@value
class SigningFirst(State):
    """Initiator, before message 5: our signature is asked for."""

    agreed: Agreed

    @property
    def ike_cookies(self) -> Cookies:
        return self.agreed.cookies


@value
class ProofAwaited(State):
    """Responder, message 4 sent; or initiator, message 5 sent."""

    agreed: Agreed
    protection: Protection

    @property
    def awaits_message(self) -> bool:
        return self.agreed.initiator

    @property
    def ike_cookies(self) -> Cookies:
        return self.agreed.cookies

    @property
    def port_may_change(self) -> bool:
        # The initiator moves to the port for NAT traversal with message 5 (RFC 3947 4).
        return self.agreed.nat.detected and not self.agreed.initiator


@value
class Identifying(State):
    """The peer holds the key that it should; who it is, is being asked. `before` is where a refusal leads back."""

    before: ProofAwaited
    taken: Taken
    following: Protection
    question: IdentifyPeer
    anew: bool  # the peer says that it has no other SA with us

    @property
    def ike_cookies(self) -> Cookies:
        return self.before.agreed.cookies


@value
class SigningLast(State):
    """Responder, before message 6: the peer is allowed, our signature is asked for."""

    agreed: Agreed
    taken: Taken
    following: Protection
    allowed: PeerIdentified
    anew: bool

    @property
    def ike_cookies(self) -> Cookies:
        return self.agreed.cookies


@value
class Established(State):
    """Both proofs have crossed. What is kept answers the peer's last message in another ciphertext (`chaining`)."""

    open = False

    sa: IkeSa
    taken: Taken
    answer: tuple[Payload, ...]  # message 6, if it is ours

    @property
    def ike_cookies(self) -> Cookies:
        return self.sa.cookies

    @property
    def protection(self) -> Protection:
        return self.taken.protection


def initiate(peer: Peer, local: Local) -> Outcome:
    """Message 1. Raises LocalError if there is nothing to offer."""
    cookie = local.random(phase1.COOKIE_SIZE)
    offer = negotiation.offer(peer)
    message = _clear(Cookies(cookie, NO_COOKIE), (offer,), phase1.OUR_VENDOR_IDS)
    return Outcome(Offered(peer, cookie, offer), send=message)


def _choose(state: Listening, message: Message, local: Local) -> Outcome:
    """Message 1 → 2."""
    offered = message.one(SecurityAssociation)
    answer, suite = negotiation.choose(offered, state.peer)
    cookies = Cookies(state.initiator_cookie, local.random(phase1.COOKIE_SIZE))
    following = Chosen(
        state.peer,
        cookies,
        suite,
        offered.raw,
        phase1.supports_nat_traversal(message),
        phase1.supports_dpd(message),
    )
    return Outcome(following, send=_clear(cookies, (answer,), phase1.OUR_VENDOR_IDS))


def _offer_keys(state: Offered, message: Message, local: Local) -> Outcome:
    """Message 2 → 3."""
    cookies = Cookies(state.initiator_cookie, message.header.responder_cookie)
    if cookies.responder in (NO_COOKIE, cookies.initiator):
        raise InvalidCookie("main mode 2: the responder's cookie is none, or ours")
    suite = negotiation.accept_choice(state.offer, message.one(SecurityAssociation))
    dpd = phase1.supports_dpd(message)
    share = groups.generate(suite.group, local.random)
    nonce = local.random(phase1.NONCE_SIZE)
    discovery = phase1.nat_discovery(suite, cookies, local) if phase1.supports_nat_traversal(message) else ()
    payloads = _keys(share, nonce, suite, discovery, local)
    following = KeysOffered(state.peer, cookies, suite, state.offer.raw, discovery, dpd, share, nonce)
    return Outcome(following, send=_clear(cookies, payloads))


def _answer_keys(state: Chosen, message: Message, local: Local) -> Outcome:
    """Message 3 → 4."""
    public, nonce_i = message.one(KeyExchange).data, message.one(Nonce).data
    share = groups.generate(state.suite.group, local.random)
    nonce = local.random(phase1.NONCE_SIZE)
    discovery = phase1.nat_discovery(state.suite, state.cookies, local) if state.nat_traversal else ()
    agreed = phase1.agree(
        state.peer,
        _MAIN,
        False,
        state.cookies,
        state.suite,
        state.sa_body,
        Halves(public, share.public, nonce_i, nonce),
        share.shared(public),
        phase1.nat_found(discovery, message, local.settings.encapsulate),
        state.dpd or phase1.supports_dpd(message),
    )
    payloads = _keys(share, nonce, state.suite, discovery, local)
    return Outcome(ProofAwaited(agreed, agreed.protection), send=_clear(state.cookies, payloads))


def _agree(state: KeysOffered, message: Message, local: Local) -> Outcome:
    """Message 4 → 5, or the question for our signature."""
    public, nonce_r = message.one(KeyExchange).data, message.one(Nonce).data
    if public == state.share.public:
        raise InvalidKeyInformation("main mode 4: our own public value came back")
    nat = phase1.nat_found(state.discovery, message, local.settings.encapsulate)
    agreed = phase1.agree(
        state.peer,
        _MAIN,
        True,
        state.cookies,
        state.suite,
        state.sa_body,
        Halves(state.share.public, public, state.nonce, nonce_r),
        state.share.shared(public),
        nat,
        state.dpd or phase1.supports_dpd(message),
    )
    identity = phase1.own_identity(state.peer, local.local)
    digest = phase1.own_hash(agreed, identity)
    if agreed.signs:
        return Outcome(SigningFirst(agreed), ask=Sign(identity, digest), to_nat_port=nat.detected)
    return _send_first_proof(agreed, phase1.preshared_proof(digest, identity), local)


def _signed_first(state: SigningFirst, answer: Signed, local: Local) -> Outcome:
    """Our signature → message 5."""
    return _send_first_proof(state.agreed, _signature_proof(state.agreed, answer, local), local)


def _send_first_proof(agreed: Agreed, payloads: tuple[Payload, ...], local: Local) -> Outcome:
    if local.is_first_contact(agreed.peer):
        # In front of what proves us, so that the last cipher block stays one that the proof covers.
        payloads = (*payloads[:-1], informational.contact(agreed.cookies), payloads[-1])
    sealed, following = agreed.protection.seal(_header(agreed.cookies), payloads)
    return Outcome(ProofAwaited(agreed, following), send=sealed, to_nat_port=agreed.nat.detected)


def _identify(state: ProofAwaited, message: Message, following: Protection, local: Local) -> Outcome:
    """Message 5 at the responder, 6 at the initiator → the question who the peer is."""
    question = phase1.check_proof(state.agreed, message, local)
    taken = Taken(state.protection, phase1.proof_of(message))
    return Outcome(Identifying(state, taken, following, question, phase1.starts_anew(message)), ask=question)


def _identified(state: Identifying, answer: PeerIdentified, local: Local) -> Outcome:
    """The answer → established, or our signature for message 6, or a refusal."""
    agreed, taken, following = state.before.agreed, state.taken, state.following
    if not answer.decision.allowed:
        return _refused(state, answer, local)
    if agreed.initiator:
        return _established(agreed, taken, following, answer, (), state.anew, local)
    identity = phase1.own_identity(agreed.peer, local.local)
    digest = phase1.own_hash(agreed, identity)
    if agreed.signs:
        return Outcome(SigningLast(agreed, taken, following, answer, state.anew), ask=Sign(identity, digest))
    proof = phase1.preshared_proof(digest, identity)
    return _established(agreed, taken, following, answer, proof, state.anew, local)


def _signed_last(state: SigningLast, answer: Signed, local: Local) -> Outcome:
    """Our signature → message 6."""
    proof = _signature_proof(state.agreed, answer, local)
    return _established(state.agreed, state.taken, state.following, state.allowed, proof, state.anew, local)


def _established(
    agreed: Agreed,
    taken: Taken,
    following: Protection,
    allowed: PeerIdentified,
    proof: tuple[Payload, ...],
    anew: bool,
    local: Local,
) -> Outcome:
    """The IKE SA, and with a proof of ours, message 6."""
    sealed, last = _answered(agreed.cookies, proof, following)
    sa = phase1.establish(agreed, allowed, last.iv, local)
    reports = [Report(IkeSaUp(sa))]
    legacy = phase1.legacy_in_use(agreed.suite)
    if legacy:
        reports.append(Report(LegacyInUse(agreed.peer.name, legacy)))
    changes: tuple[Change, ...] = (AddIkeSa(sa), StartedAnew(sa)) if anew else (AddIkeSa(sa),)
    return Outcome(Established(sa, taken, proof), send=sealed, after=tuple(reports), changes=changes)


def _proved_again(state: Established, message: Message, following: Protection, local: Local) -> Outcome:
    """The peer's last message in another ciphertext → message 6 chained from it, and the SA that goes with that."""
    state.taken.check_same(phase1.proof_of(message))
    sealed, last = _answered(state.sa.cookies, state.answer, following)
    return Outcome(state, send=sealed, changes=(AddIkeSa(replace(state.sa, last_block=last.iv)),))


def _answered(
    cookies: Cookies, proof: tuple[Payload, ...], protection: Protection
) -> tuple[bytes | None, Protection]:
    return protection.seal(_header(cookies), proof) if proof else (None, protection)


def _refused(state: Identifying, answer: PeerIdentified, local: Local) -> Outcome:
    agreed = state.before.agreed
    event = PeerRefused(agreed.peer.name, local.remote, state.question.identity, answer.decision)
    under = channel(agreed, state.following)
    told = [informational.refuse(under, NotifyType.AUTHENTICATION_FAILED, local.random)]
    if agreed.initiator:
        # The responder of message 6 has its SA already; real ones ignore the notification, and heed a delete.
        told.append(informational.delete_ike_sa(under, local.random))
    if answer.doubtful:
        return Outcome(state.before, doubts=tuple(told), after=(Report(event),), refused=True)
    return Outcome(state.before, notify=tuple(told), after=(Report(event),), refused=True)


def channel(agreed: Agreed, protection: Protection) -> Channel:
    """For informational messages before the IKE SA is there; `protection` is the one after the last message."""
    return Channel(agreed.cookies, agreed.suite, agreed.keys, protection.cipher, protection.iv)


def _signature_proof(agreed: Agreed, answer: Signed, local: Local) -> tuple[Payload, ...]:
    identity = phase1.own_identity(agreed.peer, local.local)
    own = local.settings.certificate_of(identity)
    if answer.signature is None or own is None:
        raise LocalError(f"{agreed.peer.where}: no certificate with a private key for our identity {identity}")
    return phase1.signature_proof(identity, answer.signature, own.chain)


def _keys(
    share: KeyShare, nonce: bytes, suite: Phase1Suite, discovery: tuple[NatDiscovery, ...], local: Local
) -> tuple[Payload, ...]:
    requests = phase1.certificate_requests(suite, local.settings.authorities)
    return (KeyExchange(share.public), Nonce(nonce), *requests, *phase1.announced(discovery, local))


def _header(cookies: Cookies) -> Header:
    return Header(cookies.initiator, cookies.responder, exchange=_MAIN)


def _clear(cookies: Cookies, payloads: tuple[Payload, ...], then: Encoded = NOTHING) -> bytes:
    return _header(cookies).datagram(*encode_payloads(payloads, then))


def _proof_of(initiator: bool, signs: bool) -> Step:
    """The message with which an end proves who it is."""
    if initiator:
        return Step.MAIN_5_SIG if signs else Step.MAIN_5_PSK
    return Step.MAIN_6_SIG if signs else Step.MAIN_6_PSK


def _proof_expected(state: ProofAwaited) -> Step:
    return _proof_of(not state.agreed.initiator, state.agreed.signs)


def _proof_repeated(state: Established) -> Step:
    return _proof_of(not state.sa.initiator, state.sa.suite.authentication == AuthenticationMethod.RSA_SIG)


def _why_unreadable(state: ProofAwaited) -> str:
    return "" if state.agreed.signs else KEYS_DIFFER


MESSAGES: Table = {
    Listening: (Row(Step.MAIN_1, _choose),),
    Offered: (Row(Step.MAIN_2, _offer_keys),),
    Chosen: (Row(Step.MAIN_3, _answer_keys),),
    KeysOffered: (Row(Step.MAIN_4, _agree),),
    ProofAwaited: (ProtectedRow(_proof_expected, _identify, _why_unreadable),),
    Established: (ProtectedRow(_proof_repeated, _proved_again),),
}
ANSWERS: Answers = {
    SigningFirst: AnswerRow(Signed, "our signature", _signed_first),
    Identifying: AnswerRow(PeerIdentified, "the peer's identity", _identified),
    SigningLast: AnswerRow(Signed, "our signature", _signed_last),
}


STATES = (Listening, Offered, Chosen, KeysOffered, SigningFirst, ProofAwaited, Identifying, SigningLast, Established)
