# SPDX-License-Identifier: ISC
"""UDP sockets for IKE: port 500, and port 4500 with the non-ESP marker (RFC 3948 2.2), which ESP shares.

Without `Listen-on` there is one wildcard socket a port and family; IP_PKTINFO says which address of ours a datagram
was for, and replies leave from it. asyncio's datagram transports hide that, hence `recvmsg` on plain sockets.
"""

import errno
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address

from ike_auth.daemon import ancillary
from ike_auth.engine import Ports
from ike_auth.errors import LocalError
from ike_auth.network import Datagram, Endpoint, EspDatagrams, IPAddress

MARKER = bytes(4)  # where ESP has its SPI, which is never zero
KEEPALIVE = b"\xff"
_MAX_DATAGRAM = 65535
_BATCH = 64  # datagrams read from one socket before the others have their turn
_NOTHING: ancillary.Ancillary = []
# A datagram that cannot go is lost, as any datagram may be: ICMP errors, a route that is down, a full buffer.
LOST = {errno.ECONNREFUSED, errno.EHOSTUNREACH, errno.ENETUNREACH, errno.EAGAIN, errno.ENOBUFS, errno.ENETDOWN}


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
    """All sockets of the daemon. `esp` may be set; it is called with ESP in UDP, all that came in one turn."""

    def __init__(self, addresses: tuple[IPAddress, ...], ports: Ports) -> None:
        self.esp: Callable[[list[EspDatagrams]], None] = lambda _: None
        self._bound: list[Bound] = []
        try:
            for address in addresses or _wildcards():
                for port, nat in ((ports.ike, False), (ports.nat, True)):
                    opened = _open(address, port, nat)
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
        """IKE messages that wait on one socket. ESP among them has gone its own way when this ends."""
        found: list[EspDatagrams] = []
        try:
            for came in _waiting(bound):
                if not bound.nat:
                    yield Datagram(came.data, came.local, came.remote)
                elif came.size <= len(KEEPALIVE) or _holds_ike(came):
                    yield from _sorted(came, found)
                else:
                    found.append(came)
        finally:
            if found:
                self.esp(found)

    def send(self, data: bytes, local: Endpoint, remote: Endpoint) -> None:
        """Send an IKE message. Losses are not reported: the protocol repeats what matters. Raises OSError else."""
        bound = self._for(local)
        self._send(bound, MARKER + data if bound.nat else data, local, remote)

    def send_keepalive(self, local: Endpoint, remote: Endpoint) -> None:
        self._send(self._for(local), KEEPALIVE, local, remote)

    def send_esp(self, burst: EspDatagrams) -> bool:
        """One system call for all of it; whether it has gone. Raises OSError as `send`."""
        bound = self._for(burst.local)
        version = burst.remote.host.version
        about = ancillary.traffic_class(version, burst.tos) if burst.tos else []
        if len(burst.data) > burst.size:
            about = about + ancillary.segments(burst.size)
        return self._send(bound, burst.data, burst.local, burst.remote, about)

    def _for(self, local: Endpoint) -> Bound:
        wildcard = IPv4Address(0) if local.host.version == 4 else IPv6Address(0)
        bound = self._by_endpoint.get((local.host, local.port)) or self._by_endpoint.get((wildcard, local.port))
        if bound is None:
            raise OSError(errno.EADDRNOTAVAIL, f"no socket for {local}")
        return bound

    def _send(
        self, bound: Bound, data: bytes, local: Endpoint, remote: Endpoint, about: ancillary.Ancillary = _NOTHING
    ) -> bool:
        if _is_wildcard(bound.address):
            about = about + ancillary.from_address(local)
        try:
            bound.socket.sendmsg([data], about, 0, _address(remote))
        except OSError as error:
            if error.errno not in LOST:
                raise
            return False
        return True


def _waiting(bound: Bound) -> Iterator[EspDatagrams]:
    """What waits on a socket, IKE or not."""
    for _ in range(_BATCH):
        try:
            data, control, _, source = bound.socket.recvmsg(_MAX_DATAGRAM, ancillary.SPACE)
        except OSError as error:
            if error.errno in LOST or isinstance(error, InterruptedError):
                return
            raise
        about = ancillary.read(control)
        local = _endpoint(about.local or bound.address, bound.port)
        yield EspDatagrams(data, about.size or len(data), local, _remote(source[0], source[1]), about.tos)


def _holds_ike(came: EspDatagrams) -> bool:
    """Both share a port, and the kernel puts together what is of one size."""
    data = came.data
    return any(data.startswith(MARKER, at) for at in range(0, len(data), came.size))


def _sorted(came: EspDatagrams, esp: list[EspDatagrams]) -> Iterator[Datagram]:
    for at in range(0, len(came.data) or 1, came.size or 1):
        data = came.data[at : at + came.size]
        if data.startswith(MARKER):
            yield Datagram(data[len(MARKER) :], came.local, came.remote)
        elif data != KEEPALIVE:
            esp.append(came._replace(data=data, size=len(data)))


def source_address(
    remote: IPAddress,
    listen_on: tuple[IPAddress, ...] = (),
    routed: Callable[[IPAddress], IPAddress] | None = None,
) -> IPAddress:
    """From which of our addresses a peer is reached: the one that `routed` or the kernel says, if we listen on it.

    Raises Unreachable if there is no route, or no address of the peer's family.
    """
    usable = [address for address in listen_on if address.version == remote.version]
    if listen_on and not usable:
        raise Unreachable(f"cannot reach {remote}: `Listen-on` in [General] has no IPv{remote.version} address")
    found = (routed or routed_source)(remote)
    return usable[0] if usable and found not in usable else found


def routed_source(remote: IPAddress, prepare: Callable[[socket.socket], None] = lambda _: None) -> IPAddress:
    """What the kernel's routes say to a socket that was prepared like those that will be used. Raises Unreachable."""
    family = socket.AF_INET if remote.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            prepare(probe)
            probe.connect((str(remote), 9))  # sends nothing
            return ip_address(probe.getsockname()[0].partition("%")[0])
    except OSError as error:
        raise Unreachable(f"cannot reach {remote}: {(error.strerror or str(error)).lower()}") from None


def is_own(address: IPAddress) -> bool:
    """Whether one of our interfaces has it."""
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _wildcards() -> tuple[IPAddress, ...]:
    """Python may know IPv6 where the kernel was started without it."""
    try:
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM).close()
    except OSError:
        return (IPv4Address(0),)
    return IPv4Address(0), IPv6Address(0)


def _is_wildcard(address: IPAddress) -> bool:
    return int(address) == 0


def _open(address: IPAddress, port: int, nat: bool) -> socket.socket:
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        opened = socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC)
    except OSError as error:
        raise CannotBind(_why(address, port, error)) from None
    try:
        if family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        ancillary.prepare(opened, segments=nat)
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


@lru_cache(1024)
def _endpoint(host: IPAddress, port: int) -> Endpoint:
    return Endpoint(host, port)


@lru_cache(1024)
def _remote(host: str, port: int) -> Endpoint:
    return Endpoint(ip_address(host), port)


@lru_cache(1024)
def _address(remote: Endpoint) -> tuple[str, int]:
    return str(remote.host), remote.port
