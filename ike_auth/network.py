# SPDX-License-Identifier: ISC
"""Where datagrams come from and go to, and when: the plain values of transport."""

from datetime import datetime
from ipaddress import IPv4Address, IPv6Address
from typing import NamedTuple

from ike_auth.values import value

IPAddress = IPv4Address | IPv6Address


class Endpoint(NamedTuple):
    """One end of a UDP conversation."""

    host: IPAddress
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if self.host.version == 6 else f"{self.host}:{self.port}"


class Now(NamedTuple):
    """Seconds of a clock that never jumps, for timers; and aware UTC, for certificates and policy."""

    monotonic: float
    utc: datetime


@value
class Datagram:
    """One IKE message as it came, the non-ESP marker of RFC 3948 already taken off."""

    data: bytes
    local: Endpoint
    remote: Endpoint


class EspDatagrams(NamedTuple):
    """ESP in UDP: packets of `size` bytes one behind the other, the last of which may be shorter. `tos` is DSCP and
    ECN of the outer header. They come like this from one peer in a burst, and go like this."""

    data: bytes
    size: int
    local: Endpoint
    remote: Endpoint
    tos: int = 0
