# SPDX-License-Identifier: ISC
"""Packets of SAs that are not here: the peer has missed a delete, or one of us has crashed.

Such packets prove nothing, and anybody can send them. So the peer is told under an IKE SA, if there is one; if not,
one is made with a configured peer, which tells it that we have started anew. Both seldom, and never for strangers.
"""

from ike_auth.effects import Effect, SendDatagram
from ike_auth.engine import connections
from ike_auth.engine.core import Core
from ike_auth.network import Endpoint, Now
from ike_auth.sa import IkeSa

HOST_INTERVAL = 1.0  # seconds between two deletes for one host
SPI_INTERVAL = 60.0  # seconds between two for the same SPI


def unknown_spi(core: Core, remote: Endpoint, spi: bytes, now: Now) -> list[Effect]:
    core.counters["unknown SPI"] += 1
    if core.sas.tunnel_into(spi) is not None or core.exchanges.with_spi(spi) is not None:
        return []  # it came between two steps of ours, or what the kernel has lost will show by other means
    ike = _ike_at(core, remote)
    return _invite(core, remote, now) if ike is None else _tell(core, ike, spi, now)


def _ike_at(core: Core, remote: Endpoint) -> IkeSa | None:
    """The newest with this host; behind a NAT there may be several peers, told apart by their ports."""
    there = [ike for ike in core.sas.ike_sas.values() if ike.remote.host == remote.host]
    exactly = [ike for ike in there if ike.remote.port == remote.port]
    return next(reversed(exactly or there), None)


def _tell(core: Core, ike: IkeSa, spi: bytes, now: Now) -> list[Effect]:
    may = core.seldom.may
    host = ike.remote.host
    if not (may(host, now.monotonic, HOST_INTERVAL) and may((host, spi), now.monotonic, SPI_INTERVAL)):
        return []
    effects: list[Effect] = []
    for variant in core.sas.variants(ike.cookies):
        message = core.version.delete_spi(variant, spi, core.random)
        core.note_sent(ike.cookies, message)
        effects.append(SendDatagram(message, ike.local, ike.remote))
    return effects


def _invite(core: Core, remote: Endpoint, now: Now) -> list[Effect]:
    peer = core.configuration.peer_at(remote.host)
    if peer is None or peer.address != remote.host or core.exchanges.initiating(peer.name) is not None:
        return []
    of_peer = core.configuration.connections_of(peer.name)
    if of_peer and all(connection.name in core.held for connection in of_peer):
        return []
    if not core.seldom.may(peer.name, now.monotonic, core.configuration.general.check_interval):
        return []
    return connections.begin_with(core, peer, now)
