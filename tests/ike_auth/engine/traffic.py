# SPDX-License-Identifier: ISC
"""Packets through the SAs that the kernels of two hosts have: what gets through, and what the kernels say of it."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random

from ike_auth.sa import IpsecSa
from tests.ike_auth.simulation import FLIGHT, Host, Network


@dataclass
class Pings:
    """One packet each way in each `every` seconds, which is under way for up to `flight` seconds, so that one may
    overtake another. `counts` has what became
    of them: delivered; unknown, for the SA was not there; waiting, for there was none to send them through."""

    network: Network
    ways: Sequence[tuple[Host, Host]]
    every: float = 0.5
    flight: float = 1.0
    counts: Counter[str] = field(default_factory=Counter)
    _under_way: list[tuple[float, int, Host, IpsecSa]] = field(default_factory=list)
    _random: Random = field(default_factory=lambda: Random(1))
    _used: set[tuple[int, bytes]] = field(default_factory=set)

    @classmethod
    def between(cls, network: Network, **more: float) -> "Pings":
        a, b = network.hosts.values()
        return cls(network, [(a, b), (b, a)], **more)  # type: ignore[arg-type]

    def run(self, seconds: float) -> None:
        end = self.network.now + seconds
        while self.network.now < end:
            self.network.run(self.every)
            while self._under_way and self._under_way[0][0] <= self.network.now:
                _, _, target, sa = heappop(self._under_way)
                self._arrive(target, sa)
            for source, target in self.ways:
                self._send(self._there(source), self._there(target))

    def lost(self) -> int:
        return self.counts.total() - self.counts["delivered"]

    def outage(self) -> float:
        """Seconds, if both ways were without a tunnel at the same times."""
        return self.lost() / len(self.ways) * self.every

    def _there(self, host: Host) -> Host:
        """Whoever is at its address now."""
        return self.network.hosts[host.address]

    def _send(self, source: Host, target: Host) -> None:
        newest = next((sa for (inbound, _), sa in reversed(source.installed.items()) if not inbound), None)
        if newest is not None:
            arrival = self.network.now + self._random.uniform(FLIGHT, max(FLIGHT, self.flight))
            heappush(self._under_way, (arrival, self._random.getrandbits(60), target, newest))
            return
        self.counts["waiting"] += 1
        for guard in source.guards:
            self.network.do(source, source.engine.acquire(guard.local, guard.remote, self.network.clock))

    def _arrive(self, target: Host, sa: IpsecSa) -> None:
        host = self._there(target)
        here = host.installed.get((True, sa.spi))
        if here is None or here.fingerprint != sa.fingerprint:
            self.counts["unknown"] += 1
            self.network.do(host, host.engine.unknown_spi(sa.destination, sa.source, sa.spi, self.network.clock))
            return
        self.counts["delivered"] += 1
        first = (id(host), sa.spi) not in self._used
        self._used.add((id(host), sa.spi))
        say = host.engine.sa_used if first else host.engine.sa_heard
        self.network.do(host, say(sa.spi, self.network.clock))
