# SPDX-License-Identifier: ISC
"""What policy allows is refused if it would take traffic away from somebody else's live tunnel."""

from dataclasses import replace
from itertools import chain

from ike_auth.authorization.requests import TunnelAuthorized
from ike_auth.engine.core import Core
from ike_auth.errors import LocalError
from ike_auth.exchange_table import Exchange


def unless_claimed(core: Core, exchange: Exchange, answer: TunnelAuthorized) -> TunnelAuthorized:
    """The answer, or a denial of all that was asked for: the proposals differ, the traffic is the same.

    Raises LocalError if the answer chooses what was not asked for.
    """
    requests, chosen = exchange.version.tunnel_requests(exchange.state), answer.chosen
    if chosen is None:
        return answer
    if chosen >= min(len(requests), len(answer.decisions)):
        raise LocalError(f"the authorization layer chose proposal {chosen + 1} of {len(requests)}")
    request = requests[chosen]
    connection = core.configuration.connections.get(request.connection or "")
    if connection is not None and "allow-overlap" in connection.flags:
        return answer
    pending = (t for t in core.exchanges.pending_tunnels if t.remote.overlaps(request.remote))
    others = chain(core.sas.tunnels_to(request.remote), pending)
    claimed = next((tunnel for tunnel in others if tunnel.identity != request.identity.identity), None)
    if claimed is None:
        return answer
    why = f"{request.remote} overlaps the tunnel of {claimed.identity} ({claimed.name})"
    refused = replace(answer.decisions[chosen], allowed=False, because=why, details=())
    return TunnelAuthorized(None, (*answer.decisions[:chosen], *[refused] * (len(requests) - chosen)))
