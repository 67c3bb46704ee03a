# SPDX-License-Identifier: ISC
"""A NAT has given a peer another port: everything that is with this peer there follows, once the peer has shown it.

It shows it by what nobody else can send and nobody can send again: a message under an IKE SA whose id is new, or the
packet with the highest sequence number of an SA. Its host stays the same: docs/decisions/0505.
"""

from dataclasses import replace

from ike_auth.effects import Effect, MoveSa
from ike_auth.engine.core import Core
from ike_auth.network import Endpoint
from ike_auth.sa import Tunnel
from ike_auth.sa_table import Party
from ike_auth.wire.numbers import IN_UDP, ProtocolId


def moved(core: Core, spi: bytes, remote: Endpoint) -> list[Effect]:
    """The newest authentic packet on an SA of ours has come from there."""
    tunnel = core.sas.tunnel_into(spi)
    return [] if tunnel is None else follow(core, (tunnel.peer, tunnel.identity), _end(tunnel), remote)


def follow(core: Core, peer: Party, old: Endpoint, new: Endpoint) -> list[Effect]:
    """All that is with a peer at `old`. Others behind the same NAT, who may have its name where many share a key,
    are at other ports."""
    if old == new or old.host != new.host:
        return []
    for ike in core.sas.ike_sas_with(peer):
        if ike.remote == old and ike.nat.remote:
            core.sas.change_ike(ike.cookies, lambda sa: replace(sa, remote=new))
            for exchange in core.exchanges.under(ike.cookies):
                if exchange.remote == old:
                    exchange.remote = new
    effects: list[Effect] = []
    for tunnel in core.sas.tunnels_with(peer):
        in_udp = tunnel.outbound[0].parameters.encapsulation in IN_UDP
        if in_udp and _end(tunnel) == old:
            inbound = tuple(replace(sa, source=new) for sa in tunnel.inbound)
            outbound = tuple(replace(sa, destination=new) for sa in tunnel.outbound)
            core.sas.change_tunnel(replace(tunnel, inbound=inbound, outbound=outbound))
            effects += [MoveSa(sa) for sa in (*inbound, *outbound) if sa.protocol == ProtocolId.ESP]
    return effects


def _end(tunnel: Tunnel) -> Endpoint:
    return tunnel.outbound[0].destination
