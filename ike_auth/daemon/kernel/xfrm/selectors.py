# SPDX-License-Identifier: ISC
"""Traffic as we have it → XFRM's selectors, and how much one counts against another."""

from __future__ import annotations

from ipaddress import IPv4Address, summarize_address_range
from itertools import product

from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.xfrm.numbers import ICMP, ICMPV6
from ike_auth.daemon.kernel.xfrm.structures import ANY_PORT, Ports, Prefix, TrafficSelector, family
from ike_auth.wire.identities import Selector

MAX_SELECTORS = 256  # that one flow may need: XFRM has no ranges, and two of IPv6 may be 63504 pairs of networks
FIRST_PRIORITY = 450_000  # the lowest number counts; those below it are for an administrator's exceptions
_PREFIX, _PROTOCOL, _PORT = 8, 4, 1  # what each bit of a prefix counts, and naming a protocol or a port
_MOST_SPECIFIC = 256 * _PREFIX + _PROTOCOL + 2 * _PORT


def selectors(source: Selector, destination: Selector) -> tuple[TrafficSelector, ...]:
    """All of the traffic from one side to the other. Raises KernelError."""
    if source.low.version != destination.low.version:
        raise KernelError(f"no traffic from {source} to {destination}: one is IPv4, the other IPv6")
    protocol = source.protocol or destination.protocol
    sources, destinations = _prefixes(source), _prefixes(destination)
    if len(sources) * len(destinations) > MAX_SELECTORS:
        raise KernelError(
            f"{source} to {destination} takes {len(sources) * len(destinations)} policies, more than {MAX_SELECTORS}"
            " (ranges of addresses that are no networks)"
        )
    return tuple(
        TrafficSelector(one, other, protocol, _ports(source), _ports(destination), family(one.address))
        for one, other in product(sources, destinations)
    )


def traffic_of(selector: TrafficSelector) -> tuple[Selector, Selector]:
    """Source and destination of a packet."""
    ports = (selector.source_ports, selector.destination_ports)
    source, destination = (
        Selector.of(end.address, selector.protocol, 0 if selector.protocol in (ICMP, ICMPV6) else port.value)
        for end, port in zip((selector.source, selector.destination), ports, strict=True)
    )
    return source, destination


def priority(selector: TrafficSelector, *, guard: bool) -> int:
    """The more specific counts: the fewest addresses, then those that name a protocol, then those that name ports."""
    named = sum(ports != ANY_PORT for ports in (selector.source_ports, selector.destination_ports))
    specific = (
        (selector.source.length + selector.destination.length) * _PREFIX
        + bool(selector.protocol) * _PROTOCOL
        + named * _PORT
    )
    return FIRST_PRIORITY + 2 * (_MOST_SPECIFIC - specific) + guard


def _prefixes(selector: Selector) -> tuple[Prefix, ...]:
    low, high = selector.low, selector.high
    if isinstance(low, IPv4Address) and isinstance(high, IPv4Address):
        return tuple(Prefix.of(network) for network in summarize_address_range(low, high))
    if not isinstance(low, IPv4Address) and not isinstance(high, IPv4Address):
        return tuple(Prefix.of(network) for network in summarize_address_range(low, high))
    raise KernelError(f"{selector} is no range")


def _ports(selector: Selector) -> Ports:
    return Ports.only(selector.port) if selector.port else ANY_PORT
