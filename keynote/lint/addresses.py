# SPDX-License-Identifier: ISC
"""Addresses, networks and ranges that a policy compares with: as the daemon writes them, and which there are not."""

import re
from ipaddress import ip_address, ip_network
from typing import Final

from keynote.lint.flow import Fact
from keynote.schemas.ipsec import ATTRIBUTES, Kind

_FILTERS: Final = ("remote_filter", "local_filter")
_WITH_ADDRESSES: Final = (*_FILTERS, "remote_id")
_ORDERS: Final = ("<", ">", "<=", ">=")

#: A group of an IPv4 address, and what one can begin with.
_GROUP: Final = r"(?:[01][0-9]{2}|2[0-4][0-9]|25[0-5])"
_BEGUN: Final = r"(?:[01][0-9]{0,2}|2(?:[0-4][0-9]?|5[0-5]?)?)?"
#: The beginning of an address as the daemon writes it, or the whole.
_BEGINNING: Final = re.compile(rf"(?:{_GROUP}\.){{0,3}}{_BEGUN}|(?:[0-9a-f]{{4}}:){{0,7}}[0-9a-f]{{0,4}}")
#: What is meant to be addresses, and nothing else.
_MEANT: Final = re.compile(
    r"\s*(?:[0-9]+(?:\.[0-9]+){1,3}\.?|[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)\s*(?:[/-][\s0-9a-fA-F:./-]*)?"
)


def is_beginning(text: str) -> bool:
    """Whether addresses can begin with this, so that comparing with it in their order says something."""
    return _BEGINNING.fullmatch(text) is not None


def as_written(found: Fact) -> str | None:
    """The address, network or range of a constant as the daemon writes it, if that is another text."""
    if not isinstance(found.value, str) or not _is_of_addresses(found):
        return None
    try:
        low, high = _bounds(found.value)
    except ValueError:
        return None
    if found.name.endswith("_upper"):
        low = high
    elif ATTRIBUTES[found.name].kind is Kind.ADDRESS:
        high = low
    text = low if low == high else f"{low}-{high}"
    return None if text == found.value else text


def why_impossible(found: Fact) -> str | None:
    """Why no peer has the network that a constant is; None if one can, and for what is meant as something else."""
    text = found.value
    if not isinstance(text, str) or found.name not in _FILTERS or _MEANT.fullmatch(text) is None:
        return None
    if found.operator in _ORDERS and all(map(is_beginning, text.split("-"))):
        return None
    try:
        _bounds(text)
    except ValueError as error:
        return str(error)
    return None


def _is_of_addresses(found: Fact) -> bool:
    value = str(found.value).strip()
    if value[:1] not in set("0123456789abcdefABCDEF:"):
        return False
    if found.name == "remote_id":  # a name may look like many things, but not like an IPv4 address
        return value.count(".") == 3
    return ATTRIBUTES[found.name].kind is Kind.ADDRESS or found.name in _WITH_ADDRESSES


def _bounds(text: str) -> tuple[str, str]:
    """The first and the last address. Raises ValueError that says what is wrong."""
    first, dash, last = text.partition("-")
    if dash:
        low, high = _expanded(first.strip()), _expanded(last.strip())
        if (":" in low) != (":" in high):
            raise ValueError("its two addresses are of two families")
        if low > high:
            raise ValueError("its lower address is above its upper one")
        return low, high
    address, slash, length = text.partition("/")
    low = _expanded(address.strip())
    if not slash:
        return low, low
    try:
        network = ip_network(f"{_plain(low)}/{length.strip()}", strict=False)
    except ValueError:
        raise ValueError("its prefix is none that a network can have") from None
    return _expanded(str(network[0])), _expanded(str(network[-1]))


def _expanded(text: str) -> str:
    """An address as the daemon writes it. Raises ValueError."""
    if ":" in text:
        try:
            return ip_address(text).exploded
        except ValueError:
            raise ValueError("that is no IPv6 address") from None
    groups = text.split(".")
    if len(groups) != 4 or not all(group.isascii() and group.isdigit() and len(group) <= 3 for group in groups):
        raise ValueError("that is no address")
    if any(int(group) > 255 for group in groups):
        raise ValueError("a group of an IPv4 address is at most 255")
    return ".".join(f"{int(group):03d}" for group in groups)


def _plain(padded: str) -> str:
    return padded if ":" in padded else ".".join(str(int(group)) for group in padded.split("."))
