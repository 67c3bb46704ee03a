# SPDX-License-Identifier: ISC
"""A TUN device: IP packets of the kernel to be read, and packets for the kernel to be written.

Each packet has a virtio network header of ten bytes before it, little-endian on every machine: how much of its
checksum is missing, and in what segments it is to be cut if it is longer than the MTU.
"""

import errno
import fcntl
import os
import struct
from collections.abc import Sequence
from typing import Self

from ike_auth.daemon.network import NetworkError

HEADER_SIZE = 10
_PATH = "/dev/net/tun"
_FIRST_FREE = "esp%d"
_LARGEST = HEADER_SIZE + 65535

# linux/if_tun.h
_TUNSETOFFLOAD = 0x400454D0
_TUNSETIFF = 0x400454CA
_TUNGETIFF = 0x800454D2
_TUNSETVNETHDRSZ = 0x400454D8
_TUNSETVNETLE = 0x400454DC
_IFF_TUN, _IFF_NO_PI, _IFF_VNET_HDR = 0x0001, 0x1000, 0x4000
_CSUM, _TSO4, _TSO6, _TSO_ECN, _USO4, _USO6 = 0x01, 0x02, 0x04, 0x08, 0x20, 0x40
_TCP = _CSUM | _TSO4 | _TSO6 | _TSO_ECN
_IFREQ = struct.Struct("16sH22x")
_LONGEST_NAME = 15

# What a device says that was taken away, or that is down.
_GONE = {errno.EBADFD, errno.EIO, errno.EFAULT}


class TunGone(NetworkError):
    """The device was deleted or set down by somebody else."""


class Tun:
    """Gone with the last descriptor of it: it is not persistent."""

    def __init__(self, descriptor: int, name: str, udp_segments: bool) -> None:
        self._descriptor = descriptor
        self.name = name
        self.udp_segments = udp_segments  # whether the kernel hands out UDP in superpackets too (Linux 6.2)

    @classmethod
    def open(cls, name: str = _FIRST_FREE) -> Self:
        """Make a device in this network namespace; `%d` is the first free number. Raises NetworkError."""
        if not 0 < len(name.encode()) <= _LONGEST_NAME:
            raise NetworkError(f"`{name}` cannot name an interface: 1 to {_LONGEST_NAME} bytes")
        try:
            descriptor = os.open(_PATH, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise NetworkError(_why_not(name, error)) from None
        try:
            return cls(descriptor, *_attach(descriptor, name))
        except OSError as error:
            os.close(descriptor)
            raise NetworkError(_why_not(name, error)) from None

    @classmethod
    def adopt(cls, descriptor: int) -> Self:
        """One that `open` made in another process, perhaps in another namespace. Raises NetworkError."""
        try:
            answer = fcntl.ioctl(descriptor, _TUNGETIFF, bytes(_IFREQ.size))
            return cls(descriptor, _name(answer), _offload(descriptor))
        except OSError as error:
            os.close(descriptor)
            raise NetworkError(f"not a usable TUN device: {error.strerror}") from None

    def renew(self) -> None:
        """Where the device was deleted, make another one: in the namespace that the first was in, behind the same
        descriptor. That needs neither that namespace nor /dev/net/tun again. `name` may be another afterwards.

        Raises NetworkError.
        """
        try:
            self.name = _name(fcntl.ioctl(self._descriptor, _TUNGETIFF, bytes(_IFREQ.size)))
        except OSError:
            try:
                self.name, self.udp_segments = _attach(self._descriptor, _FIRST_FREE)
            except OSError as error:
                raise NetworkError(_why_not(_FIRST_FREE, error)) from None

    def fileno(self) -> int:
        return self._descriptor

    def read(self, most: int = 64) -> list[bytes]:
        """What the kernel has sent, up to `most` packets, each after its header. Raises TunGone."""
        packets: list[bytes] = []
        try:
            while len(packets) < most:
                packets.append(os.read(self._descriptor, _LARGEST))
        except BlockingIOError:
            pass
        except OSError as error:
            if not packets:  # else the next call says it
                raise self._failed(error) from None
        return packets

    def write(self, parts: Sequence[bytes | bytearray | memoryview]) -> bool:
        """Hand one packet to the kernel, its header first; `parts` are joined without a copy.

        False if the kernel did not take it: it is malformed, or there is no room. Raises TunGone.
        """
        try:
            os.writev(self._descriptor, parts)
        except OSError as error:
            if error.errno in _GONE:
                raise self._failed(error) from None
            return False
        return True

    def close(self) -> None:
        """Closing twice is no error."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def _failed(self, error: OSError) -> NetworkError:
        if error.errno in _GONE:
            return TunGone(f"`{self.name}` was deleted or set down by somebody else")
        return NetworkError(f"cannot read from `{self.name}`: {error.strerror}")


def _attach(descriptor: int, name: str) -> tuple[str, bool]:
    """Its name, and whether it has UDP segments. Raises OSError."""
    flags = _IFF_TUN | _IFF_NO_PI | _IFF_VNET_HDR
    answer = fcntl.ioctl(descriptor, _TUNSETIFF, _IFREQ.pack(name.encode(), flags))
    fcntl.ioctl(descriptor, _TUNSETVNETHDRSZ, struct.pack("i", HEADER_SIZE))
    fcntl.ioctl(descriptor, _TUNSETVNETLE, struct.pack("i", 1))
    return _name(answer), _offload(descriptor)


def _offload(descriptor: int) -> bool:
    """Whether UDP segments are there besides those of TCP."""
    try:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TCP | _USO4 | _USO6)
    except OSError:
        fcntl.ioctl(descriptor, _TUNSETOFFLOAD, _TCP)
        return False
    return True


def _name(answer: bytes) -> str:
    name: bytes = _IFREQ.unpack(answer)[0]
    return name.rstrip(b"\0").decode()


def _why_not(name: str, error: OSError) -> str:
    why = {
        errno.ENOENT: f"there is no {_PATH} (`modprobe tun`; for a container: `--device {_PATH}`)",
        errno.ENODEV: "the kernel has no TUN driver (`modprobe tun`)",
        errno.EACCES: f"this user may not open {_PATH} (`chmod 0666 {_PATH}` is usual: devices need rights besides)",
        errno.EPERM: "that needs root, CAP_NET_ADMIN, or --rootless",
        errno.EBUSY: "a device of that name is in use",
        errno.EINVAL: "a device of that name is there and is none of ours, or the name is not allowed",
    }.get(error.errno or 0, error.strerror)
    return f"cannot make the TUN device `{name}`: {why}"
