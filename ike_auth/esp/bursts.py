# SPDX-License-Identifier: ISC
"""ESP packets gathered so that one system call sends many (UDP_SEGMENT)."""

from __future__ import annotations

from typing import NamedTuple

from ike_auth.esp.associations import OutboundSa
from ike_auth.network import Endpoint

MAX_SEGMENTS = 64  # UDP_MAX_SEGMENTS of kernels before 6.9
MAX_SIZE = 65507  # what one datagram of UDP over IPv4 may hold, segmented or not


class Burst(NamedTuple):
    """ESP packets of one SA, one behind the other, each `segment_size` bytes long except the last, which may be
    shorter.

    `udp`: in UDP between the two ports (RFC 3948); otherwise each packet is one of IP protocol 50. `tos` is for the
    outer header. No packet needs fragmentation on the way as far as its MTU is known, so the outer header may say
    so.
    """

    local: Endpoint
    remote: Endpoint
    udp: bool
    tos: int
    segment_size: int
    data: bytes


class Bursts:
    """Bursts under construction, in the order of their packets."""

    __slots__ = ("_bursts", "_packets", "_room", "_sa", "_size", "_tos")

    def __init__(self) -> None:
        self._bursts: list[Burst] = []
        self._packets: list[bytes] = []
        self._sa: OutboundSa | None = None
        self._tos = 0
        self._size = 0
        self._room = 0  # how many more packets of that size fit

    def add(self, sa: OutboundSa, tos: int, packets: list[bytes]) -> None:
        for packet in packets:
            size = len(packet)
            if not (size <= self._size and self._room and tos == self._tos and sa is self._sa):
                self._close()
                self._sa, self._tos, self._size = sa, tos, size
                self._room = min(MAX_SEGMENTS, MAX_SIZE // size)
            self._packets.append(packet)
            self._room = self._room - 1 if size == self._size else 0

    def take(self) -> list[Burst]:
        """What has been gathered."""
        self._close()
        bursts, self._bursts = self._bursts, []
        return bursts

    def _close(self) -> None:
        if self._sa is not None and self._packets:
            sa, data = self._sa, b"".join(self._packets)
            self._bursts.append(Burst(sa.local, sa.remote, sa.udp, self._tos, self._size, data))
            self._packets = []
        self._sa, self._room = None, 0
