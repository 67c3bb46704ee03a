# SPDX-License-Identifier: ISC
"""Phase1-ID and IPsec-ID sections: names of peers, and the traffic of tunnels."""

import re
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_network

from ike_auth.config.errors import bracketed, did_you_mean, quoted
from ike_auth.config.ini import Entry
from ike_auth.config.model import IPAddress
from ike_auth.config.reader import Reader
from ike_auth.config.schema import Kind
from ike_auth.config.source import Source
from ike_auth.errors import InvalidIdInformation
from ike_auth.wire.identities import Identity, Selector
from pki.errors import PkiError
from pki.names import dn_from_keynote

VERSIONS = {"IPV4_ADDR": 4, "IPV6_ADDR": 6, "IPV4_ADDR_SUBNET": 4, "IPV6_ADDR_SUBNET": 6}
NAMES: dict[str, Callable[[str], Identity]] = {
    "FQDN": Identity.fqdn,
    "USER_FQDN": Identity.user_fqdn,
    "KEY_ID": lambda name: Identity.key_id(name.encode("utf-8", "surrogateescape")),
    "DER_ASN1_DN": lambda name: Identity.dn(dn_from_keynote(name)),
}
ID_TYPES = [*VERSIONS, *NAMES]

# Names that IPsec-ID sections use (RFC 2407 4.6.2 has numbers); others are written as numbers.
PROTOCOLS = {"icmp": 1, "ipencap": 4, "tcp": 6, "udp": 17, "ipv6": 41, "gre": 47, "esp": 50, "ah": 51}
PROTOCOLS |= {"ipv6-icmp": 58, "ospf": 89, "etherip": 97, "sctp": 132}
PORTS = {"ssh": 22, "domain": 53, "http": 80, "ntp": 123, "snmp": 161, "bgp": 179, "https": 443, "isakmp": 500}
PORTS |= {"syslog": 514, "l2tp": 1701, "l2f": 1701, "radius": 1812, "ipsec-nat-t": 4500}


def peer_identity(source: Source, entry: Entry) -> Identity | None:
    """What `ID=` or `Remote-ID=` of a peer refers to: a name as IKE compares it."""
    section = source.follow(entry.value, entry.where, Kind.PHASE_1_ID, tag=entry.tag)
    kind = _id_type(section) if section else None
    if section is None or kind is None:
        return None
    if kind in NAMES:
        return _named(section, kind)
    if kind.endswith("_SUBNET"):
        message = f"`ID-type`: a subnet cannot name a peer, which {quoted(entry.tag)} in {entry.where} makes it do"
        source.problems.error(section.place("ID-type"), message)
        return None
    address = section.address("Address", required=True)
    return Identity.address(address) if address and _is_version(section, "Address", address, kind) else None


def selector(source: Source, entry: Entry) -> Selector | None:
    """What `Local-ID=` or `Remote-ID=` of a connection refers to."""
    section = source.follow(entry.value, entry.where, Kind.PHASE_2_ID)
    kind = _id_type(section) if section else None
    if section is None or kind is None:
        return None
    if kind in NAMES:
        message = f"`ID-type`: {kind} is not traffic, which {quoted(entry.tag)} in {entry.where} means"
        source.problems.error(section.place("ID-type"), message, f"one of {', '.join(VERSIONS)}")
        return None
    protocol = section.number("Protocol", 0, 0, 255, PROTOCOLS)
    port = section.number("Port", 0, 0, 65535, PORTS)
    if port and not protocol:
        section.problems.error(section.place("Port"), "`Port` needs a `Protocol`", "`Protocol= udp`, for example")
    if kind.endswith("_SUBNET"):
        return _subnet(section, kind, protocol, port)
    address = section.address("Address", required=True)
    if address is None or not _is_version(section, "Address", address, kind):
        return None
    return Selector.of(address, protocol, port)


def _id_type(section: Reader) -> str | None:
    entry = section.entry("ID-type", required=True)
    if entry is None:
        return None
    kind = entry.value.upper()
    if kind not in ID_TYPES:
        hint = did_you_mean(kind, ID_TYPES) or f"one of {', '.join(ID_TYPES)}"
        section.problems.error(entry.where, f"`ID-type`: {quoted(entry.value)} is unknown", hint)
        return None
    return kind


def _named(section: Reader, kind: str) -> Identity | None:
    entry = section.entry("Name", required=True)
    if entry is None:
        return None
    try:
        return NAMES[kind](entry.value).name()
    except InvalidIdInformation as error:
        section.problems.error(entry.where, f"`Name`: {error}")
    except PkiError as error:
        section.problems.error(entry.where, f"`Name`: {error}", error.hint)
    return None


def _subnet(section: Reader, kind: str, protocol: int, port: int) -> Selector | None:
    address = section.address("Network", required=True)
    mask = section.entry("Netmask", required=True)
    if address is None or mask is None or not _is_version(section, "Network", address, kind):
        return None
    prefix = _prefix_length(mask.value, address)
    if prefix is None:
        section.problems.error(mask.where, f"`Netmask`: {quoted(mask.value)} is not a mask of {kind}")
        return None
    network = ip_network((address, prefix), strict=False)
    if network.network_address != address:
        hint = f"`Network= {network.network_address}`"
        message = f"{bracketed(section.name)}: {quoted(str(address))} has bits set outside its mask"
        section.problems.error(section.place("Network"), message, hint)
        return None
    return Selector.of(network, protocol, port)


def _prefix_length(mask: str, address: IPAddress) -> int | None:
    """Of `255.255.255.0`, `ffff::` or `24`; None for a mask with holes or of the other IP version."""
    size = address.max_prefixlen
    if re.fullmatch(r"[0-9]{1,3}", mask):
        return int(mask) if int(mask) <= size else None
    try:
        bits = int(IPv4Address(mask) if address.version == 4 else IPv6Address(mask))
    except ValueError:
        return None
    holes = ~bits & (1 << size) - 1
    return size - holes.bit_length() if holes & (holes + 1) == 0 else None


def _is_version(section: Reader, tag: str, address: IPAddress, kind: str) -> bool:
    if address.version == VERSIONS[kind]:
        return True
    message = f"{quoted(tag)}: {quoted(str(address))} is not of type {kind}"
    section.problems.error(section.place(tag), message)
    return False
