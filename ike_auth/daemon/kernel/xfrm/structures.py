# SPDX-License-Identifier: ISC
"""The structures that XFRM's messages share (linux/xfrm.h), each a value with `decode` and `encode`.

Numbers are in this machine's byte order, but for addresses, SPIs and ports. Addresses take 16 bytes, whichever family
they are of; the family stands elsewhere. Every `decode` raises MalformedNetlink.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass
from ipaddress import IPv4Address, IPv6Address
from socket import AF_INET, AF_INET6
from struct import Struct

from ike_auth.daemon.kernel.xfrm.numbers import EVERY_ALGORITHM, INFINITE, Mode, Protocol, Share
from ike_auth.daemon.netlink_messages import MalformedNetlink, unpacked
from ike_auth.network import IPAddress
from ike_auth.wire.identities import IPNetwork

NO_FAMILY = 0  # AF_UNSPEC
NO_SPI = bytes(4)
_PORTS = Struct("!HH")
_SELECTOR = Struct("=16s16s4s4sHBBB3xiI")
_LIMITS = Struct("=8Q")
_COUNTED = Struct("=4Q")
_TEMPLATE = Struct("=16s4sB3xH2x16sIBBBx3I")


def family(address: IPAddress | IPNetwork) -> int:
    return AF_INET if address.version == 4 else AF_INET6


def unspecified(family: int) -> IPAddress:
    return IPv6Address(0) if family == AF_INET6 else IPv4Address(0)


def encode_address(address: IPAddress) -> bytes:
    return address.packed.ljust(16, b"\0")


def decode_address(data: bytes, family: int) -> IPAddress:
    """Of 16 bytes. Those of no family have to be zero."""
    if family == AF_INET6:
        return IPv6Address(data)
    if family == AF_INET or (family == NO_FAMILY and not any(data)):
        return IPv4Address(data[:4])
    raise MalformedNetlink(f"an address of family {family}")


@dataclass(frozen=True, slots=True)
class Ports:
    """Those whose bits under `mask` are those of `value`. With ICMP they are type and code."""

    value: int = 0
    mask: int = 0

    @classmethod
    def only(cls, value: int) -> Ports:
        return cls(value, 0xFFFF)

    @classmethod
    def decode(cls, data: bytes) -> Ports:
        return cls(*_PORTS.unpack(data))

    def encode(self) -> bytes:
        return _PORTS.pack(self.value, self.mask)


ANY_PORT = Ports()


@dataclass(frozen=True, slots=True)
class Prefix:
    """An address and how many of its bits count."""

    address: IPAddress
    length: int

    @classmethod
    def of(cls, addresses: IPNetwork | IPAddress) -> Prefix:
        if isinstance(addresses, IPv4Address | IPv6Address):
            return cls(addresses, addresses.max_prefixlen)
        return cls(addresses.network_address, addresses.prefixlen)


NOWHERE = Prefix(IPv4Address(0), 0)


@dataclass(frozen=True, slots=True)
class TrafficSelector:
    """`xfrm_selector`: which packets."""

    source: Prefix
    destination: Prefix
    protocol: int = 0
    source_ports: Ports = ANY_PORT
    destination_ports: Ports = ANY_PORT
    family: int = NO_FAMILY  # of the packets
    interface: int = 0
    user: int = 0

    @classmethod
    def decode(cls, data: bytes, otherwise: int = NO_FAMILY) -> TrafficSelector:
        """`otherwise`: the family of the addresses if it says none; the kernel's own SAs are like that."""
        (destination, source, destination_ports, source_ports, family, destination_length, source_length,
         protocol, interface, user) = unpacked(_SELECTOR, data)  # fmt: skip
        inner = family or (otherwise if any(source + destination) else NO_FAMILY)
        return cls(
            Prefix(decode_address(source, inner), source_length),
            Prefix(decode_address(destination, inner), destination_length),
            protocol,
            Ports.decode(source_ports),
            Ports.decode(destination_ports),
            family,
            interface,
            user,
        )

    def encode(self) -> bytes:
        return _SELECTOR.pack(
            encode_address(self.destination.address),
            encode_address(self.source.address),
            self.destination_ports.encode(),
            self.source_ports.encode(),
            self.family,
            self.destination.length,
            self.source.length,
            self.protocol,
            self.interface,
            self.user,
        )


