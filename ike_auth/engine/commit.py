# SPDX-License-Identifier: ISC
"""What a step led to becomes true: tables, timers and, in their order, effects. Exchanges of our own begin here too.

From `commit` on nothing raises.
"""

from dataclasses import replace

from ike_auth.config.model import Peer
from ike_auth.effects import Ask, Effect, Report, SendDatagram
from ike_auth.engine import contact, flows, lacking, liveness, removal, renewal, reviewing
from ike_auth.engine.core import Core, Deadline, Doubt, IkeExpires, Keepalive, Resend, TunnelExpires
from ike_auth.errors import IkeError
from ike_auth.events import ExchangeFailed, PeerNotified, PeerRefused, TunnelRefused, said
from ike_auth.exchange_table import Exchange, FirstMessage
from ike_auth.exchanges.steps import (
    Acknowledged,
    AddIkeSa,
    AddTunnel,
    Change,
    DeleteIkeSa,
    DeleteTunnels,
    FailPhase2,
    Outcome,
    StartedAnew,
)
from ike_auth.network import Endpoint, IPAddress, Now
from ike_auth.retransmission import Retransmission
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.wire.numbers import NotifyType

PATIENCE = 10.0  # seconds for a better message after a doubtful one: peers repeat theirs within 4 to 10
_FAILURES = (PeerRefused, TunnelRefused, ExchangeFailed)
MAX_LIKE_TUNNELS = 4  # for the same traffic: crossing exchanges make two, renegotiation makes more for a while


def commit(
    core: Core,
    exchange: Exchange,
    outcome: Outcome,
    now: Now,
    received: bytes = b"",
    between: tuple[Endpoint, Endpoint] | None = None,
) -> list[Effect]:
    """Make the outcome of a step of this exchange true. `received` is the digest of the message that it took, and
    `between` which ends of ours and the peer's that came; without these it is still about the last."""
    state, before = outcome.state, exchange.retransmission
    if received:
        exchange.received = received
    if between is not None:
        exchange.local, exchange.remote = between
    if outcome.to_nat_port:
        _to_nat_port(core, exchange)
    core.exchanges.lead(exchange, state, confirmed=between is not None)
    if outcome.ask is not None:
        exchange.question = question = core.new_question(exchange.id)
        if before.message is not None:
            core.timers.cancel(Resend(exchange.id))
        return [Ask(question, outcome.ask)]
    sent = outcome.notify if outcome.send is None else (*outcome.notify, outcome.send)
    exchange.question = None
    exchange.retransmission = after = _remembered(before, exchange.received, outcome, sent)
    if outcome.refused:
        exchange.refused = True
    if outcome.doubts or not state.open:
        exchange.doubts = outcome.doubts
    if outcome.doubts:
        core.timers.set(Doubt(exchange.id), now.monotonic + PATIENCE)
    if before.message is not None or after.message is not None:
        arm_resend(core, exchange, now)
    effects = [*outcome.before]
    for data in sent:
        core.note_sent(exchange.cookies, data)
        effects.append(SendDatagram(data, exchange.local, exchange.remote))
    if outcome.after:
        effects += outcome.after
        if exchange.connections:
            _note_reasons(core, exchange, outcome)
    for change in outcome.changes:
        effects += _apply(core, change, exchange, now)
    return effects


def begin_ike(core: Core, peer: Peer, address: IPAddress, connections: tuple[str, ...], now: Now) -> list[Effect]:
    """Make an IKE SA with a peer, and under it these connections."""
    remote = Endpoint(address, peer.port)
    try:
        local = Endpoint(peer.local_address or core.source_address(address), core.ports.ike)
        outcome = core.version.initiate_ike(peer, core.local(local, remote, now))
    except IkeError as error:
        core.reasons.update(dict.fromkeys(connections, str(error)))
        return [Report(ExchangeFailed("main mode", peer.name, remote, str(error)))]
    exchange = new_exchange(core, outcome, peer, local, remote, None, now, initiator=True, connections=connections)
    return commit(core, exchange, outcome, now)


