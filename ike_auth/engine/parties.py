# SPDX-License-Identifier: ISC
"""Which SAs are those of one and the same peer.

A section of the configuration may stand for many peers, so it takes the authenticated identity as well. Where several
know one pre-shared key, they may also share an identity: there it takes the address, too, and behind a NAT the port.
"""

from ike_auth.authorization.requests import PresharedKey
from ike_auth.engine.core import Core
from ike_auth.network import Endpoint
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.sa_table import Party


def party(ike: IkeSa) -> Party:
    return ike.peer.name, ike.identity


def ike_sas_of(core: Core, ike: IkeSa) -> list[IkeSa]:
    """All IKE SAs with the peer of this one, which is among them as long as it is there."""
    return [other for other in core.sas.ike_sas_with(party(ike)) if _same_end(ike, other.remote)]


def tunnels_of(core: Core, ike: IkeSa) -> list[Tunnel]:
    """All tunnels with the peer of this IKE SA, whichever they were negotiated under."""
    return [t for t in core.sas.tunnels_with(party(ike)) if _same_end(ike, t.outbound[0].destination)]


def _same_end(ike: IkeSa, end: Endpoint) -> bool:
    proof = ike.authenticated.proof
    if not (isinstance(proof, PresharedKey) and proof.shared):
        return True
    return end.host == ike.remote.host and (end.port == ike.remote.port or not ike.nat.remote)
