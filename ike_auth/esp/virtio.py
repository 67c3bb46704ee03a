# SPDX-License-Identifier: ISC
"""`struct virtio_net_hdr`, which stands before each packet of a TUN device with IFF_VNET_HDR (virtio 1.2, 5.1.6).

The kernel leaves checksums and segmentation to whoever comes after it (NEEDS_CSUM, gso_type), and takes packets
that are left to it in the same way. Fields have the byte order of the machine, as TUN devices have it unless told
otherwise.
"""

from __future__ import annotations

from enum import IntEnum
from struct import Struct
from typing import NamedTuple

from ike_auth.esp.checksums import Buffer
from ike_auth.esp.drops import Dropped, Reason

_FIELDS = Struct("=BBHHHH")
NEEDS_CHECKSUM = 1
_ECN = 0x80  # a flag beside the type: the first segment carries CWR


class Gso(IntEnum):
    NONE = 0
    TCPV4 = 1
    TCPV6 = 4
    UDP = 5  # GSO_UDP_L4


class VirtioHeader(NamedTuple):
    flags: int = 0
    gso: int = Gso.NONE
    header_size: int = 0  # of the headers that each segment gets
    segment_size: int = 0  # of the payload of each segment but the last
    checksum_start: int = 0  # where the sum begins
    checksum_offset: int = 0  # from there, where it is stored

    @classmethod
    def decode(cls, frame: Buffer, size: int) -> VirtioHeader:
        """Raises Dropped(BAD_FRAME). `size` is 10, or 12 with num_buffers."""
        if len(frame) < size:
            raise Dropped(Reason.BAD_FRAME)
        flags, gso, *others = _FIELDS.unpack_from(frame)
        return cls(flags, gso & ~_ECN, *others)

    def encode(self, size: int) -> bytes:
        return _FIELDS.pack(*self) + bytes(size - _FIELDS.size)
