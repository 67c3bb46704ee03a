# SPDX-License-Identifier: ISC
"""Who takes part."""

from dataclasses import dataclass
from ipaddress import IPv4Network

AUTHORITY = "Demo CA"
ROAD_WARRIOR = "alice@example.org"


@dataclass(frozen=True, slots=True)
class Host:
    """A gateway, as the demo calls it and as its peers know it."""

    name: str
    fqdn: str
    address: str
    network: IPv4Network


GATEWAY_A = Host("gw-a", "gw-a.example.org", "127.0.0.11", IPv4Network("10.1.0.0/16"))
GATEWAY_B = Host("gw-b", "gw-b.example.org", "127.0.0.12", IPv4Network("10.2.0.0/16"))
# Where gateway A should be, and after its traffic; only the name in the certificate is another.
IMPOSTOR = Host("impostor", "printer.example.org", GATEWAY_A.address, GATEWAY_A.network)

# Nobody speaks from here: a demo that runs holds its ports at this address, so that another chooses others.
RESERVATION = "127.0.0.10"
