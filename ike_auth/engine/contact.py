# SPDX-License-Identifier: ISC
"""INITIAL-CONTACT, RFC 2407 4.6.3.3: who has no SAs with a peer says so, and the peer drops those that it still has.

It is said by whoever begins, in message 5, where some peers want it, and in an exchange of its own, where others do.
What is dropped is older than the exchange that made the announcing IKE SA, and of the same peer:
docs/decisions/0509-after-a-crash.md.
"""

from ike_auth.effects import Effect, SendDatagram
from ike_auth.engine import removal
from ike_auth.engine.core import Core
from ike_auth.engine.parties import ike_sas_of, party, tunnels_of
from ike_auth.network import Now
from ike_auth.sa import IkeSa

ANEW = "the peer has started anew"


def made(core: Core, ike: IkeSa) -> list[Effect]:
    """We have made an IKE SA, or a variant of one: the peer has it already. If there is nothing that the peer must
    not drop, it is told."""
    if core.contacted.setdefault(party(ike), ike.cookies) != ike.cookies or not ike.peer.initial_contact:
        return []
    there = {other.cookies for other in ike_sas_of(core, ike)} | {tunnel.cookies for tunnel in tunnels_of(core, ike)}
    if there - {ike.cookies}:
        return []
    message = core.version.initial_contact(ike, core.random)
    core.note_sent(ike.cookies, message)
    return [SendDatagram(message, ike.local, ike.remote)]


def started_anew(core: Core, ike: IkeSa, now: Now) -> list[Effect]:
    """The peer says that it has no other SA with us. It means those from before it began this one: whatever came up
    since has crossed with what it says. What is configured to be up is begun again at once."""
    making = core.exchanges.making(ike.cookies)
    began = ike.established if making is None else making.began
    tunnels = [t for t in tunnels_of(core, ike) if t.cookies != ike.cookies and t.established < began]
    effects = removal.remove_tunnels(core, tunnels, ANEW, tell=False)
    for other in ike_sas_of(core, ike):
        if other.cookies != ike.cookies and other.established < began:
            effects += removal.remove_ike(core, other, ANEW, tell=False)
    if effects:
        core.check_soon(now)
    return effects
