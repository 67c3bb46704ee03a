# SPDX-License-Identifier: ISC
"""What an operator reads. `str(event)` is one line; the fields are for machines."""

from ike_auth.authorization.requests import Decision, TunnelRequest
from ike_auth.network import Endpoint
from ike_auth.sa import IkeSa, Tunnel
from ike_auth.suites import describe
from ike_auth.values import value
from ike_auth.wire.identities import Identity


@value
class IkeSaUp:
    sa: IkeSa

    def __str__(self) -> str:
        sa = self.sa
        nat = " behind NAT" if sa.nat.remote else ""
        ours = ", we are behind NAT" if sa.nat.local else ""
        begun = "begun by us" if sa.initiator else "begun by the peer"
        return (
            f"phase 1 up with {sa.peer.name} at {sa.remote}{nat}{ours}: {sa.identity}, {sa.suite}, {begun}"
            f" ({sa.because})"
        )


@value
class IkeSaDown:
    sa: IkeSa
    why: str

    def __str__(self) -> str:
        return f"phase 1 down with {self.sa.peer.name} at {self.sa.remote}: {self.sa.identity}: {self.why}"


@value
class PeerRefused:
    """The peer proved that it holds a key, and may not come in with it."""

    peer: str
    remote: Endpoint
    identity: Identity
    decision: Decision

    def __str__(self) -> str:
        because = self.decision.because
        named = because.startswith(str(self.identity))
        claim = "" if named else f" as {self.identity}"
        return f"phase 1 refused to {self.peer} at {self.remote}{claim}: {because}"


@value
class TunnelUp:
    tunnel: Tunnel

    def __str__(self) -> str:
        t = self.tunnel
        protocols = " + ".join(describe(sa.parameters) for sa in t.outbound)
        spis_in, spis_out = (" ".join(sa.spi.hex() for sa in sas) for sas in (t.inbound, t.outbound))
        at = t.outbound[0].destination
        return (
            f"{_named('tunnel up', t)} at {at}: {t.local} ↔ {t.remote}, {t.identity}, {protocols},"
            f" SPI in {spis_in} out {spis_out} ({t.because})"
        )


@value
class TunnelDown:
    tunnel: Tunnel
    why: str

    def __str__(self) -> str:
        return f"{_named('tunnel down', self.tunnel)}: {self.tunnel.local} ↔ {self.tunnel.remote}: {self.why}"


@value
class TunnelRefused:
    """No proposal may be had; one decision for each request, in the peer's order."""

    requests: tuple[TunnelRequest, ...]
    decisions: tuple[Decision, ...]

    def __str__(self) -> str:
        first = self.requests[0]
        reasons = "; ".join(
            f"{' + '.join(describe(p) for p in request.protocols)}: {decision.because}"
            for request, decision in zip(self.requests, self.decisions, strict=True)
        )
        who = first.identity
        peer = f"{who.peer.name} at {who.negotiation.remote} as {who.identity}"
        return f"phase 2 refused to {peer}: {first.local} ↔ {first.remote}: {reasons}"


@value
class ExchangeFailed:
    """An exchange came to nothing: it timed out, or an authenticated peer said no."""

    what: str  # "main mode", "quick mode office"
    peer: str
    remote: Endpoint
    why: str
    identity: Identity | None = None  # the peer's, if it has proved it

    def __str__(self) -> str:
        who = "" if self.identity is None else f"; the peer is {self.identity}"
        return f"{self.what} with {self.peer} at {self.remote} failed: {self.why}{who}"


@value
class PeerHint:
    """Somebody who may or may not be the peer says so; believed by nobody, often helpful."""

    peer: str
    remote: Endpoint
    notify: str

    def __str__(self) -> str:
        return f"{self.peer} at {self.remote} says, not authenticated: {said(self.notify)}"


@value
class PeerNotified:
    """An authenticated notification."""

    peer: str
    remote: Endpoint
    notify: str

    def __str__(self) -> str:
        return f"{self.peer} at {self.remote} notifies: {said(self.notify)}"


@value
class MessageDropped:
    """A datagram changed nothing. `counter` names the reason in a few fixed words; `during` is the exchange that it
    was to advance, the first time that this reason comes up there."""

    remote: Endpoint
    counter: str
    why: str
    during: str = ""

    def __str__(self) -> str:
        during = f" in {self.during}" if self.during else ""
        return f"dropped message from {self.remote}{during}: {self.why}"


@value
class LegacyInUse:
    peer: str
    algorithms: tuple[str, ...]

    def __str__(self) -> str:
        return f"legacy algorithms in use with {self.peer}: {', '.join(self.algorithms)}"


Event = (
    IkeSaUp
    | IkeSaDown
    | PeerRefused
    | TunnelUp
    | TunnelDown
    | TunnelRefused
    | ExchangeFailed
    | PeerHint
    | PeerNotified
    | MessageDropped
    | LegacyInUse
)

_MEANING = {
    "NO_PROPOSAL_CHOSEN": "it takes nothing of what was offered",
    "AUTHENTICATION_FAILED": "it does not accept our identity, or what proves it",
    "INVALID_ID_INFORMATION": "it knows no tunnel between these networks, or not our identity",
    "PAYLOAD_MALFORMED": "it cannot read our message",
    "INVALID_SPI": "it does not have an SA that we use",
    "INVALID_COOKIE": "it has forgotten this IKE SA",
}


def said(notify: str) -> str:
    """What a peer's notification is called, and what it most often means."""
    meaning = _MEANING.get(notify)
    return f"{notify} ({meaning})" if meaning else notify


def _named(what: str, tunnel: Tunnel) -> str:
    return " ".join((what, *((tunnel.connection,) if tunnel.connection else ()), "with", tunnel.peer))