def begin_child(core: Core, ike: IkeSa, connection: str, now: Now) -> list[Effect]:
    """Make a tunnel under an IKE SA."""
    wanted = core.configuration.connections[connection]
    try:
        outcome = core.version.initiate_child(ike, wanted, core.local(ike.local, ike.remote, now))
    except IkeError as error:
        core.reasons[connection] = str(error)
        what = f"quick mode {connection}"
        return [Report(ExchangeFailed(what, ike.peer.name, ike.remote, str(error), ike.identity))]
    begun = new_exchange(
        core,
        outcome,
        ike.peer,
        ike.local,
        ike.remote,
        ike,
        now,
        initiator=True,
        message_id=core.version.message_id(outcome.state),
        connections=(connection,),
    )
    return commit(core, begun, outcome, now)


def new_exchange(
    core: Core,
    outcome: Outcome,
    peer: Peer,
    local: Endpoint,
    remote: Endpoint,
    ike: IkeSa | None,
    now: Now,
    *,
    initiator: bool = False,
    message_id: int = 0,
    connections: tuple[str, ...] = (),
    first_message: FirstMessage | None = None,
) -> Exchange:
    """An exchange that one step has been taken of, which is to be committed next."""
    id = core.exchanges.new_id()
    core.timers.set(Deadline(id), now.monotonic + core.configuration.general.exchange_max_time)
    cookies = ike.cookies if ike is not None else outcome.state.ike_cookies
    assert cookies is not None
    exchange = Exchange(
        id,
        core.version,
        outcome.state,
        peer,
        local,
        remote,
        initiator,
        now.monotonic,
        cookies,
        ike,
        message_id,
        connections,
        first_message,
    )
    core.exchanges.add(exchange)
    return exchange


def arm_resend(core: Core, exchange: Exchange, now: Now) -> None:
    """Wake when what was sent last has to be sent again."""
    if exchange.state.awaits_message and exchange.retransmission.message is not None:
        core.timers.set(Resend(exchange.id), now.monotonic + exchange.retransmission.delay)
    else:
        core.timers.cancel(Resend(exchange.id))


def _remembered(
    retransmission: Retransmission, received: bytes, outcome: Outcome, sent: tuple[bytes, ...]
) -> Retransmission:
    """For the same bytes the same reply; and what is sent once more if nothing comes."""
    if not outcome.state.open:
        return Retransmission.final(received, sent)
    if received:
        retransmission = retransmission.answered(received, sent)
    message = outcome.send if outcome.state.awaits_message else None
    nothing_new = outcome.send is None or (message is None and retransmission.message is None)
    return retransmission if nothing_new else retransmission.awaiting(message)


def _apply(core: Core, change: Change, exchange: Exchange, now: Now) -> list[Effect]:
    match change:
        case AddIkeSa(sa):
            return _add_ike(core, sa, exchange, now)
        case AddTunnel(tunnel):
            return _add_tunnel(core, tunnel, exchange, now)
        case DeleteIkeSa(cookies, why):
            ike = core.sas.ike_sas.get(cookies)
            return [] if ike is None else removal.remove_ike(core, ike, why, tell=False)
        case DeleteTunnels():
            return _delete_tunnels(core, change)
        case FailPhase2():
            return _fail_phase_2(core, change, exchange, now)
        case StartedAnew(ike):
            return contact.started_anew(core, ike, now)
        case Acknowledged():
            return liveness.acknowledged(core, change, now)


