# SPDX-License-Identifier: ISC
"""DSCP and ECN across the tunnel: RFC 4301 5.1.2, RFC 6040.

Into the tunnel both are copied to the outer header (RFC 6040 4.1, normal mode), so the outer TOS is simply the
inner one. Out of it, the inner DSCP stays, and ECN is combined. Counting TTL down is the job of who forwards to and
from the TUN device, the kernel.
"""

from typing import Final

from ike_auth.esp.checksums import updated

NOT_ECT, ECT_1, ECT_0, CE = range(4)

# RFC 6040 4.2, figure 4, [inner][outer]; None: drop, for somebody on the way has seen congestion and this packet
# can't say so.
_COMBINED: Final = (
    (NOT_ECT, NOT_ECT, NOT_ECT, None),
    (ECT_1, ECT_1, ECT_1, CE),
    (ECT_0, ECT_1, ECT_0, CE),
    (CE, CE, CE, CE),
)


def combined(inner: int, outer: int) -> int | None:
    """ECN of the packet that leaves the tunnel; None if it has to be dropped. Both arguments are ECN fields, 0 to
    3.
    """
    return _COMBINED[inner][outer]


def with_ecn(packet: bytes, ecn: int) -> bytes:
    """The same IPv4 or IPv6 packet with another ECN field."""
    changed = bytearray(packet)
    if packet[0] >> 4 == 4:
        before = packet[1]
        changed[1] = before & 0xFC | ecn
        sum = updated(int.from_bytes(packet[10:12], "big"), before, changed[1])
        changed[10:12] = sum.to_bytes(2, "big")
    else:
        changed[1] = packet[1] & 0xCF | ecn << 4
    return bytes(changed)
