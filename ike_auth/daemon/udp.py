# SPDX-License-Identifier: ISC
"""UDP sockets for IKE: port 500, and port 4500 with the non-ESP marker (RFC 3948 2.2).

Without `Listen-on` there is one wildcard socket a port and family; IP_PKTINFO says which address of ours a datagram
was for, and replies leave from it. asyncio's datagram transports hide that, hence `recvmsg` on plain sockets.
"""

import errno
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from ike_auth.engine import Ports
from ike_auth.errors import LocalError
from ike_auth.network import Datagram, Endpoint, IPAddress

MARKER = bytes(4)  # where ESP has its SPI, which is never zero
KEEPALIVE = b"\xff"
_MAX_DATAGRAM = 65535
_BATCH = 64  # datagrams read from one socket before the others have their turn
_PKTINFO4 = struct.Struct("=I4s4s")  # interface, local address, address in the header
_PKTINFO6 = struct.Struct("=16sI")
# Linux's number; Python's socket module has no name for it.
_IP_PKTINFO = 8
# A datagram that cannot go is lost, as any datagram may be: ICMP errors, a route that is down, a full buffer.
_LOST = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EAGAIN, errno.ENOBUFS, errno.ENETDOWN}


class CannotBind(Exception):
    """A port could not be opened; the text says which, why and what to do."""


class Unreachable(LocalError):
    """There is no way from here to a peer, at present."""


@dataclass(frozen=True, slots=True)
class Bound:
    """One socket, and the address that it was bound to."""

    socket: socket.socket
    address: IPAddress
    port: int
    nat: bool  # datagrams carry the non-ESP marker

    def __str__(self) -> str:
        return str(Endpoint(self.address, self.port))


class Sockets:
    """All sockets of the daemon. `esp` is called for packets that are ESP in UDP."""

    def __init__(
        self, addresses: tuple[IPAddress, ...], ports: Ports, esp: Callable[[Datagram], None] = lambda _: None
    ) -> None:
        self._esp = esp
        self._bound: list[Bound] = []
        try:
            for address in addresses or _wildcards():
                for port, nat in ((ports.ike, False), (ports.nat, True)):
                    opened = _open(address, port)
                    self._bound.append(Bound(opened, address, opened.getsockname()[1], nat))
        except BaseException:
            self.close()
            raise
        self._by_endpoint = {(bound.address, bound.port): bound for bound in self._bound}

    def __iter__(self) -> Iterator[Bound]:
        return iter(self._bound)

    def close(self) -> None:
        for bound in self._bound:
            bound.socket.close()

    def receive(self, bound: Bound) -> Iterator[Datagram]:
        """IKE messages that wait on one socket."""
        for _ in range(_BATCH):
            try:
                data, ancillary, _, source = bound.socket.recvmsg(_MAX_DATAGRAM, 128)
            except OSError as error:
                if error.errno in _LOST or isinstance(error, InterruptedError):
                    return
                raise
            datagram = Datagram(data, Endpoint(_local(ancillary, bound), bound.port), _endpoint(source))
            if not bound.nat:
                yield datagram
            elif data.startswith(MARKER):
                yield datagram._replace(data=data[len(MARKER) :])
            elif data != KEEPALIVE:
                self._esp(datagram)

    def send(self, data: bytes, local: Endpoint, remote: Endpoint) -> None:
        """Send an IKE message. Losses are not reported: the protocol repeats what matters. Raises OSError else."""
        bound = self._for(local)
        self._send(bound, MARKER + data if bound.nat else data, local, remote)

    def send_keepalive(self, local: Endpoint, remote: Endpoint) -> None:
        self._send(self._for(local), KEEPALIVE, local, remote)

    def _for(self, local: Endpoint) -> Bound:
        wildcard = IPv4Address(0) if local.host.version == 4 else IPv6Address(0)
        bound = self._by_endpoint.get((local.host, local.port)) or self._by_endpoint.get((wildcard, local.port))
        if bound is None:
            raise OSError(errno.EADDRNOTAVAIL, f"no socket for {local}")
        return bound

    def _send(self, bound: Bound, data: bytes, local: Endpoint, remote: Endpoint) -> None:
        try:
            bound.socket.sendmsg([data], _from(local) if _is_wildcard(bound.address) else [], 0, _address(remote))
        except OSError as error:
            if error.errno not in _LOST:
                raise


def source_address(remote: IPAddress, listen_on: tuple[IPAddress, ...] = ()) -> IPAddress:
    """From which of our addresses a peer is reached: the one that the kernel's routes say, if we listen on it.

    Raises Unreachable if there is no route, or no address of the peer's family.
    """
    usable = [address for address in listen_on if address.version == remote.version]
    if listen_on and not usable:
        raise Unreachable(f"cannot reach {remote}: `Listen-on` in [General] has no IPv{remote.version} address")
    family = socket.AF_INET if remote.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((str(remote), 9))  # sends nothing
            routed = ip_address(probe.getsockname()[0].partition("%")[0])
    except OSError as error:
        raise Unreachable(f"cannot reach {remote}: {(error.strerror or str(error)).lower()}") from None
    return usable[0] if usable and routed not in usable else routed


def _wildcards() -> tuple[IPAddress, ...]:
    """Python may know IPv6 where the kernel was started without it."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return (IPv4Address(0),)
    return IPv4Address(0), IPv6Address(0)


def _is_wildcard(address: IPAddress) -> bool:
    return int(address) == 0


def _open(address: IPAddress, port: int) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise CannotBind(_why(address, port, error)) from None
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        opened.bind((str(address), port))
    except OSError as error:
        opened.close()
        raise CannotBind(_why(address, port, error)) from None
    return opened


def _why(address: IPAddress, port: int, error: OSError) -> str:
    hint = {
        errno.EACCES: "ports below 1024 need root or CAP_NET_BIND_SERVICE; others go by --port and --nat-port",
        errno.EADDRINUSE: "another IKE daemon may be running: `ss -lunp` shows which",
        errno.EADDRNOTAVAIL: "no interface has this address: see `Listen-on` in [General]",
        errno.EAFNOSUPPORT: "the kernel does not know this kind of address: see `Listen-on` in [General]",
    }.get(error.errno or 0, "")
    return f"cannot listen on {Endpoint(address, port)}: {error.strerror}" + (f" ({hint})" if hint else "")


def _local(ancillary: list[tuple[int, int, bytes]], bound: Bound) -> IPAddress:
    for level, kind, data in ancillary:
        if level == socket.IPPROTO_IP and kind == _IP_PKTINFO:
            return IPv4Address(_PKTINFO4.unpack(data[: _PKTINFO4.size])[2])
        if level == socket.IPPROTO_IPV6 and kind == socket.IPV6_PKTINFO:
            return IPv6Address(_PKTINFO6.unpack(data[: _PKTINFO6.size])[0])
    return bound.address


def _from(local: Endpoint) -> list[tuple[int, int, bytes]]:
    if local.host.version == 4:
        return [(socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO4.pack(0, local.host.packed, bytes(4)))]
    return [(socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(local.host.packed, 0))]


def _endpoint(source: tuple[str, int] | tuple[str, int, int, int]) -> Endpoint:
    return Endpoint(ip_address(source[0]), source[1])


def _address(remote: Endpoint) -> tuple[str, int]:
    return str(remote.host), remote.port
