# SPDX-License-Identifier: ISC
"""Identities, RFC 2407 4.6.2: who a peer says it is in Phase 1, and which traffic it means in Phase 2."""

from __future__ import annotations

import re
from dataclasses import replace
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
)
from struct import Struct
from typing import ClassVar

from ike_auth.errors import InvalidIdInformation, MalformedMessage
from ike_auth.values import value
from ike_auth.wire.numbers import IdType, PayloadType
from pki import names
from pki.errors import DerInvalid

IPAddress = IPv4Address | IPv6Address
IPNetwork = IPv4Network | IPv6Network

MAX_NAME = 255  # of an FQDN in its text form (RFC 1035 2.3.4); mail addresses are held to it as well
_HEAD = Struct("!BBH")
_USUAL = 64  # bytes of an identity: most names, all networks
_ADDRESS_SIZES = {
    IdType.IPV4_ADDR: 4,
    IdType.IPV4_ADDR_SUBNET: 8,
    IdType.IPV4_ADDR_RANGE: 8,
    IdType.IPV6_ADDR: 16,
    IdType.IPV6_ADDR_SUBNET: 32,
    IdType.IPV6_ADDR_RANGE: 32,
}
_DOMAIN = re.compile(rb"[A-Za-z0-9_-]{1,63}(\.[A-Za-z0-9_-]{1,63})*")
_HOSTS = (IdType.IPV4_ADDR, IdType.IPV6_ADDR)
_SUBNETS = (IdType.IPV4_ADDR_SUBNET, IdType.IPV6_ADDR_SUBNET)
_PROTOCOL_NAMES = {1: "icmp", 6: "tcp", 17: "udp", 47: "gre", 50: "esp", 51: "ah", 58: "icmp6", 132: "sctp"}
# RFC 2407 4.6.2 wants 0 and 0, or UDP and 500; behind NAT (RFC 3947 5) some say 4500, and some UDP with port 0.
_PHASE_1_PORTS = {(0, 0), (17, 0), (17, 500), (17, 4500)}


@value
class Identity:
    """The ID payload, RFC 2407 4.6.2. `data` is as it stands on the wire, whatever it holds."""

    kind: ClassVar[PayloadType] = PayloadType.ID

    type: IdType
    protocol: int
    port: int
    data: bytes

    @classmethod
    def decode(cls, body: bytes) -> Identity:
        return _usual(body) if len(body) <= _USUAL else _decoded(body)

    def encode(self) -> bytes:
        return _HEAD.pack(self.type, self.protocol, self.port) + self.data

    # --- from typed and textual forms

    @classmethod
    def fqdn(cls, name: str) -> Identity:
        return cls(IdType.FQDN, 0, 0, _ascii(name))

    @classmethod
    def user_fqdn(cls, name: str) -> Identity:
        return cls(IdType.USER_FQDN, 0, 0, _ascii(name))

    @classmethod
    def address(cls, address: IPAddress, protocol: int = 0, port: int = 0) -> Identity:
        return cls(_by_version(IdType.IPV4_ADDR, IdType.IPV6_ADDR, address), protocol, port, address.packed)

    @classmethod
    def subnet(cls, network: IPNetwork, protocol: int = 0, port: int = 0) -> Identity:
        type = _by_version(IdType.IPV4_ADDR_SUBNET, IdType.IPV6_ADDR_SUBNET, network.network_address)
        return cls(type, protocol, port, network.network_address.packed + network.netmask.packed)

    @classmethod
    def range(cls, low: IPAddress, high: IPAddress, protocol: int = 0, port: int = 0) -> Identity:
        type = _by_version(IdType.IPV4_ADDR_RANGE, IdType.IPV6_ADDR_RANGE, low)
        return cls(type, protocol, port, low.packed + high.packed)

    @classmethod
    def dn(cls, der: bytes) -> Identity:
        """From the DER of an X.501 name, as it stands in a certificate."""
        return cls(IdType.DER_ASN1_DN, 0, 0, der)

    @classmethod
    def key_id(cls, data: bytes) -> Identity:
        return cls(IdType.KEY_ID, 0, 0, data)

    # --- as the name of a peer

    def bare(self) -> Identity:
        """The same name without protocol and port: what two identities of peers are compared by."""
        return self if not (self.protocol or self.port) else replace(self, protocol=0, port=0)

    def normalized(self) -> Identity:
        """Bare, and with FQDN and mail domain in lower case, as names of that kind compare."""
        data = self.data
        if self.type == IdType.FQDN:
            data = data.lower()
        elif self.type == IdType.USER_FQDN:
            local, at, domain = data.rpartition(b"@")
            data = local + at + domain.lower()
        return self.bare() if data == self.data else Identity(self.type, 0, 0, data)

    def name(self) -> Identity:
        """Checked, and normalized. Raises InvalidIdInformation."""
        return _usual_name(self) if len(self.data) <= _USUAL else self.checked().normalized()

    def checked(self) -> Identity:
        """This identity, if it can be the name of a peer in Phase 1.

        Raises InvalidIdInformation for subnets and ranges, types without a meaning here, lengths that do not fit,
        text with NUL, blanks, control or non-ASCII characters, wildcards, empty names, and DER that is no name.
        """
        if (self.protocol, self.port) not in _PHASE_1_PORTS:
            raise InvalidIdInformation(f"identity for protocol {self.protocol}, port {self.port}")
        match self.type:
            case IdType.IPV4_ADDR | IdType.IPV6_ADDR:
                self._check_size()
            case IdType.FQDN:
                _check_fqdn(self.data)
            case IdType.USER_FQDN:
                _check_user_fqdn(self.data)
            case IdType.DER_ASN1_DN:
                _check_dn(self.data)
            case IdType.KEY_ID:
                if not self.data:
                    raise InvalidIdInformation("empty key id")
            case _:
                raise InvalidIdInformation(f"{self.type} cannot name a peer")
        return self

    @property
    def ip_address(self) -> IPAddress | None:
        """The address, where the identity is one."""
        if self.type not in _HOSTS or len(self.data) != _ADDRESS_SIZES[self.type]:
            return None
        return _address(self.data)

    @property
    def text(self) -> str:
        """The name without its type. Bytes that are not printable ASCII come out as `\\xNN`."""
        data = self.data
        if len(data) == _ADDRESS_SIZES.get(self.type):
            half = len(data) // 2
            if self.type in _HOSTS:
                return str(_address(data))
            separator = "/" if self.type in _SUBNETS else "-"
            low, high = _address(data[:half]), _address(data[half:])
            network = _network(data) if self.type in _SUBNETS else None
            return str(network or f"{low}{separator}{high}")
        if self.type == IdType.DER_ASN1_DN:
            return _dn_text(data)
        return _printable(data)

    def __str__(self) -> str:
        suffix = _service(self.protocol, self.port)
        return f"{self.type} {self.text}{suffix}"

    def _check_size(self) -> None:
        if len(self.data) != _ADDRESS_SIZES[self.type]:
            raise InvalidIdInformation(f"{self.type} of {len(self.data)} bytes")


