# SPDX-License-Identifier: ISC
"""INVALID-SPI under an IKE SA: the peer itself says that it does not have an SA into which we send.

A packet may have come to it before the message that makes the SA there, so a tunnel that can be renewed is, and the
old one goes as any other that is renewed: docs/decisions/0509-after-a-crash.md.
"""

from ike_auth.effects import Effect
from ike_auth.engine import removal, renewal
from ike_auth.engine.core import Core, Renew
from ike_auth.engine.parties import party, tunnels_of
from ike_auth.network import Now
from ike_auth.sa import IkeSa

INTERVAL = 60.0  # seconds between two times for the same traffic of the same peer
LACKS = "the peer does not have it"


def lacked(core: Core, ike: IkeSa, spi: bytes, now: Now) -> list[Effect]:
    """`spi` is the peer's: of a tunnel with exactly this peer that is still the newest of its kind, or of nothing."""
    effects: list[Effect] = []
    for tunnel in tunnels_of(core, ike):
        if not any(sa.spi == spi for sa in tunnel.outbound) or renewal.is_renewed(core, tunnel):
            continue
        if tunnel.connection is None:  # the peer has begun it, and we could not
            effects += removal.remove_tunnels(core, [tunnel], LACKS, tell=True)
        elif core.seldom.may((party(ike), tunnel.local, tunnel.remote), now.monotonic, INTERVAL):
            core.timers.set(Renew(tunnel.inbound[0].spi), now.monotonic)
    return effects
