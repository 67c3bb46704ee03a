# SPDX-License-Identifier: ISC
"""A NAT in the simulated network: one host seems to be elsewhere, at ports that it has not chosen."""

from dataclasses import replace
from ipaddress import ip_address
from itertools import count

from ike_auth.network import Datagram, Endpoint
from tests.ike_auth.simulation import FLIGHT


class Nat:
    """To be a network's `tamper`. Who is outside reaches the one inside by ports that were given to it."""

    def __init__(self, inside: str, outside: str) -> None:
        self.inside, self.outside = ip_address(inside), ip_address(outside)
        self._ports: dict[int, int] = {}  # inside → outside
        self._next = count(61000)

    def forget(self) -> None:
        """As if the host had been silent for too long, or the router were new."""
        self._ports.clear()

    def port_of(self, port: int) -> int:
        """From outside."""
        return self._ports[port]

    def __call__(self, _: int, datagram: Datagram) -> list[tuple[float, Datagram]]:
        local, remote = datagram.local, datagram.remote
        if local.host == self.inside:
            if local.port not in self._ports:
                self._ports[local.port] = next(self._next)
            return [(FLIGHT, replace(datagram, local=Endpoint(self.outside, self._ports[local.port])))]
        if remote.host != self.outside:
            return [(FLIGHT, datagram)]
        inside = {outer: inner for inner, outer in self._ports.items()}.get(remote.port)
        if inside is None:
            return []
        return [(FLIGHT, replace(datagram, remote=Endpoint(self.inside, inside)))]