def _add_ike(core: Core, sa: IkeSa, exchange: Exchange, now: Now) -> list[Effect]:
    """A new IKE SA or, as long as the peer has not used it, a variant: what waits for it begins under either."""
    known = core.sas.ike_sas.get(sa.cookies)
    if not core.sas.add_ike(sa if known is None else replace(known, last_block=sa.last_block)):
        return []
    if known is None:
        core.timers.set(IkeExpires(sa.cookies), sa.expires)
        if sa.nat.local:
            keepalive = core.configuration.general.nat_keepalive
            core.timers.set(Keepalive(sa.cookies), now.monotonic + keepalive)
        liveness.watch(core, sa, now)
    effects: list[Effect] = []
    if exchange.initiator:
        effects += contact.made(core, core.sas.ike_sas[sa.cookies])
    if exchange.began <= core.reloaded:
        effects += reviewing.review(core, [sa.authenticated], now)
    for connection in exchange.connections:
        effects += begin_child(core, core.sas.ike_sas[sa.cookies], connection, now)
    return effects


def _add_tunnel(core: Core, tunnel: Tunnel, exchange: Exchange, now: Now) -> list[Effect]:
    """A new tunnel. What was allowed before the configuration changed is looked at again."""
    core.sas.add_tunnel(tunnel)
    core.timers.set(TunnelExpires(tunnel.inbound[0].spi), tunnel.expires)
    renewal.watch(core, tunnel)
    like = core.sas.tunnels_like(tunnel)
    effects = flows.added(tunnel, like)
    surplus = like[:-MAX_LIKE_TUNNELS]
    effects += removal.remove_tunnels(core, surplus, "replaced by newer ones", tell=True)
    if exchange.began <= core.reloaded:
        effects += reviewing.review(core, [tunnel.request.identity], now)
    return effects


def _delete_tunnels(core: Core, change: DeleteTunnels) -> list[Effect]:
    """The SPIs are the peer's own, so another peer may have the same ones."""
    ike, effects = change.ike, list[Effect]()
    for spi in change.spis:
        theirs = [t for t in core.sas.tunnels_out(change.protocol, spi) if _belongs(t, ike)]
        effects += removal.remove_tunnels(core, theirs, "deleted by the peer", tell=False)
        for exchange in _unfinished(core, ike):
            if spi in exchange.state.peer_spis:
                effects += removal.fail(core, exchange, "deleted by the peer", tell=False)
    return effects


def _fail_phase_2(core: Core, change: FailPhase2, exchange: Exchange, now: Now) -> list[Effect]:
    unfinished = _unfinished(core, change.ike)
    if change.spi is None:
        ours = [e for e in unfinished if e.initiator]
        refused = ours if len(ours) == 1 else []
    else:
        refused = [e for e in unfinished if change.spi in e.state.own_spis + e.state.peer_spis]
    if not refused:
        for waiting in unfinished:
            removal.remark(waiting, f"the peer said {said(change.notify)}")
        effects: list[Effect] = [Report(PeerNotified(change.ike.peer.name, exchange.remote, change.notify))]
        if change.spi is not None and change.notify == str(NotifyType.INVALID_SPI):
            effects += lacking.lacked(core, change.ike, change.spi, now)
        return effects
    why = f"the peer says {said(change.notify)}"
    return [effect for exchange in refused for effect in removal.fail(core, exchange, why, tell=False)]


def _unfinished(core: Core, ike: IkeSa) -> list[Exchange]:
    return [e for e in core.exchanges.under(ike.cookies) if e.ike is not None and e.state.open]


def _belongs(tunnel: Tunnel, ike: IkeSa) -> bool:
    return tunnel.peer == ike.peer.name and tunnel.identity == ike.identity


def _to_nat_port(core: Core, exchange: Exchange) -> None:
    """RFC 3947 4. A peer that speaks from another port than its configured one has moved already."""
    local, remote = exchange.local, exchange.remote
    exchange.local = Endpoint(local.host, core.ports.nat)
    if remote.port in (exchange.peer.port, core.ports.ike):
        exchange.remote = Endpoint(remote.host, core.ports.nat)


def _note_reasons(core: Core, exchange: Exchange, outcome: Outcome) -> None:
    """What has to be said of an attempt of ours that comes to nothing."""
    for effect in outcome.after:
        if isinstance(effect, Report) and isinstance(effect.event, _FAILURES):
            core.reasons.update(dict.fromkeys(exchange.connections, str(effect.event)))
