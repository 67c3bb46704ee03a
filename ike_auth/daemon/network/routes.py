# SPDX-License-Identifier: ISC
"""Our routes: into the TUN, and unreachable ones behind them that stay when the TUN goes.

Those for networks of prefix length n are in a table of their own, `numbers.TABLE` + n; `rules` says why.
"""

from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from socket import AF_INET, AF_INET6

from pyroute2.netlink.rtnl import RTM_DELROUTE, RTM_GETROUTE, RTM_NEWROUTE
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from ike_auth.daemon.network import NetworkError, numbers
from ike_auth.daemon.network.netlink import CREATE, REPLACE, Message, Netlink, Refused
from ike_auth.network import IPAddress
from ike_auth.wire.identities import IPNetwork

_UNICAST, _UNREACHABLE = 1, 7
_UNIVERSE, _LINK = 0, 253
_TABLE_IN_ATTRIBUTE = 252  # RT_TABLE_COMPAT
# What removing something says that is not there, or no longer.
_ABSENT = {2, 3, 19}  # ENOENT, ESRCH, ENODEV
TABLES = range(numbers.TABLE, numbers.TABLE + 129)


@dataclass(frozen=True, slots=True)
class Route:
    """To a network: through an interface, or unreachable."""

    network: IPNetwork
    index: int | None = None  # of the interface; None: unreachable
    source: IPAddress | None = None  # from where our own packets leave, unless they say so themselves

    @property
    def table(self) -> int:
        return numbers.TABLE + self.network.prefixlen

    def __str__(self) -> str:
        return str(self.network) + (" (unreachable)" if self.index is None else "")


def add(netlink: Netlink, route: Route) -> None:
    """One to the same network, of the same sort, is replaced. Raises NetworkError."""
    try:
        netlink.change(RTM_NEWROUTE, _message(route), CREATE | REPLACE)
    except Refused as error:
        raise NetworkError(f"cannot add the route to {route}: {error}") from None


def remove(netlink: Netlink, route: Route) -> None:
    """Removing what is not there is no error. Raises NetworkError."""
    try:
        netlink.change(RTM_DELROUTE, _message(route))
    except Refused as error:
        if error.errno not in _ABSENT:
            raise NetworkError(f"cannot remove the route to {route}: {error}") from None


def ours(netlink: Netlink) -> set[Route]:
    """What bears our number in our tables, whichever process left it there. Raises NetworkError."""
    found = set()
    for family in (AF_INET, AF_INET6):
        question = rtmsg()
        question["family"], question["proto"] = family, numbers.PROTOCOL
        for entry in netlink.dump(RTM_GETROUTE, question):
            if entry["proto"] == numbers.PROTOCOL and entry.get_attr("RTA_TABLE") in TABLES:
                found.add(_read(entry))
    return found


def _read(entry: Message) -> Route:
    everything = "0.0.0.0" if entry["family"] == AF_INET else "::"
    network = ip_network(f"{entry.get_attr('RTA_DST') or everything}/{entry['dst_len']}")
    if entry["type"] != _UNICAST:
        return Route(network)
    source = entry.get_attr("RTA_PREFSRC")
    return Route(network, int(entry.get_attr("RTA_OIF")), ip_address(source) if source else None)


def _message(route: Route) -> Message:
    message = rtmsg()
    version, guard = route.network.version, route.index is None
    message["family"] = AF_INET if version == 4 else AF_INET6
    message["dst_len"] = route.network.prefixlen
    message["table"] = _TABLE_IN_ATTRIBUTE
    message["proto"] = numbers.PROTOCOL
    message["type"] = _UNREACHABLE if guard else _UNICAST
    if version == 4:
        message["scope"] = _UNIVERSE if guard else _LINK
    attributes: list[tuple[str, object]] = [
        ("RTA_DST", str(route.network.network_address)),
        ("RTA_TABLE", route.table),
        ("RTA_PRIORITY", numbers.GUARD_METRIC if guard else numbers.METRIC),
    ]
    if route.index is not None:
        attributes.append(("RTA_OIF", route.index))
    if route.source is not None:
        attributes.append(("RTA_PREFSRC", str(route.source)))
    message["attrs"] = attributes
    return message
