# SPDX-License-Identifier: ISC
"""Exchanges that strangers made us keep, and which of them has to go when there are too many.

Anybody can send a first message from any address. So the limit never refuses anybody: the newest is taken, and the
oldest goes, first of those whose sender has not even shown that it receives at the address it names. A genuine peer
needs its place for one round trip to show that, whatever a flood does meanwhile. One address may hold a share of all
places, so that it takes many to drive out the others.
"""

from dataclasses import dataclass, field
from typing import NewType

from ike_auth.network import IPAddress

ExchangeId = NewType("ExchangeId", int)
SHARE_OF_ONE_HOST = 4  # a single address may hold a fourth of all


@dataclass(slots=True)
class _Queue:
    """In order of age; a dict is an ordered set."""

    unconfirmed: dict[ExchangeId, None] = field(default_factory=dict)
    confirmed: dict[ExchangeId, None] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.unconfirmed) + len(self.confirmed)

    @property
    def first_to_go(self) -> ExchangeId:
        return next(iter(self.unconfirmed or self.confirmed))

    def add(self, id: ExchangeId, confirmed: bool) -> None:
        if confirmed:
            self.unconfirmed.pop(id, None)
            self.confirmed[id] = None
        elif id not in self.confirmed:
            self.unconfirmed[id] = None

    def discard(self, id: ExchangeId) -> None:
        self.unconfirmed.pop(id, None)
        self.confirmed.pop(id, None)


class HalfOpen:
    """Counts and orders; the exchanges themselves are kept elsewhere."""

    def __init__(self) -> None:
        self._all = _Queue()
        self._of_host: dict[IPAddress, _Queue] = {}
        self._host: dict[ExchangeId, IPAddress] = {}

    def __len__(self) -> int:
        return len(self._all)

    def add(self, id: ExchangeId, host: IPAddress, confirmed: bool) -> None:
        """An exchange that somebody at `host` began; `confirmed` once it is known that it receives there."""
        self._host[id] = host
        self._all.add(id, confirmed)
        of_host = self._of_host.get(host)
        if of_host is None:
            of_host = self._of_host[host] = _Queue()
        of_host.add(id, confirmed)

    def discard(self, id: ExchangeId) -> None:
        """It is authenticated, or gone. One that is not here is no error."""
        host = self._host.pop(id, None)
        if host is None:
            return
        self._all.discard(id)
        of_host = self._of_host[host]
        of_host.discard(id)
        if not of_host:
            del self._of_host[host]

    def first_to_go(self, host: IPAddress, limit: int) -> ExchangeId | None:
        """What has to go before one more is taken from `host`, if `limit` is how many there may be; None: nothing."""
        of_host = self._of_host.get(host)
        if of_host is not None and len(of_host) >= max(limit // SHARE_OF_ONE_HOST, 1):
            return of_host.first_to_go
        return self._all.first_to_go if len(self._all) >= max(limit, 1) else None
