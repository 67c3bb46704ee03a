# SPDX-License-Identifier: ISC
"""Dead peer detection, RFC 3706: a peer that is silent is asked whether it is there, and gone if it does not answer.

Anything that the peer has authenticated counts as a sign of life, and so does traffic that the kernel has verified.
Without `DPD-check-interval` a peer is asked only after a hint that it has lost its SAs, which nobody vouches for.
"""

from dataclasses import replace

from ike_auth.effects import Effect, SendDatagram
from ike_auth.engine import removal
from ike_auth.engine.core import Core, Probe, Probing
from ike_auth.engine.parties import ike_sas_of, party, tunnels_of
from ike_auth.exchanges.steps import Acknowledged
from ike_auth.network import Now
from ike_auth.sa import IkeSa

REPEAT = 5.0  # seconds; isakmpd's, as is the number
MOST_PROBES = 5
COURTESY = 1.0  # seconds that the responder of an IKE SA asks later
HINT_INTERVAL = 10.0  # seconds between two times that hints make us ask
DEAD = f"the peer is dead: it has not answered {MOST_PROBES} probes"
_FIRST_SEQUENCES = 0x7FFFFFFF  # RFC 3706 5.3: the first number is random, and its topmost bit is not set


def watch(core: Core, ike: IkeSa, now: Now) -> None:
    """Ask the peer of this IKE SA when it has been silent for the interval, if there is one."""
    if core.configuration.general.dpd_interval and ike.dpd:
        core.timers.set(Probe(ike.cookies), max(now.monotonic, _due(core, ike)))
    else:
        core.timers.cancel(Probe(ike.cookies))


def ring(core: Core, ike: IkeSa, now: Now) -> list[Effect]:
    """The peer may have been silent for the interval, or for one repetition."""
    probing = core.probes.get(ike.cookies)
    if probing is None or not probing.sent:
        if now.monotonic < _due(core, ike):
            watch(core, ike, now)
            return []
        return _ask(core, ike, now)
    if _heard(core, ike) > probing.since:
        core.probes[ike.cookies] = Probing(probing.sequence, since=probing.since)
        watch(core, ike, now)
        return []
    return _ask(core, ike, now) if probing.sent < MOST_PROBES else _dead(core, ike, probing, now)


def suspect(core: Core, ike: IkeSa, now: Now) -> list[Effect]:
    """Somebody, perhaps the peer, says that the peer has lost its SAs: it is asked at once."""
    probing = core.probes.get(ike.cookies, Probing(0))
    if not ike.dpd or probing.sent or now.monotonic < probing.since + HINT_INTERVAL:
        return []
    return _ask(core, ike, now)


def acknowledged(core: Core, change: Acknowledged, now: Now) -> list[Effect]:
    """The peer has answered. A wrong number answers nothing, and may have been under way for long."""
    ike = core.sas.ike_sas.get(change.ike.cookies)
    if ike is None:
        return []
    probing = core.probes.get(ike.cookies)
    if probing is None or not probing.sent or change.sequence != probing.sequence:
        core.counters["wrong DPD acknowledgement"] += 1
        core.sas.change_ike(ike.cookies, lambda sa: replace(sa, heard=change.ike.heard))
        return []
    core.probes[ike.cookies] = Probing(probing.sequence, since=probing.since)
    watch(core, ike, now)
    return []


def _ask(core: Core, ike: IkeSa, now: Now) -> list[Effect]:
    """The first time with the next number, then again with the same one."""
    probing = core.probes.get(ike.cookies)
    if probing is None:
        probing = Probing(int.from_bytes(core.random(4), "big") & _FIRST_SEQUENCES)
    if not probing.sent:
        probing = Probing(probing.sequence + 1 & 0xFFFFFFFF, since=now.monotonic)
    core.probes[ike.cookies] = Probing(probing.sequence, probing.sent + 1, probing.since)
    core.timers.set(Probe(ike.cookies), now.monotonic + REPEAT)
    effects: list[Effect] = []
    for variant in core.sas.variants(ike.cookies):
        message = core.version.probe(variant, probing.sequence, core.random)
        core.note_sent(ike.cookies, message)
        effects.append(SendDatagram(message, ike.local, ike.remote))
    return effects


def _dead(core: Core, ike: IkeSa, probing: Probing, now: Now) -> list[Effect]:
    """Its SAs go without a word, and what is configured to be up is begun again at once. A peer that was heard of
    under another IKE SA meanwhile has lost this one only."""
    sas = ike_sas_of(core, ike)
    if any(other.heard > probing.since for other in sas):
        return removal.remove_ike(core, ike, "the peer does not answer under it", tell=False)
    effects = removal.remove_tunnels(core, tunnels_of(core, ike), DEAD, tell=False)
    for other in sas:
        effects += removal.remove_ike(core, other, DEAD, tell=False)
    core.contacted.pop(party(ike), None)
    core.check_soon(now)
    return effects


def _due(core: Core, ike: IkeSa) -> float:
    """When the peer is to be asked. Whoever asks first has shown that it is there, so one end goes ahead."""
    interval = core.configuration.general.dpd_interval
    return _heard(core, ike) + interval + (0.0 if ike.initiator else COURTESY)


def _heard(core: Core, ike: IkeSa) -> float:
    return max(ike.heard, core.traffic.get(party(ike), ike.heard))