EVERYTHING = TrafficSelector(NOWHERE, NOWHERE)  # an SA with this one takes all of its own family


@dataclass(frozen=True, slots=True)
class Limits:
    """`xfrm_lifetime_cfg`: after how much an SA is to be replaced, and after how much it is gone; 0 s is never."""

    soft_bytes: int = INFINITE
    hard_bytes: int = INFINITE
    soft_packets: int = INFINITE
    hard_packets: int = INFINITE
    soft_seconds: int = 0  # since it was added
    hard_seconds: int = 0
    soft_use_seconds: int = 0  # since it was first used
    hard_use_seconds: int = 0

    @classmethod
    def decode(cls, data: bytes, position: int = 0) -> Limits:
        return cls(*unpacked(_LIMITS, data, position))

    def encode(self) -> bytes:
        return _LIMITS.pack(*astuple(self))


UNLIMITED = Limits()


@dataclass(frozen=True, slots=True)
class Counted:
    """`xfrm_lifetime_cur`; times are seconds since 1970, 0: not yet."""

    octets: int = 0
    packets: int = 0
    added: int = 0
    used: int = 0

    @classmethod
    def decode(cls, data: bytes, position: int = 0) -> Counted:
        return cls(*unpacked(_COUNTED, data, position))

    def encode(self) -> bytes:
        return _COUNTED.pack(*astuple(self))


NOTHING_COUNTED = Counted()


@dataclass(frozen=True, slots=True)
class Template:
    """`xfrm_user_tmpl`: through which SA. `request` is the number that both have in common (reqid), 0: any."""

    SIZE = _TEMPLATE.size

    source: IPAddress
    destination: IPAddress
    protocol: int = Protocol.ESP
    mode: int = Mode.TUNNEL
    request: int = 0
    optional: bool = False
    spi: bytes = NO_SPI
    share: int = Share.ANY
    authentication_algorithms: int = EVERY_ALGORITHM  # bits
    encryption_algorithms: int = EVERY_ALGORITHM
    compression_algorithms: int = EVERY_ALGORITHM

    @classmethod
    def decode(cls, data: bytes, position: int = 0) -> Template:
        destination, spi, protocol, family, source, request, mode, share, optional, *algorithms = unpacked(
            _TEMPLATE, data, position
        )
        return cls(
            decode_address(source, family),
            decode_address(destination, family),
            protocol,
            mode,
            request,
            bool(optional),
            spi,
            share,
            *algorithms,
        )

    def encode(self) -> bytes:
        return _TEMPLATE.pack(
            encode_address(self.destination),
            self.spi,
            self.protocol,
            family(self.destination),
            encode_address(self.source),
            self.request,
            self.mode,
            self.share,
            self.optional,
            self.authentication_algorithms,
            self.encryption_algorithms,
            self.compression_algorithms,
        )


def decode_templates(data: bytes) -> tuple[Template, ...]:
    if len(data) % Template.SIZE:
        raise MalformedNetlink(f"{len(data)} bytes are no templates")
    return tuple(Template.decode(data, position) for position in range(0, len(data), Template.SIZE))


def encode_templates(templates: Iterable[Template]) -> bytes:
    return b"".join(template.encode() for template in templates)


@dataclass(frozen=True, slots=True)
class Mark:
    """`xfrm_mark`: of packets whose mark under `mask` is `value`."""

    value: int
    mask: int = 0xFFFFFFFF

    _LAYOUT = Struct("=II")

    @classmethod
    def decode(cls, data: bytes) -> Mark:
        return cls(*unpacked(cls._LAYOUT, data))

    def encode(self) -> bytes:
        return self._LAYOUT.pack(self.value, self.mask)
