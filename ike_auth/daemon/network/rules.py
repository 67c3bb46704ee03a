# SPDX-License-Identifier: ISC
"""Our rules: when our routing tables are looked into.

The longest prefix must win among our routes and those of the main table together, and our own packets to peers must
see the latter only: with 0.0.0.0/0 behind a peer, or the peer's own address, they would come back to us for ever. So
for each prefix length n of our routes, the longest first, there are two rules:

    look into main, for a prefix longer than n
    unless the packet has our mark, look into our table for n

What neither has goes on as if we were not there.
"""

from dataclasses import dataclass
from socket import AF_INET, AF_INET6

from pyroute2.netlink.rtnl import RTM_DELRULE, RTM_GETRULE, RTM_NEWRULE
from pyroute2.netlink.rtnl.fibmsg import fibmsg

from ike_auth.daemon.network import NetworkError, numbers
from ike_auth.daemon.network.netlink import CREATE, EXCLUSIVE, Message, Netlink, Refused

_MAIN, _NO_TABLE = 254, 0
_TABLE_IN_ATTRIBUTE = 252
_TO_TABLE, _NOTHING = 1, 3
_INVERT = 0x2
_UDP = 17
_ABSENT, _THERE = {2, 3}, 17  # ENOENT, ESRCH; EEXIST


@dataclass(frozen=True, slots=True)
class Rule:
    version: int
    priority: int
    table: int = _MAIN
    unmarked: bool = False  # for packets without our mark only
    longer_than: int | None = None  # what the table has for a prefix of this length or less does not count
    port: int = 0  # for UDP from this port of ours only; with table 0, for nothing at all


def for_length(version: int, length: int) -> tuple[Rule, Rule]:
    """Those for our routes to networks of one prefix length."""
    priority = numbers.PRIORITY + 2 * ((32 if version == 4 else 128) - length)
    return (
        Rule(version, priority, longer_than=length),
        Rule(version, priority + 1, numbers.TABLE + length, unmarked=True),
    )


def for_replies(port: int) -> tuple[Rule, Rule]:
    """A strict reverse path filter asks how a peer's packet would be answered, and asks without a mark.

    Only IPv4 has this filter. The first rule does nothing but make the kernel look at the ports of what comes in: for
    rules about the loopback interface, from where the filter asks, it thinks that it need not.
    """
    return Rule(4, numbers.PRIORITY - 2, table=_NO_TABLE, port=port), Rule(4, numbers.PRIORITY - 1, port=port)


def add(netlink: Netlink, rule: Rule) -> None:
    """Adding what is there is no error. Raises NetworkError."""
    try:
        netlink.change(RTM_NEWRULE, _message(rule), CREATE | EXCLUSIVE)
    except Refused as error:
        if error.errno != _THERE:
            raise NetworkError(f"cannot add a routing rule: {error}") from None


def remove(netlink: Netlink, rule: Rule) -> None:
    """Removing what is not there is no error. Raises NetworkError."""
    try:
        netlink.change(RTM_DELRULE, _message(rule))
    except Refused as error:
        if error.errno not in _ABSENT:
            raise NetworkError(f"cannot remove a routing rule: {error}") from None


def ours(netlink: Netlink) -> set[Rule]:
    """What bears our number, whichever process left it there. Raises NetworkError."""
    found = set()
    for family in (AF_INET, AF_INET6):
        question = fibmsg()
        question["family"] = family
        for entry in netlink.dump(RTM_GETRULE, question):
            if entry.get_attr("FRA_PROTOCOL") == numbers.PROTOCOL:
                found.add(_read(entry))
    return found


def _read(entry: Message) -> Rule:
    longer_than = entry.get_attr("FRA_SUPPRESS_PREFIXLEN")
    ports = entry.get_attr("FRA_SPORT_RANGE")
    return Rule(
        4 if entry["family"] == AF_INET else 6,
        entry.get_attr("FRA_PRIORITY") or 0,
        entry.get_attr("FRA_TABLE") or _NO_TABLE,
        bool(entry.get_attr("FRA_FWMARK")),
        None if longer_than in (None, 0xFFFFFFFF) else longer_than,
        int(ports.partition(":")[0]) if ports else 0,
    )


def _message(rule: Rule) -> Message:
    message = fibmsg()
    message["family"] = AF_INET if rule.version == 4 else AF_INET6
    attributes: list[tuple[str, object]] = [("FRA_PRIORITY", rule.priority), ("FRA_PROTOCOL", numbers.PROTOCOL)]
    if rule.table == _NO_TABLE:
        message["action"] = _NOTHING
    else:
        message["action"], message["table"] = _TO_TABLE, _TABLE_IN_ATTRIBUTE
        attributes.append(("FRA_TABLE", rule.table))
    if rule.unmarked:
        message["flags"] = _INVERT
        attributes += [("FRA_FWMARK", numbers.MARK), ("FRA_FWMASK", 0xFFFFFFFF)]
    if rule.longer_than is not None:
        attributes.append(("FRA_SUPPRESS_PREFIXLEN", rule.longer_than))
    if rule.port:
        attributes += [("FRA_IP_PROTO", _UDP), ("FRA_SPORT_RANGE", f"{rule.port}:{rule.port}")]
        if rule.table != _NO_TABLE:
            # The filter's question comes from the loopback interface and from root. Packets that we forward do not,
            # nor do those of users who bind the same port at another address.
            attributes += [("FRA_IIFNAME", "lo"), ("FRA_UID_RANGE", "0:0")]
    message["attrs"] = attributes
    return message
