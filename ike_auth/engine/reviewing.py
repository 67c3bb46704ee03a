# SPDX-License-Identifier: ISC
"""Asking once more whether what is up may be up: when policy, keys or authorities are others, or a certificate ends.

First who the peer is, by the same question as in Phase 1; then, for each of its tunnels, the same as in Phase 2. What
is denied goes, and the peer is told. So does what is not answered about in time: docs/decisions/0510-reloading.md
"""

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from ike_auth.authorization.requests import (
    Answer,
    AuthorizeTunnel,
    CertifiedKey,
    Decision,
    IdentifyPeer,
    IdentityRequest,
    PeerIdentified,
    Question,
    Sent,
    TunnelAuthorized,
)
from ike_auth.config.model import Peer
from ike_auth.crypto.secrets import Secret
from ike_auth.effects import Ask, Effect, QuestionId
from ike_auth.engine import removal
from ike_auth.engine.core import Core, IkeExpires, Reviewed, ReviewOverdue, TunnelExpires
from ike_auth.network import Now
from ike_auth.sa import IkeSa, Tunnel

PATIENCE = 10.0  # seconds for an answer
_NO_DECISION = Decision(False, "", "the answer holds no decision")
_NO_ANSWER = f"no answer within {PATIENCE:.0f} s"


def review_all(core: Core, now: Now) -> list[Effect]:
    """Everything that is up."""
    for question in tuple(core.reviews):
        _drop(core, question)
    return review(core, _all_requests(core), now)


def review_ended(core: Core, now: Now) -> list[Effect]:
    """Whatever the clock says that it has outlived its authorization: clocks are set, and then timers ring late."""
    over = [ike.authenticated for ike in core.sas.ike_sas.values() if _is_over(ike, now)]
    over += [tunnel.request.identity for tunnel in core.sas.tunnels if _is_over(tunnel, now)]
    return review(core, over, now)


def review(core: Core, requests: Iterable[IdentityRequest], now: Now) -> list[Effect]:
    """What is up by these authentications. The peer's section may have been written anew meanwhile."""
    effects: list[Effect] = []
    for request in dict.fromkeys(requests):
        peer = core.configuration.peers.get(request.peer.name)
        if peer is None:
            effects += _deny(core, request, f"peer `{request.peer.name}` is not configured")
            continue
        question = IdentifyPeer(
            peer, request.identity, _credential(request, peer), request.negotiation, _sent(request)
        )
        effects.append(_ask(core, request, question, now))
    return effects


def answered(core: Core, id: QuestionId, answer: Answer, now: Now) -> list[Effect]:
    """The answer to a question of ours."""
    about = _drop(core, id)
    if isinstance(about, IdentityRequest) and isinstance(answer, PeerIdentified):
        if answer.request is None or not answer.decision.allowed:
            return _deny(core, about, answer.decision.because)
        return _renewed(core, about, answer, now)
    if isinstance(about, bytes) and isinstance(answer, TunnelAuthorized):
        decision = answer.decisions[-1] if answer.decisions else _NO_DECISION
        if answer.chosen != 0 or not decision.allowed:
            return _deny(core, about, decision.because)
        tunnel = core.sas.tunnel_into(about)
        if tunnel is not None:
            core.sas.change_tunnel(replace(tunnel, because=decision.because))
        return []
    return _deny(core, about, f"answered by {type(answer).__name__}")


def overdue(core: Core, id: QuestionId) -> list[Effect]:
    """Nobody has answered."""
    return _deny(core, _drop(core, id), _NO_ANSWER) if id in core.reviews else []


def _renewed(core: Core, before: IdentityRequest, answer: PeerIdentified, now: Now) -> list[Effect]:
    """The peer may be who it is; what may it have?"""
    assert answer.request is not None
    left = None if answer.expires is None else (answer.expires - now.utc).total_seconds()
    end = None if left is None else now.monotonic + left
    for ike in [ike for ike in core.sas.ike_sas.values() if ike.authenticated == before]:
        expires = ike.expires if end is None else min(ike.expires, end)
        change = partial(
            replace,
            authenticated=answer.request,
            peer=answer.request.peer,
            authorization_ends=answer.expires,
            expires=expires,
        )
        core.sas.change_ike(ike.cookies, change)
        core.timers.set(IkeExpires(ike.cookies), expires)
        for exchange in core.exchanges.under(ike.cookies):
            if exchange.ike is not None:
                exchange.ike = change(exchange.ike)
    effects: list[Effect] = []
    for tunnel in [tunnel for tunnel in core.sas.tunnels if tunnel.request.identity == before]:
        expires = tunnel.expires if end is None else min(tunnel.expires, end)
        request = replace(tunnel.request, identity=answer.request)
        core.sas.change_tunnel(replace(tunnel, request=request, authorization_ends=answer.expires, expires=expires))
        core.timers.set(TunnelExpires(tunnel.inbound[0].spi), expires)
        effects.append(_ask(core, tunnel.inbound[0].spi, AuthorizeTunnel((request,)), now))
    return effects


def _deny(core: Core, about: Reviewed, because: str) -> list[Effect]:
    why = f"no longer authorized: {because}"
    if isinstance(about, bytes):
        tunnel = core.sas.tunnel_into(about)
        return [] if tunnel is None else removal.remove_tunnels(core, [tunnel], why, tell=True)
    tunnels = [tunnel for tunnel in core.sas.tunnels if tunnel.request.identity == about]
    effects = removal.remove_tunnels(core, tunnels, why, tell=True)
    for ike in [ike for ike in core.sas.ike_sas.values() if ike.authenticated == about]:
        effects += removal.remove_ike(core, ike, why, tell=True)
    return effects


def _ask(core: Core, about: Reviewed, question: Question, now: Now) -> Effect:
    id = core.new_review(about)
    core.timers.set(ReviewOverdue(id), now.monotonic + PATIENCE)
    return Ask(id, question)


def _drop(core: Core, id: QuestionId) -> Reviewed:
    core.timers.cancel(ReviewOverdue(id))
    return core.reviews.pop(id)


def _all_requests(core: Core) -> list[IdentityRequest]:
    of_ike = [ike.authenticated for ike in core.sas.ike_sas.values()]
    return of_ike + [tunnel.request.identity for tunnel in core.sas.tunnels]


def _credential(request: IdentityRequest, peer: Peer) -> Secret | tuple[bytes, ...]:
    """What the peer has proved that it has. Its section has the same key still, or its SAs would be gone."""
    if isinstance(request.proof, CertifiedKey):
        leaf, *rest = request.proof.chain.certificates
        return (leaf.der, *(certificate.der for certificate in rest[:-1]))
    return request.proof.key


def _sent(request: IdentityRequest) -> Sent:
    return request.proof.sent if isinstance(request.proof, CertifiedKey) else Sent()


def _is_over(sa: IkeSa | Tunnel, now: Now) -> bool:
    return sa.authorization_ends is not None and sa.authorization_ends <= now.utc
