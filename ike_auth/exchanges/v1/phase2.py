# SPDX-License-Identifier: ISC
"""What quick mode makes: selectors, keys and the tunnel."""

from collections.abc import Mapping, Sequence

from ike_auth.authorization.requests import Decision, ProtocolParameters, TunnelRequest
from ike_auth.config.model import Connection
from ike_auth.crypto.secrets import Secret
from ike_auth.errors import LocalError
from ike_auth.exchanges.steps import Local
from ike_auth.negotiation.phase2 import Candidate, Limits
from ike_auth.network import IPAddress
from ike_auth.sa import IkeSa, IpsecSa, Tunnel
from ike_auth.values import value
from ike_auth.wire import cpi
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import ProtocolId


@value
class Keying:
    """Nonces of the quick mode, and its own shared secret if there is PFS."""

    nonce_i: bytes
    nonce_r: bytes
    shared: Secret | None


def client_selectors(
    identities: Sequence[Identity], initiator: IPAddress, responder: IPAddress
) -> tuple[Selector, Selector]:
    """What IDci and IDcr mean, or without them the addresses of the ends (RFC 2409 5.5).

    Raises InvalidIdInformation.
    """
    if not identities:
        return Selector.of(initiator), Selector.of(responder)
    of_initiator, of_responder = identities
    return Selector.from_identity(of_initiator), Selector.from_identity(of_responder)


def selectors_of(connection: Connection, local: Local) -> tuple[Selector, Selector]:
    """Our side and the peer's of a configured connection."""
    return (
        connection.local or Selector.of(local.local.host),
        connection.remote or Selector.of(local.remote.host),
    )


def connection_for(peer: str, ours: Selector, theirs: Selector, local: Local) -> Connection | None:
    """The connection of this peer that names exactly this tunnel, else one that leaves the peer's side open."""
    of_peer = local.settings.connections_of(peer)
    for connection in of_peer:
        if selectors_of(connection, local) == (ours, theirs):
            return connection
    for connection in of_peer:
        if connection.remote is None and connection.local == ours:
            return connection
    return None


def tunnel(
    ike: IkeSa,
    candidate: Candidate,
    own_spis: Mapping[ProtocolId, bytes],
    request: TunnelRequest,
    decision: Decision,
    keying: Keying,
    local: Local,
) -> Tunnel:
    """The SAs of both directions with their keys. None outlives what authorized the peer.

    Raises LocalError if the authorization is over.
    """
    life = candidate.life_seconds
    if ike.authorization_ends is not None:
        life = min(life, int((ike.authorization_ends - local.now.utc).total_seconds()))
    if life < 1:  # which kernels read as no limit
        raise LocalError(f"what authorized {ike.identity} has ended, at {ike.authorization_ends}")
    inbound, outbound = [], []
    agreed = zip(candidate.proposals, candidate.parameters, candidate.key_sizes, candidate.limits, strict=True)
    # What goes out is compressed first, whichever proposal stood first (RFC 3173 2.1).
    for proposal, parameters, sizes, bound in sorted(agreed, key=lambda each: each[0].protocol != ProtocolId.IPCOMP):
        own_spi = own_spis[proposal.protocol]
        peer_spi = cpi.unified(proposal.protocol, proposal.spi)
        inbound.append(_sa(ike, own_spi, True, parameters, sizes, request, keying, life, bound, local))
        outbound.append(_sa(ike, peer_spi, False, parameters, sizes, request, keying, life, bound, local))
    return Tunnel(
        connection=request.connection,
        cookies=ike.cookies,
        peer=ike.peer.name,
        identity=ike.identity,
        local=request.local,
        remote=request.remote,
        inbound=tuple(inbound),
        outbound=tuple(outbound),
        initiator=request.initiator,
        because=decision.because,
        established=local.now.monotonic,
        expires=local.now.monotonic + life,
        request=request,
        authorization_ends=ike.authorization_ends,
    )


def _sa(
    ike: IkeSa,
    spi: bytes,
    inbound: bool,
    parameters: ProtocolParameters,
    sizes: tuple[int, int],
    request: TunnelRequest,
    keying: Keying,
    life: int,
    bound: Limits,
    local: Local,
) -> IpsecSa:
    encryption, integrity = sizes
    material = ike.keys.keymat(
        parameters.protocol,
        spi,
        ni=keying.nonce_i,
        nr=keying.nonce_r,
        length=encryption + integrity,
        g_xy=keying.shared,
    ).reveal()
    source, destination = (local.remote, local.local) if inbound else (local.local, local.remote)
    return IpsecSa(
        spi,
        inbound,
        parameters,
        source,
        destination,
        Secret(material[:encryption]),
        Secret(material[encryption:]),
        request.local,
        request.remote,
        life,
        bound.kilobytes,
        bound.replay_window,
        compressed=len(request.protocols) > 1 and _compresses_beside(parameters, request.protocols),
    )


def _compresses_beside(one: ProtocolParameters, all: tuple[ProtocolParameters, ...]) -> bool:
    return any(other.protocol == ProtocolId.IPCOMP != one.protocol for other in all)
