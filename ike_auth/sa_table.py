# SPDX-License-Identifier: ISC
"""The SAs that there are: IKE SAs by their cookies, tunnels by their SPIs."""

from collections.abc import Callable, Iterator

from ike_auth.indexes import SelectorIndex, file, take
from ike_auth.sa import Cookies, IkeSa, Tunnel
from ike_auth.wire.identities import Identity, Selector
from ike_auth.wire.numbers import ProtocolId

Party = tuple[str, Identity]  # a peer's section, and who has authenticated itself for it

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
        self._of_peer: dict[str, dict[Cookies, None]] = {}  # oldest first
        self._message_ids: dict[Cookies, set[int]] = {}
        self._tunnels: dict[bytes, Tunnel] = {}  # by the SPI of the first inbound SA
        self._inbound: dict[bytes, Tunnel] = {}
        # Peers choose these, so that they are unique for one peer at most.
        self._outbound: dict[tuple[ProtocolId, bytes], tuple[Tunnel, ...]] = {}
        self._of_party: dict[Party, tuple[bytes, ...]] = {}  # SPIs as in `_tunnels`, oldest first
        self._by_remote: SelectorIndex[bytes] = SelectorIndex()

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
        self._of_peer.setdefault(sa.peer.name, {})[sa.cookies] = None
        return True

    def variants(self, cookies: Cookies) -> tuple[IkeSa, ...]:
        """The IKE SA with these cookies in each form that it may have at the peer; none if there is no such SA."""
        ike = self.ike_sas.get(cookies)
        return () if ike is None else self._variants.get(cookies, (ike,))

    def used(self, sa: IkeSa) -> bool:
        """The peer has proved that it has exactly this; `sa` may have moved since it was added. Whether there were
        other variants."""
        variants = self._variants.pop(sa.cookies, ())
        if sa.cookies in self.ike_sas:
            self.ike_sas[sa.cookies] = sa
        return len(variants) > 1

    def change_ike(self, cookies: Cookies, change: Callable[[IkeSa], IkeSa]) -> None:
        """What has nothing to do with the keys of an IKE SA, in each form that it may have."""
        if cookies in self.ike_sas:
            self.ike_sas[cookies] = change(self.ike_sas[cookies])
        if cookies in self._variants:
            self._variants[cookies] = tuple(map(change, self._variants[cookies]))

    def remove_ike(self, cookies: Cookies) -> None:
        ike = self.ike_sas.pop(cookies, None)
        if ike is not None:
            others = self._of_peer[ike.peer.name]
            del others[cookies]
            if not others:
                del self._of_peer[ike.peer.name]
        self._variants.pop(cookies, None)
        self._message_ids.pop(cookies, None)

    def ike_with(
        self, peer: str, at: float, identity: Identity | None = None, *, fading: bool = False
    ) -> IkeSa | None:
        """The newest IKE SA with a peer, as this identity if one is given, under which something may begin now;
        `fading`: or under which it might come to its end just in time."""
        for cookies in reversed(self._of_peer.get(peer, {})):
            sa = self.ike_sas[cookies]
            until = sa.expires if fading else sa.fades
            if until > at and identity in (None, sa.identity):
                return sa
        return None

    def knows(self, peer: str) -> bool:
        """Whether there is anything with a peer."""
        return peer in self._of_peer or any(name == peer for name, _ in self._of_party)

    def ike_sas_with(self, party: Party) -> list[IkeSa]:
        """Oldest first."""
        peer, identity = party
        found = (self.ike_sas[cookies] for cookies in self._of_peer.get(peer, ()))
        return [sa for sa in found if sa.identity == identity]

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

    def tunnels_with(self, party: Party) -> list[Tunnel]:
        """Oldest first."""
        return [self._tunnels[spi] for spi in self._of_party.get(party, ())]

    def add_tunnel(self, tunnel: Tunnel) -> None:
        spi = tunnel.inbound[0].spi
        self._tunnels[spi] = tunnel
        file(self._of_party, _party(tunnel), spi)
        self._by_remote.add(tunnel.remote, spi)
        for sa in tunnel.inbound:
            self._inbound[sa.spi] = tunnel
        for sa in tunnel.outbound:
            key = sa.protocol, sa.spi
            self._outbound[key] = (*self._outbound.get(key, ()), tunnel)

    def remove_tunnel(self, tunnel: Tunnel) -> None:
        spi = tunnel.inbound[0].spi
        del self._tunnels[spi]
        take(self._of_party, _party(tunnel), spi)
        self._by_remote.remove(tunnel.remote, spi)
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
        """One that is there, for the same traffic with the same SAs, and something else changed."""
        spi = tunnel.inbound[0].spi
        before, self._tunnels[spi] = self._tunnels[spi], tunnel
        if _party(before) != _party(tunnel):
            take(self._of_party, _party(before), spi)
            file(self._of_party, _party(tunnel), spi)
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
            for other in self.tunnels_with(_party(tunnel))
            if other is tunnel or (other.remote == tunnel.remote and other.local == tunnel.local)
        ]

    def tunnels_to(self, remote: Selector) -> Iterator[Tunnel]:
        """Those whose remote side has some of this traffic, whose ever they are."""
        return (self._tunnels[spi] for spi in self._by_remote.overlapping(remote))


def _party(tunnel: Tunnel) -> Party:
    return tunnel.peer, tunnel.identity