def _decoded(body: bytes) -> Identity:
    if len(body) < _HEAD.size:
        raise MalformedMessage(f"needs {_HEAD.size} bytes where {len(body)} are left")
    type, protocol, port = _HEAD.unpack_from(body)
    return Identity(IdType(type), protocol, port, body[_HEAD.size :])


# Peers come again, and with them their names and networks.
_usual = lru_cache(512)(_decoded)
_usual_name = lru_cache(512)(lambda identity: identity.checked().normalized())


@value
class Selector:
    """Which traffic a Phase 2 identity means: addresses from `low` to `high`, and 0 for any protocol or port."""

    low: IPAddress
    high: IPAddress
    protocol: int = 0
    port: int = 0

    @classmethod
    def of(cls, addresses: IPNetwork | IPAddress, protocol: int = 0, port: int = 0) -> Selector:
        if isinstance(addresses, IPv4Network | IPv6Network):
            return cls(addresses[0], addresses[-1], protocol, port)
        return cls(addresses, addresses, protocol, port)

    @classmethod
    def from_identity(cls, identity: Identity) -> Selector:
        """What a quick mode client identity means (RFC 2407 4.6.2).

        Raises InvalidIdInformation for names, wrong lengths, masks with holes or host bits, and reversed ranges.
        """
        return _meant(identity)

    def identity(self) -> Identity:
        """The shortest identity that means this: an address, a subnet, or else a range."""
        return _meaning(self)

    @property
    def network(self) -> IPNetwork | None:
        """The addresses as one network, where they are one."""
        host_bits = self._host_bits
        return None if host_bits is None else _subnet(self.low.packed, host_bits)

    @property
    def is_network(self) -> bool:
        """Whether the addresses are one network, be it of a single address."""
        return self._host_bits is not None

    @property
    def _host_bits(self) -> int | None:
        low, high = int(self.low), int(self.high)
        host_bits = (high - low).bit_length()
        return None if high - low != (1 << host_bits) - 1 or low & (high - low) else host_bits

    def contains(self, other: Selector) -> bool:
        """Whether all traffic that `other` means is meant by this one."""
        return (
            self.low.version == other.low.version
            and int(self.low) <= int(other.low)
            and int(other.high) <= int(self.high)
            and self.protocol in (0, other.protocol)
            and self.port in (0, other.port)
        )

    def overlaps(self, other: Selector) -> bool:
        """Whether some traffic is meant by both."""
        return (
            self.low.version == other.low.version
            and int(self.low) <= int(other.high)
            and int(other.low) <= int(self.high)
            and (not self.protocol or not other.protocol or self.protocol == other.protocol)
            and (not self.port or not other.port or self.port == other.port)
        )

    def __str__(self) -> str:
        suffix = _service(self.protocol, self.port)
        if self.low == self.high:
            return f"{self.low}{suffix}"
        return f"{self.network or f'{self.low}-{self.high}'}{suffix}"


