# SPDX-License-Identifier: ISC
"""From traffic selectors to what routing knows: networks, and an address to send from."""

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, summarize_address_range

from ike_auth.network import IPAddress
from ike_auth.wire.identities import IPNetwork, Selector


def networks(selector: Selector) -> list[IPNetwork]:
    """The fewest networks that make up its addresses. Routing knows neither protocols nor ports."""
    low, high = selector.low, selector.high
    found: list[IPNetwork] = []
    if (isinstance(low, IPv4Address) and isinstance(high, IPv4Address)) or (
        isinstance(low, IPv6Address) and isinstance(high, IPv6Address)
    ):
        found += summarize_address_range(low, high)
    return found


def own_source(local: Selector, own: Iterable[IPAddress]) -> IPAddress | None:
    """The first of our addresses from which the peer's policy lets us speak, or None.

    Whatever needs no route, such as loopback and link-local addresses, is not meant.
    """
    for address in own:
        if address.version != local.low.version or address.is_loopback or address.is_link_local:
            continue
        if int(local.low) <= int(address) <= int(local.high):
            return address
    return None


def first_host(local: Selector) -> IPAddress:
    """The lowest address that a host may have: for one that is alone on its side, as in a namespace of our own."""
    network = networks(local)[0]
    return network[1] if network.num_addresses > 2 else network[0]
