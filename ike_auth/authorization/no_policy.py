# SPDX-License-Identifier: ISC
"""`Use-Keynote= no`: there is no policy, so only the configuration says who may come in."""

from datetime import datetime

from ike_auth.authorization.requests import Decision, IdentityRequest, TunnelRequest


class NoPolicy:
    """Allows a peer whose `Remote-ID` is configured, and any tunnel to it.

    Without a policy nothing else ties a name to a peer, so a peer without `Remote-ID` is refused.
    """

    def identity(self, request: IdentityRequest, now: datetime) -> Decision:
        peer = request.peer
        if peer.remote_id is None:
            return Decision(False, "", f"`Use-Keynote= no`, and peer `{peer.name}` has no `Remote-ID` ({peer.where})")
        return Decision(True, "", "`Use-Keynote= no`: no policy is asked")

    def binds(self, request: IdentityRequest, now: datetime) -> bool:
        return False

    def tunnel(self, request: TunnelRequest, now: datetime) -> Decision:
        if request.connection is None:
            return Decision(False, "", "`Use-Keynote= no`, and no connection names this tunnel")
        return Decision(True, "", "`Use-Keynote= no`: no policy is asked")
