# SPDX-License-Identifier: ISC
"""Addresses, ports and upper protocols as setkey and ipsecadm write them. Nothing is looked up anywhere."""

import re
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address

from ike_auth.config.identities import PORTS, PROTOCOLS
from ike_auth.manual.errors import Refused, did_you_mean, quoted
from ike_auth.manual.statements import Host, Range
from ike_auth.network import IPAddress

# As setkey calls them, besides those of /etc/protocols.
UPPER: Mapping[str, int] = {**PROTOCOLS, "icmp6": 58, "ip4": 4, "ipencap": 4, "dccp": 33, "udplite": 136}
ICMP, GRE, ICMPV6 = 1, 47, 58
ANY_NUMBER = 255  # how Linux's setkey shows `any`

_ADDRESS = re.compile(r"([^/\[\]]*)(?:/([0-9]{1,3}))?(?:\[([^\[\]]*)\])?")
_NUMBER = re.compile(r"[0-9]{1,10}")
_HEX = re.compile(r"0[xX][0-9a-fA-F]{1,8}")


def address(text: str) -> IPAddress:
    """Raises Refused."""
    try:
        found = ip_address(text)
    except ValueError:
        hint = "names of hosts and interfaces are not looked up" if text else ""
        raise Refused(f"{quoted(text)} is not an IP address", hint) from None
    if getattr(found, "scope_id", None):
        raise Refused(f"{quoted(text)} has a scope, which is not supported yet")
    return found


def host(text: str) -> Host:
    """`address` or `address[port]`. Raises Refused."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise Refused(f"{quoted(text)} is neither an address nor `address[port]`")
    if found[2]:
        raise Refused(f"{quoted(text)}: an SA is between two hosts, and has no prefix")
    return Host(address(found[1]), _port(found[3]))


def range_of(text: str) -> Range:
    """`address`, `address/prefix`, either with `[port]`. Raises Refused."""
    found = _ADDRESS.fullmatch(text)
    if found is None:
        raise Refused(f"{quoted(text)} is not `address/prefix[port]`")
    base = address(found[1])
    prefix = base.max_prefixlen if found[2] is None else int(found[2])
    if prefix > base.max_prefixlen:
        raise Refused(f"{quoted(text)}: a prefix of IPv{base.version} has at most {base.max_prefixlen} bits")
    return Range(base, prefix, _port(found[3]))


def _port(text: str | None) -> int | None:
    if text is None or text == "any":
        return None
    return port(text)


def port(text: str) -> int:
    """Raises Refused."""
    if text in PORTS:
        return PORTS[text]
    if not _NUMBER.fullmatch(text) or int(text) > 65535:
        raise Refused(f"{quoted(text)} is not a port", did_you_mean(text, PORTS) or "a number up to 65535, or `any`")
    return int(text)


def upper(text: str) -> int | None:
    """An upper protocol by name or number; None for any. Raises Refused."""
    if text == "any":
        return None
    if text in UPPER:
        return UPPER[text]
    if not _NUMBER.fullmatch(text) or int(text) > 255:
        raise Refused(
            f"{quoted(text)} is not a protocol", did_you_mean(text, UPPER) or "a number up to 255, or `any`"
        )
    return None if int(text) == ANY_NUMBER else int(text)


def icmp(text: str) -> tuple[int, int]:
    """`type,code`. Raises Refused."""
    type, comma, code = text.partition(",")
    numbers = [number for number in (type, code) if _NUMBER.fullmatch(number) and int(number) <= 255]
    if not comma or len(numbers) != 2:
        raise Refused(f"{quoted(text)} is not `type,code`", "two numbers up to 255 without a blank: `135,0`")
    return int(type), int(code)


def gre_key(text: str) -> int:
    """A number, or four of them as in an IPv4 address. Raises Refused."""
    if _NUMBER.fullmatch(text) and int(text) < 2**32:
        return int(text)
    try:
        return int(IPv4Address(text))
    except ValueError:
        raise Refused(f"{quoted(text)} is not a GRE key", "`1234` or `0.0.4.210`") from None


def spi(text: str) -> int:
    """Decimal or 0x. Raises Refused, in words that hold no more than a number."""
    if _NUMBER.fullmatch(text):
        number = int(text)
    elif _HEX.fullmatch(text):
        number = int(text, 16)
    else:
        raise Refused("this is not an SPI", "a number from 256 to 4294967295, decimal or 0x…")
    if not 256 <= number < 2**32:  # RFC 4303 2.1: IANA has those below
        raise Refused(f"SPI {number} is out of range", "from 256 to 4294967295")
    return number