@lru_cache(128)  # as below
def _meaning(selector: Selector) -> Identity:
    low, high, protocol, port = selector.low, selector.high, selector.protocol, selector.port
    if low == high:
        return Identity.address(low, protocol, port)
    host_bits = selector._host_bits
    if host_bits is None:
        return Identity.range(low, high, protocol, port)
    type = _by_version(IdType.IPV4_ADDR_SUBNET, IdType.IPV6_ADDR_SUBNET, low)
    mask = (1 << low.max_prefixlen) - (1 << host_bits)
    return Identity(type, protocol, port, low.packed + mask.to_bytes(len(low.packed), "big"))


@lru_cache(128)  # both ends of a tunnel, and again when it is renewed
def _meant(identity: Identity) -> Selector:
    if identity.type not in _ADDRESS_SIZES:
        raise InvalidIdInformation(f"{identity.type} is no traffic selector")
    identity._check_size()
    data, protocol, port = identity.data, identity.protocol, identity.port
    if port and not protocol:
        raise InvalidIdInformation(f"port {port} without a protocol")
    if identity.type in _HOSTS:
        return Selector.of(_address(data), protocol, port)
    half = len(data) // 2
    if identity.type in _SUBNETS:
        host_bits = _host_bits(data)
        if host_bits is None:
            raise InvalidIdInformation(f"`{identity.text}` is no subnet")
        last = int.from_bytes(data[:half], "big") + (1 << host_bits) - 1
        return Selector(_address(data[:half]), _address(last.to_bytes(half, "big")), protocol, port)
    if data[:half] > data[half:]:
        raise InvalidIdInformation(f"`{identity.text}` is no range")
    return Selector(_address(data[:half]), _address(data[half:]), protocol, port)


def _by_version(v4: IdType, v6: IdType, address: IPAddress) -> IdType:
    return v4 if address.version == 4 else v6


def _address(data: bytes) -> IPAddress:
    return IPv4Address(data) if len(data) == 4 else IPv6Address(data)


def _network(data: bytes) -> IPNetwork | None:
    """The subnet of an ID payload's address and mask; None if they are none."""
    host_bits = _host_bits(data)
    return None if host_bits is None else _subnet(data[: len(data) // 2], host_bits)


def _host_bits(data: bytes) -> int | None:
    """Of an address and mask; None if the mask has holes or the address host bits."""
    half = len(data) // 2
    address, mask = int.from_bytes(data[:half], "big"), int.from_bytes(data[half:], "big")
    ones = half * 8
    host_bits = (mask ^ ((1 << ones) - 1)).bit_length()
    if mask != ((1 << ones) - 1) >> host_bits << host_bits or address & ~mask:
        return None
    return host_bits


def _subnet(address: bytes, host_bits: int) -> IPNetwork:
    if len(address) == 4:
        return IPv4Network((address, 32 - host_bits))
    return IPv6Network((address, 128 - host_bits))


def _ascii(text: str) -> bytes:
    """Raises InvalidIdInformation: a name outside ASCII has to be given in its A-label form."""
    try:
        return text.encode("ascii")
    except UnicodeEncodeError:
        raise InvalidIdInformation(f"`{text}` is not ASCII; write the domain in its xn-- form") from None


def _printable(data: bytes) -> str:
    text = data.decode("latin-1")
    if text.isascii() and text.isprintable() and "\\" not in text and " " not in text:
        return text
    return "".join(chr(byte) if 0x20 < byte < 0x7F and byte != 0x5C else f"\\x{byte:02x}" for byte in data)


def _service(protocol: int, port: int) -> str:
    if not protocol and not port:
        return ""
    name = _PROTOCOL_NAMES.get(protocol, str(protocol))
    return f" {name}/{port}" if port else f" {name}"


def _dn_text(der: bytes) -> str:
    """As policies name it (KeyNote `DN:`), hex for what is no name."""
    try:
        return names.dn_keynote(der)
    except DerInvalid:
        return der.hex()


def _check_dn(der: bytes) -> None:
    try:
        empty = not names.dn_keynote(der)
    except DerInvalid as error:
        raise InvalidIdInformation(f"DER_ASN1_DN is no name: {error}") from None
    if empty:
        raise InvalidIdInformation("empty DER_ASN1_DN")


def _check_user_fqdn(data: bytes) -> None:
    local, at, domain = data.partition(b"@")
    if not local or not at or len(data) > MAX_NAME:
        raise InvalidIdInformation(f"`{_printable(data)}` is no mail address")
    # A `*` is legal in a mailbox, and an invitation to whoever matches identities by pattern.
    if any(not 0x20 < byte < 0x7F or byte == 0x2A for byte in local):
        raise InvalidIdInformation(f"`{_printable(data)}` holds blanks, wildcards, control or non-ASCII characters")
    _check_fqdn(domain)


def _check_fqdn(data: bytes) -> None:
    if len(data) > MAX_NAME or not _DOMAIN.fullmatch(data):
        raise InvalidIdInformation(f"`{_printable(data)}` is no domain name")
