# SPDX-License-Identifier: ISC
"""How large an inner packet may be, so that its ESP packet fits the path (RFC 4301 8.2)."""

from ike_auth.network import IPAddress

DEFAULT_MTU = 1500
MIN_MTU = 576  # what IPv4 hosts take (RFC 791 3.1): less is nobody's honest answer
IPV6_MIN_MTU = 1280
_OUTER_HEADER = {4: 20, 6: 40}
_UDP_HEADER = 8
_TRAILER = 2  # pad length and next header


def inner_mtu(outer_mtu: int, remote: IPAddress, udp: bool, overhead: int, alignment: int) -> int:
    """Bytes of the largest inner packet. `overhead` and `alignment` are those of the SA's transform."""
    room = outer_mtu - _OUTER_HEADER[remote.version] - (_UDP_HEADER if udp else 0) - overhead
    return room // alignment * alignment - _TRAILER


def limit(inner_mtu: int, version: int) -> int:
    """The largest inner packet of this IP version to be let through.

    IPv6 has no links below 1280 bytes (RFC 8200 5), so nobody can be told to send less: such a packet is the outer
    network's to fragment (RFC 2473 7.1).
    """
    return inner_mtu if version == 4 else max(inner_mtu, IPV6_MIN_MTU)
