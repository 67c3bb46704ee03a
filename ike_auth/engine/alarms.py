# SPDX-License-Identifier: ISC
"""What is done when a timer rings."""

from ike_auth.effects import Effect, SendDatagram, SendKeepalive
from ike_auth.engine import connections, fragments, liveness, removal, reviewing, traffic
from ike_auth.engine.commit import arm_resend
from ike_auth.engine.core import (
    Alarm,
    Check,
    Core,
    Deadline,
    Doubt,
    FragmentsStale,
    IkeExpires,
    Keepalive,
    Probe,
    Renew,
    Resend,
    Retire,
    ReviewOverdue,
    TunnelExpires,
)
from ike_auth.exchange_table import Exchange
from ike_auth.network import Now


def ring(core: Core, alarm: Alarm, now: Now) -> list[Effect]:
    """What an alarm is about may be gone by now."""
    match alarm:
        case Deadline(id):
            exchange = core.exchanges.get(id)
            return [] if exchange is None else _deadline(core, exchange)
        case Resend(id):
            exchange = core.exchanges.get(id)
            return [] if exchange is None else _resend(core, exchange, now)
        case Doubt(id):
            exchange = core.exchanges.get(id)
            return [] if exchange is None else _doubt(exchange)
        case IkeExpires(cookies):
            ike = core.sas.ike_sas.get(cookies)
            return [] if ike is None else removal.remove_ike(core, ike, "expired", tell=True)
        case TunnelExpires(spi):
            tunnel = core.sas.tunnel_into(spi)
            return [] if tunnel is None else removal.remove_tunnels(core, [tunnel], "expired", tell=True)
        case Keepalive():
            return _keepalive(core, alarm, now)
        case FragmentsStale(cookies):
            fragments.forget(core, cookies)
            return []
        case Renew(spi):
            tunnel = core.sas.tunnel_into(spi)
            return [] if tunnel is None else connections.renew(core, tunnel, now)
        case Retire(spi):
            return traffic.retire(core, spi, now)
        case Probe(cookies):
            ike = core.sas.ike_sas.get(cookies)
            return [] if ike is None else liveness.ring(core, ike, now)
        case ReviewOverdue(question):
            return reviewing.overdue(core, question)
        case Check():
            return connections.check(core, now)


def _deadline(core: Core, exchange: Exchange) -> list[Effect]:
    if not exchange.state.open:
        removal.forget(core, exchange)
        return []
    seconds = core.configuration.general.exchange_max_time
    return _give_up(core, exchange, f"within {seconds} s")


def _resend(core: Core, exchange: Exchange, now: Now) -> list[Effect]:
    message, attempts = exchange.retransmission.message, exchange.retransmission.sent
    if message is None:
        return []
    if attempts > core.configuration.general.retransmits:
        return _give_up(core, exchange, f"after {attempts} attempts")
    exchange.retransmission = exchange.retransmission.again()
    arm_resend(core, exchange, now)
    if guess := exchange.version.why_silent(exchange.state):
        removal.remark(exchange, guess)
        so_far = f"no {exchange.version.awaited(exchange.state)} so far; {guess}"
        core.reasons.update(dict.fromkeys(exchange.connections, so_far))
    return [SendDatagram(message, exchange.local, exchange.remote)]


def _doubt(exchange: Exchange) -> list[Effect]:
    doubts, exchange.doubts = exchange.doubts, ()
    return [SendDatagram(data, exchange.local, exchange.remote) for data in doubts]


def _give_up(core: Core, exchange: Exchange, when: str) -> list[Effect]:
    """If the peer has been silent since we began, it may have lost the IKE SA: the next attempt makes a new one. One
    behind a NAT may only be out of our reach."""
    effects = removal.fail(core, exchange, f"no {exchange.version.awaited(exchange.state)} {when}")
    ike = core.sas.ike_sas.get(exchange.cookies)
    if ike is not None and exchange.initiator and ike.heard <= exchange.began and not ike.nat.remote:
        effects += removal.remove_ike(core, ike, "the peer does not answer under it", tell=True)
    return effects


def _keepalive(core: Core, alarm: Keepalive, now: Now) -> list[Effect]:
    ike = core.sas.ike_sas.get(alarm.cookies)
    if ike is None:
        return []
    core.timers.set(alarm, now.monotonic + core.configuration.general.nat_keepalive)
    return [SendKeepalive(ike.local, ike.remote)]
