# SPDX-License-Identifier: ISC
"""The SAs that there are: IKE SAs by their cookies, tunnels by their SPIs."""

from collections.abc import Callable, Iterable

from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import ProtocolId

MAX_VARIANTS = 16  # of an IKE SA that the peer has not used yet
MAX_MESSAGE_IDS = 1 << 14  # under one IKE SA; none may come twice, so all have to be remembered


class SaTable:
    """Indexes only: it decides nothing and knows no time.

    Until the peer has used an IKE SA, there may be variants of it that differ in the last block of Phase 1
    (`exchanges/v1/chaining`); which one the peer has shows by its first message.
    """

    def __init__(self) -> None:
        self.ike_sas: dict[Cookies, IkeSa] = {}
        self._variants: dict[Cookies, tuple[IkeSa, ...]] = {}  # newest first; none where the peer has spoken
        self._message_ids: dict[Cookies, set[int]] = {}
        self._tunnels: dict[bytes, Tunnel] = {}  # by the SPI of the first inbound SA
        self._inbound: dict[bytes, Tunnel] = {}
        # Peers choose these, so that they are unique for one peer at most.
        self._outbound: dict[tuple[ProtocolId, bytes], tuple[Tunnel, ...]] = {}

    # --- IKE SAs

    def add_ike(self, sa: IkeSa) -> bool:
        """A new IKE SA, or a variant of one that the peer has not used yet. False if this changes nothing."""
        known = self._variants.get(sa.cookies, ())
        if sa.cookies in self.ike_sas and not known:
            return False
        if len(known) == MAX_VARIANTS or sa.last_block in [variant.last_block for variant in known]:
            return False
        self._variants[sa.cookies] = (sa, *known)
        self.ike_sas[sa.cookies] = sa
        return True

    def variants(self, cookies: Cookies) -> tuple[IkeSa, ...]:
        """The IKE SA with these cookies in each form that it may have at the peer; none if there is no such SA."""
        ike = self.ike_sas.get(cookies)
        return () if ike is None else self._variants.get(cookies, (ike,))

    def used(self, sa: IkeSa) -> None:
        """The peer has proved that it has exactly this; `sa` may have moved since it was added."""
        self._variants.pop(sa.cookies, None)
        if sa.cookies in self.ike_sas:
            self.ike_sas[sa.cookies] = sa

    def change_ike(self, cookies: Cookies, change: Callable[[IkeSa], IkeSa]) -> None:
        """What has nothing to do with the keys of an IKE SA, in each form that it may have."""
        if cookies in self.ike_sas:
            self.ike_sas[cookies] = change(self.ike_sas[cookies])
        if cookies in self._variants:
            self._variants[cookies] = tuple(map(change, self._variants[cookies]))

    def remove_ike(self, cookies: Cookies) -> None:
        self.ike_sas.pop(cookies, None)
        self._variants.pop(cookies, None)
        self._message_ids.pop(cookies, None)

    def ike_with(
        self, peer: str, at: float, identity: Identity | None = None, *, fading: bool = False
    ) -> IkeSa | None:
        """The newest IKE SA with a peer, as this identity if one is given, under which something may begin now;
        `fading`: or under which it might come to its end just in time."""
        for sa in reversed(self.ike_sas.values()):
            until = sa.expires if fading else sa.fades
            if sa.peer.name == peer and until > at and identity in (None, sa.identity):
                return sa
        return None

    def is_used(self, cookies: Cookies, message_id: int) -> bool:
        return message_id in self._message_ids.get(cookies, ())

    def use(self, cookies: Cookies, message_id: int) -> None:
        """Under an IKE SA each message id has one exchange, ours or the peer's."""
        self._message_ids.setdefault(cookies, set()).add(message_id)

    def is_worn_out(self, cookies: Cookies) -> bool:
        """Whether an IKE SA has seen as many exchanges as we can remember the message ids of."""
        return len(self._message_ids.get(cookies, ())) >= MAX_MESSAGE_IDS

    # --- tunnels

    @property
    def tunnels(self) -> tuple[Tunnel, ...]:
        return tuple(self._tunnels.values())

    def add_tunnel(self, tunnel: Tunnel) -> None:
        self._tunnels[tunnel.inbound[0].spi] = tunnel
        for sa in tunnel.inbound:
            self._inbound[sa.spi] = tunnel
        for sa in tunnel.outbound:
            key = sa.protocol, sa.spi
            self._outbound[key] = (*self._outbound.get(key, ()), tunnel)

    def remove_tunnel(self, tunnel: Tunnel) -> None:
        del self._tunnels[tunnel.inbound[0].spi]
        for sa in tunnel.inbound:
            del self._inbound[sa.spi]
        for sa in tunnel.outbound:
            key = sa.protocol, sa.spi
            others = tuple(other for other in self._outbound[key] if other is not tunnel)
            if others:
                self._outbound[key] = others
            else:
                del self._outbound[key]

    def change_tunnel(self, tunnel: Tunnel) -> None:
        """One that is there, with the same SAs and something else changed."""
        before = self._tunnels[tunnel.inbound[0].spi]
        self._tunnels[tunnel.inbound[0].spi] = tunnel
        for sa in tunnel.inbound:
            self._inbound[sa.spi] = tunnel
        for sa in tunnel.outbound:
            key = sa.protocol, sa.spi
            self._outbound[key] = tuple(tunnel if other is before else other for other in self._outbound[key])

    def tunnel_into(self, spi: bytes) -> Tunnel | None:
        """By an SPI of ours."""
        return self._inbound.get(spi)

    def tunnels_out(self, protocol: ProtocolId, spi: bytes) -> tuple[Tunnel, ...]:
        """By an SPI of a peer's, of whichever peer."""
        return self._outbound.get((protocol, spi), ())

    def newest_tunnel_out(self, spi: bytes) -> Tunnel | None:
        """By an SPI of a peer's, where the peer is not known."""
        found = (t for t in reversed(self._tunnels.values()) if any(sa.spi == spi for sa in t.outbound))
        return next(found, None)

    def tunnels_like(self, tunnel: Tunnel) -> list[Tunnel]:
        """Those that join the same ends for the same traffic, oldest first."""
        return [
            other
            for other in self._tunnels.values()
            if other.remote == tunnel.remote
            and other.local == tunnel.local
            and (other.peer, other.identity) == (tunnel.peer, tunnel.identity)
        ]


def claimed_by_another(tunnels: Iterable[Tunnel], remote: Selector, identity: Identity) -> Tunnel | None:
    """One of somebody else's whose remote side overlaps."""
    for tunnel in tunnels:
        if tunnel.identity != identity and tunnel.remote.overlaps(remote):
            return tunnel
    return None
