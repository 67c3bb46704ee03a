# SPDX-License-Identifier: ISC
"""Interfaces and their addresses."""

import errno
import fcntl
import struct
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv6Interface, ip_address
from socket import AF_INET, AF_INET6, AF_UNSPEC

from pyroute2.netlink.rtnl import RTM_GETADDR, RTM_GETLINK, RTM_NEWADDR, RTM_NEWLINK, RTM_NEWLINKPROP
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg

from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.netlink import CREATE, EXCLUSIVE, REPLACE, Netlink, Refused
from ike_auth.network import IPAddress

SMALLEST_MTU = 1280  # with less, Linux turns IPv6 off on an interface (RFC 8200 5)
_UP = 0x1
_SIOCGIFFLAGS, _IFREQ = 0x8913, struct.Struct("16sH22x")  # netdevice(7)
_NO_DUPLICATES = 0x02  # IFA_F_NODAD: usable at once
_NO_ADDRESSES = 1  # IN6_ADDR_GEN_MODE_NONE
_OURS = "ike-auth"
HOLDS_ONE = "one network namespace holds one ike-auth"
_QUEUE = 5000  # packets that wait to be read: a tenth of a second of small ones, while a handshake is computed


@dataclass(frozen=True, slots=True)
class Address:
    """One of our addresses, and the interface that has it."""

    address: IPAddress
    index: int


def index(netlink: Netlink, name: str) -> int:
    """The number of an interface. Raises NetworkError if there is none of that name."""
    for link in netlink.dump(RTM_GETLINK, ifinfmsg()):
        if link.get_attr("IFLA_IFNAME") == name:
            return int(link["index"])
    raise NetworkError(f"there is no interface `{name}`")


def is_up(netlink: Netlink, name: str) -> bool:
    """Of an interface of the namespace that `netlink` speaks to; False if there is none of that name."""
    request = _IFREQ.pack(name.encode(), 0)
    try:  # any socket will do; this is quicker than to read about all interfaces
        return bool(_IFREQ.unpack(fcntl.ioctl(netlink.fileno(), _SIOCGIFFLAGS, request))[1] & _UP)
    except OSError:
        return False


def set_up(netlink: Netlink, number: int, mtu: int | None = None) -> None:
    """Raises NetworkError."""
    attributes: list[tuple[str, object]] = [] if mtu is None else [("IFLA_MTU", mtu)]
    _change(netlink, number, attributes, _UP)


def set_up_tun(netlink: Netlink, number: int, mtu: int) -> None:
    """Up, known as ours, and without a link-local address: that would send its own packets.

    Raises NetworkError, also if another process has one in this namespace, or gets one at this moment.
    """
    _claim(netlink, number)
    quiet = {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", _NO_ADDRESSES)]})]}
    _change(netlink, number, [("IFLA_IFALIAS", _OURS), ("IFLA_AF_SPEC", quiet), ("IFLA_TXQLEN", _QUEUE)])
    set_up(netlink, number, max(mtu, SMALLEST_MTU))


def others(netlink: Netlink, number: int) -> list[str]:
    """Names of TUN devices that `set_up_tun` has claimed for another process that is still there."""
    return [
        str(link.get_attr("IFLA_IFNAME"))
        for link in netlink.dump(RTM_GETLINK, ifinfmsg())
        if link.get_attr("IFLA_IFALIAS") == _OURS and link["index"] != number
    ]


def _claim(netlink: Netlink, number: int) -> None:
    """Give the device a second name. The kernel keeps names unique, and forgets this one with the device, and so with
    the process, however that ends; nobody without CAP_NET_ADMIN can take it before us. Raises NetworkError if another
    interface has it.
    """
    message = ifinfmsg()
    message["index"] = number
    message["attrs"] = [("IFLA_PROP_LIST", {"attrs": [("IFLA_ALT_IFNAME", _OURS)]})]
    try:
        netlink.change(RTM_NEWLINKPROP, message, CREATE | EXCLUSIVE)
    except Refused as error:
        if error.errno == errno.EOPNOTSUPP:  # before Linux 5.5
            return
        if error.errno != errno.EEXIST:
            raise
        if not _is_called_ours(netlink, number):
            raise NetworkError(f"an interface here is called `{_OURS}`: {HOLDS_ONE}") from None


def _is_called_ours(netlink: Netlink, number: int) -> bool:
    """The device was set down and is to be set up again."""
    found = (link for link in netlink.dump(RTM_GETLINK, ifinfmsg()) if link["index"] == number)
    named = (link.get_attr("IFLA_PROP_LIST") for link in found)
    return any(_OURS in names.altnames() for names in named if names is not None)


def add_address(netlink: Netlink, number: int, address: IPv4Interface | IPv6Interface) -> None:
    """Give an interface an address; one that it has already is no error. Raises NetworkError."""
    message = ifaddrmsg()
    message["family"] = AF_INET if address.version == 4 else AF_INET6
    message["prefixlen"] = address.network.prefixlen
    message["index"] = number
    message["flags"] = _NO_DUPLICATES if address.version == 6 else 0
    message["attrs"] = [("IFA_LOCAL", str(address.ip)), ("IFA_ADDRESS", str(address.ip))]
    netlink.change(RTM_NEWADDR, message, CREATE | REPLACE)


def addresses(netlink: Netlink) -> list[Address]:
    """Ours, in the kernel's order. Raises NetworkError."""
    message = ifaddrmsg()
    message["family"] = AF_UNSPEC
    found = []
    for entry in netlink.dump(RTM_GETADDR, message):
        # With a peer's address on a point-to-point interface, IFA_ADDRESS is the peer's.
        own = entry.get_attr("IFA_LOCAL") or entry.get_attr("IFA_ADDRESS")
        found.append(Address(ip_address(own), int(entry["index"])))
    return found


def _change(netlink: Netlink, number: int, attributes: list[tuple[str, object]], flags: int = 0) -> None:
    message = ifinfmsg()
    message["index"] = number
    message["flags"] = message["change"] = flags
    message["attrs"] = attributes
    netlink.change(RTM_NEWLINK, message)
