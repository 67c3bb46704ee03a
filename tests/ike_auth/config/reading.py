# SPDX-License-Identifier: ISC
"""Configurations for these tests, and what is said about them."""

from dataclasses import dataclass

from ike_auth.config.errors import ConfigError
from ike_auth.config.isakmpd import parse
from ike_auth.config.model import Configuration

# Line 1 of the text is the first line after the quotes: locations in tests count from there.
TUNNEL = """\
[Phase 1]
192.0.2.2= east
[Phase 2]
Connections= west-east
[east]
Phase= 1
Authentication= correct horse battery
[west-east]
Phase= 2
ISAKMP-peer= east
Configuration= quick-mode
Local-ID= west-net
Remote-ID= east-net
[quick-mode]
EXCHANGE_TYPE= QUICK_MODE
Suites= QM-ESP-AES-256-SHA2-256-PFS-GRP14-SUITE
[west-net]
ID-type= IPV4_ADDR_SUBNET
Network= 10.1.0.0
Netmask= 255.255.0.0
[east-net]
ID-type= IPV4_ADDR_SUBNET
Network= 10.2.0.0
Netmask= 255.255.0.0
"""


@dataclass(frozen=True)
class Complaints:
    errors: list[str]
    warnings: list[str]


def complaints(text: str) -> Complaints:
    """What is said of a configuration, whether it can be used or not; the file is called `vpn`."""
    try:
        return Complaints([], list(map(str, parse(text, "vpn").warnings)))
    except ConfigError as error:
        return Complaints(list(map(str, error.problems)), list(map(str, error.warnings)))


def errors(text: str) -> list[str]:
    return complaints(text).errors


def warnings(text: str) -> list[str]:
    found = complaints(text)
    assert found.errors == []
    return found.warnings


def configuration(text: str) -> Configuration:
    """One about which there is nothing to say."""
    found = parse(text, "vpn")
    assert found.warnings == ()
    return found


def tunnel(**replacements: str) -> str:
    """TUNNEL with other values for some tags, the first of that name: `tunnel(Suites="…", ISAKMP_peer="…")`. A tag
    that it lacks is added at the end of the peer's section, which is line 8."""
    text = TUNNEL
    for name, value in replacements.items():
        tag = name.replace("_", "-")
        before, found, after = text.partition(f"\n{tag}= ")
        if found:
            text = before + found + value + after[after.index("\n") :]
        else:
            text = text.replace("[west-east]\n", f"{tag}= {value}\n[west-east]\n")
    return text
