# SPDX-License-Identifier: ISC
"""IKEv1 as the engine sees it: which table takes which message."""

from collections.abc import Iterable

from ike_auth.authorization.requests import Answer, TunnelRequest
from ike_auth.config.model import Connection, Peer
from ike_auth.errors import IkeError, InvalidExchangeType, InvalidMessageId, PeerError
from ike_auth.exchanges import steps
from ike_auth.exchanges.steps import Local, Outcome, Random, State
from ike_auth.exchanges.v1 import informational, main_mode, quick_mode, table
from ike_auth.exchanges.v1.informational import Channel
from ike_auth.exchanges.version import Route
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.wire.header import Header
from ike_auth.wire.numbers import ExchangeType, NotifyType, ProtocolId

_MESSAGES = {**main_mode.MESSAGES, **quick_mode.MESSAGES, **informational.MESSAGES}
_EXCHANGES = {
    **dict.fromkeys(main_mode.MESSAGES, ExchangeType.MAIN),
    **dict.fromkeys(quick_mode.MESSAGES, ExchangeType.QUICK),
    **dict.fromkeys(informational.MESSAGES, ExchangeType.INFORMATIONAL),
}
_ANSWERS = {**main_mode.ANSWERS, **quick_mode.ANSWERS}
# Of each message it is asked where it belongs, and to find a member in its class takes five times as long as this.
_INFORMATIONAL, _QUICK = ExchangeType.INFORMATIONAL, ExchangeType.QUICK
_IKE, _CHILD = Route.IKE, Route.CHILD
# What a first message may be answered with; anything else would tell strangers too much, or serve to amplify.
_TOLD = {NotifyType.NO_PROPOSAL_CHOSEN, NotifyType.INVALID_EXCHANGE_TYPE}


class IkeV1:
    """RFC 2409. Aggressive mode is not here yet; its table goes beside main mode's, on `phase1`."""

    def accept_ike(self, header: Header, peer: Peer) -> State:
        if header.exchange != peer.exchange or header.exchange != ExchangeType.MAIN:
            raise InvalidExchangeType(f"{header.exchange} from a peer configured for {peer.exchange}")
        if header.message_id:
            raise InvalidMessageId(f"message id {header.message_id:08x} in phase 1")
        return main_mode.Listening(peer, header.initiator_cookie)

    def accept_child(self, header: Header, ike: IkeSa) -> State:
        if not header.message_id:
            raise InvalidMessageId("no message id in phase 2")
        if header.exchange == ExchangeType.QUICK:
            return quick_mode.listen(ike, header.message_id)
        if header.exchange == ExchangeType.INFORMATIONAL:
            return informational.listen(ike, header.message_id)
        raise InvalidExchangeType(f"{header.exchange} under an IKE SA")

    def initiate_ike(self, peer: Peer, local: Local) -> Outcome:
        return main_mode.initiate(peer, local)

    def initiate_child(self, ike: IkeSa, connection: Connection, local: Local) -> Outcome:
        return quick_mode.initiate(ike, connection, local)

    def advance(self, state: State, header: Header, data: bytes, local: Local) -> Outcome:
        if header.exchange != _EXCHANGES.get(type(state), header.exchange):
            raise InvalidExchangeType(f"{header.exchange} in {_EXCHANGES[type(state)]}")
        return table.advance(_MESSAGES, state, header, data, local)

    def answer(self, state: State, answer: Answer, local: Local) -> Outcome:
        return steps.answer(state, answer, local, _ANSWERS)

    def message_id(self, state: State) -> int:
        assert isinstance(state, quick_mode.Offered)
        return state.message_id

    def tunnel_requests(self, state: State) -> tuple[TunnelRequest, ...]:
        return state.question.requests if isinstance(state, quick_mode.OfferAsked | quick_mode.ChoiceAsked) else ()

    def route(self, header: Header, under_ike: bool) -> Route:
        if header.exchange == _INFORMATIONAL and not (under_ike and header.encrypted):
            return Route.HINT
        return _CHILD if header.message_id or header.exchange == _QUICK else _IKE

    def hints(self, state: State | None, header: Header, data: bytes) -> tuple[str, ...]:
        if header.encrypted and isinstance(state, main_mode.ProofAwaited):
            return _protected_hints(state, header, data)
        return tuple(str(kind) for kind in informational.hints(header, data))

    def refusal(self, header: Header, error: IkeError, random: Random) -> bytes | None:
        if not isinstance(error, PeerError) or error.notify not in _TOLD:
            return None
        cookies = Cookies(header.initiator_cookie, header.responder_cookie)
        return informational.notify_clear(cookies, error.notify, random)

    def delete_ike(self, ike: IkeSa, random: Random) -> bytes:
        return informational.delete_ike_sa(Channel.of(ike), random)

    def delete_tunnels(self, ike: IkeSa, tunnels: Iterable[Tunnel], random: Random) -> bytes:
        return informational.delete_ipsec_sas(ike, [sa for t in tunnels for sa in t.inbound], random)

    def delete_spi(self, ike: IkeSa, spi: bytes, random: Random) -> bytes:
        return informational.delete_spi(ike, ProtocolId.ESP, spi, random)

    def probe(self, ike: IkeSa, sequence: int, random: Random) -> bytes:
        return informational.probe(ike, sequence, random)

    def initial_contact(self, ike: IkeSa, random: Random) -> bytes:
        return informational.initial_contact(ike, random)

    def name(self, state: State) -> str:
        return "main mode" if isinstance(state, main_mode.STATES) else "quick mode"

    def awaited(self, state: State) -> str:
        return table.expected(_MESSAGES, state) or f"answer about {_ANSWERS[type(state)].about}"

    def why_silent(self, state: State) -> str:
        if isinstance(state, main_mode.ProofAwaited) and not state.agreed.signs:
            return "perhaps the pre-shared keys differ: then the peer cannot read what we sent"
        return ""

    def offered(self, state: State) -> str:
        match state:
            case main_mode.Offered():
                return ", ".join(transform.name for transform in state.peer.transforms)
            case quick_mode.Offered():
                suites = ", ".join(suite.name for suite in state.connection.suites)
                return f"{suites} for {state.local} ↔ {state.remote}"
            case _:
                return ""


def _protected_hints(state: main_mode.ProofAwaited, header: Header, data: bytes) -> tuple[str, ...]:
    """A peer with another pre-shared key complains under keys that we do not have."""
    channel = main_mode.channel(state.agreed, state.protection)
    try:
        return tuple(str(kind) for kind in informational.protected_hints(channel, header, data))
    except PeerError:
        if state.agreed.signs:
            raise
        return (f"what we cannot read, {main_mode.KEYS_DIFFER}",)
