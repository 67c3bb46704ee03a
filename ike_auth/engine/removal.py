# SPDX-License-Identifier: ISC
"""Exchanges that come to nothing, IKE SAs and tunnels that end."""

from collections.abc import Iterable
from math import inf

from ike_auth.effects import Effect, RemoveSa, Report, SendDatagram
from ike_auth.engine import flows
from ike_auth.engine.core import (
    Core,
    Deadline,
    Doubt,
    IkeExpires,
    Keepalive,
    Probe,
    Renew,
    Resend,
    Retire,
    TunnelExpires,
)
from ike_auth.events import ExchangeFailed, IkeSaDown, TunnelDown
from ike_auth.exchange_table import Exchange
from ike_auth.sa import IkeSa, Tunnel

_REMARKS = 4  # kept of one exchange


def fail(core: Core, exchange: Exchange, why: str, *, tell: bool = True) -> list[Effect]:
    """An exchange came to nothing. `tell`: a peer that has its end of the tunnel up already does not know."""
    effects = list(exchange.state.abandoned())
    tunnel = exchange.state.pending_tunnel
    if tell and tunnel is not None:
        effects += _tell_of(core, tunnel)
    forget(core, exchange)
    if exchange.refused:
        return effects
    version, state = exchange.version, exchange.state
    what = " ".join((version.name(state), *exchange.connections))
    offered = version.offered(state)
    reasons = "; ".join((why, *((f"offered was {offered}",) if offered else ()), *exchange.remarks))
    core.reasons.update(dict.fromkeys(exchange.connections, reasons))
    identity = None if exchange.ike is None else exchange.ike.identity
    return [*effects, Report(ExchangeFailed(what, exchange.peer.name, exchange.remote, reasons, identity))]


def fail_or_forget(core: Core, exchange: Exchange, why: str) -> list[Effect]:
    """As `fail`, but an exchange that is finished is merely no longer remembered."""
    if exchange.state.open:
        return fail(core, exchange, why)
    forget(core, exchange)
    return []


def forget(core: Core, exchange: Exchange) -> None:
    """Drop an exchange without a word. The peer will get no repeated reply of it either."""
    core.exchanges.forget(exchange.id)
    core.timers.cancel(Deadline(exchange.id))
    core.timers.cancel(Resend(exchange.id))
    core.timers.cancel(Doubt(exchange.id))
    for spi in exchange.state.own_spis:
        if core.sas.tunnel_into(spi) is None:
            core.timers.cancel(Retire(spi))
    if exchange.question is not None:
        core.questions.pop(exchange.question, None)


def remark(exchange: Exchange, text: str) -> bool:
    """Keep what may explain it if nothing comes of the exchange. False if that is no news."""
    if text in exchange.remarks or len(exchange.remarks) == _REMARKS:
        return False
    exchange.remarks = (*exchange.remarks, text)
    return True


def remove_ike(core: Core, ike: IkeSa, why: str, tell: bool) -> list[Effect]:
    """An IKE SA ends, and with it what is under way under it; its tunnels stay. `tell`: the peer may not know."""
    effects: list[Effect] = []
    for variant in core.sas.variants(ike.cookies) if tell else ():
        told = core.version.delete_ike(variant, core.random)
        effects.append(SendDatagram(told, ike.local, ike.remote))
    core.sas.remove_ike(ike.cookies)
    core.timers.cancel(IkeExpires(ike.cookies))
    core.timers.cancel(Keepalive(ike.cookies))
    core.timers.cancel(Probe(ike.cookies))
    core.probes.pop(ike.cookies, None)
    for exchange in core.exchanges.under(ike.cookies):
        effects += fail_or_forget(core, exchange, f"its phase 1 is gone: {why}")
    return [*effects, Report(IkeSaDown(ike, why))]


def remove_tunnels(core: Core, tunnels: Iterable[Tunnel], why: str, tell: bool) -> list[Effect]:
    """Tunnels end. The peer can only be told if there is an IKE SA with it."""
    effects: list[Effect] = []
    for tunnel in tunnels:
        if tell:
            effects += _tell_of(core, tunnel)
        core.sas.remove_tunnel(tunnel)
        core.timers.cancel(TunnelExpires(tunnel.inbound[0].spi))
        core.timers.cancel(Renew(tunnel.inbound[0].spi))
        for sa in tunnel.inbound:
            core.timers.cancel(Retire(sa.spi))
        core.traffic.pop((tunnel.peer, tunnel.identity), None)
        if tunnel.connection is not None:
            core.reasons[tunnel.connection] = why
        exchange = core.exchanges.with_spi(tunnel.inbound[0].spi)
        if exchange is not None:
            forget(core, exchange)  # or a repeated message would have the peer bring up the tunnel again
        effects += flows.removed(core, tunnel)
        effects += [RemoveSa(sa) for sa in tunnel.sas]
        effects.append(Report(TunnelDown(tunnel, why)))
    return effects


def _tell_of(core: Core, tunnel: Tunnel) -> list[Effect]:
    """The delete of a tunnel, if there is an IKE SA to send it under."""
    ike = core.sas.ike_sas.get(tunnel.cookies) or core.sas.ike_with(tunnel.peer, -inf, tunnel.identity)
    if ike is None:
        return []
    told = core.version.delete_tunnels(ike, [tunnel], core.random)
    core.note_sent(ike.cookies, told)
    return [SendDatagram(told, ike.local, ike.remote)]
