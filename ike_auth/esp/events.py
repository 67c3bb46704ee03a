# SPDX-License-Identifier: ISC
"""What the data plane tells whoever negotiates. Traffic can make it repeat itself without end, so it does so in
measure.
"""

from __future__ import annotations

from dataclasses import dataclass

from ike_auth.network import Endpoint
from ike_auth.wire.identities import Selector

MAX_PENDING = 1000
MAX_REMEMBERED = 1000
QUIET = 1.0  # seconds between two events about the same thing


@dataclass(frozen=True, slots=True)
class Acquire:
    """A packet needs an SA that is not there; addresses, protocol and ports are the packet's."""

    local: Selector
    remote: Selector


@dataclass(frozen=True, slots=True)
class SaUsed:
    """The first authentic packet on an inbound SA."""

    spi: bytes


@dataclass(frozen=True, slots=True)
class SoftLimit:
    """Time to rekey: of the bytes or of the sequence numbers that an SA may use, most are used."""

    spi: bytes
    inbound: bool


@dataclass(frozen=True, slots=True)
class HardLimit:
    """This SA carries nothing any more."""

    spi: bytes
    inbound: bool


@dataclass(frozen=True, slots=True)
class UnknownSpi:
    local: Endpoint
    remote: Endpoint
    spi: bytes


@dataclass(frozen=True, slots=True)
class PeerMoved:
    """The newest authentic packet of an inbound SA came from (or to) elsewhere than the SA says: a NAT, perhaps."""

    spi: bytes
    local: Endpoint
    remote: Endpoint


DataPlaneEvent = Acquire | SaUsed | SoftLimit | HardLimit | UnknownSpi | PeerMoved


class Events:
    """A queue of bounded length."""

    def __init__(self) -> None:
        self._pending: list[DataPlaneEvent] = []
        self._said: dict[object, float] = {}

    def add(self, event: DataPlaneEvent) -> None:
        if len(self._pending) < MAX_PENDING:
            self._pending.append(event)

    def add_seldom(self, event: DataPlaneEvent, about: object, now: float) -> None:
        """Unless something about this was said within the last `QUIET` seconds."""
        last = self._said.get(about)
        if last is not None and now - last < QUIET:
            return
        if len(self._said) >= MAX_REMEMBERED:
            self._said = {key: time for key, time in self._said.items() if now - time < QUIET}
            if len(self._said) >= MAX_REMEMBERED:
                return
        self._said[about] = now
        self.add(event)

    def drain(self) -> list[DataPlaneEvent]:
        events, self._pending = self._pending, []
        return events
