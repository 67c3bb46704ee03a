# SPDX-License-Identifier: ISC
"""A userspace kernel in this namespace at 127.0.0.1, and its peer at 127.0.0.2: a data plane that the test moves."""

import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from ipaddress import ip_address
from typing import Any

from ike_auth.daemon.kernel import KernelEvent
from ike_auth.daemon.kernel.userspace import UserspaceKernel
from ike_auth.daemon.udp import Sockets
from ike_auth.engine import Ports
from ike_auth.esp.dataplane import DataPlane
from ike_auth.network import Endpoint
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode
from tests.ike_auth.daemon.network.commands import ip
from tests.ike_auth.esp import inner
from tests.ike_auth.esp.frames import NOTHING, SIZE
from tests.ike_auth.esp.sas import at_the_peer, flow, ipsec_sa, random_bytes

OURS, PEERS = ip_address("127.0.0.1"), ip_address("127.0.0.2")
HOST, OTHER_HOST = ip_address("10.1.0.1"), ip_address("10.2.0.1")
HOST6, OTHER_HOST6 = ip_address("fd00:1::1"), ip_address("fd00:2::1")
SECONDS = 5.0
_ESP = 50


@dataclass
class Beyond:
    """`kernel` has the SAs `out` and `back` as soon as `set_up` was called; `peer` has them from the start."""

    kernel: UserspaceKernel
    sockets: Sockets
    peer: DataPlane
    outside: socket.socket  # the peer's
    out: IpsecSa
    back: IpsecSa
    events: list[KernelEvent] = field(default_factory=list)

    @property
    def flow(self) -> Flow:
        return flow(self.out)

    @property
    def guard(self) -> Flow:
        return replace(self.flow, parameters=())

    def set_up(self) -> None:
        self.kernel.install(at_the_peer(self.back))
        self.kernel.install(self.out)
        self.kernel.add_flow(self.flow)

    def turn(self, until: Callable[[], bool]) -> None:
        """As the event loop does; AssertionError if it does not come true."""
        while not until():
            readers = dict(self.kernel.readers())
            bound = {b.socket.fileno(): b for b in self.sockets}
            found, _, _ = select.select([*readers, *bound], [], [], SECONDS)
            assert found, "nothing comes"
            for descriptor in found:
                if descriptor in readers:
                    readers[descriptor]()
                else:
                    assert list(self.sockets.receive(bound[descriptor])) == []

    def sent(self, number: int = 1) -> list[bytes]:
        """The next inner packets that come to the peer: what the kernel has sent."""
        packets: list[bytes] = []
        while len(packets) < number:
            self.turn(lambda: bool(select.select([self.outside], [], [], 0)[0]))
            data, source = self.outside.recvfrom(65535)
            if self.outside.type == socket.SOCK_RAW:
                data = data[20:]
            remote = Endpoint(ip_address(source[0]), source[1])
            incoming = self.peer.inbound(data, len(data), self.out.destination, remote, 0, 1.0)
            packets += [frame[SIZE:] for frame in incoming.frames]
        return packets

    def send(self, packet: bytes, via: socket.socket | None = None) -> None:
        """Protect an inner packet as the peer does, and send it to the kernel."""
        for burst in self.peer.outbound(NOTHING + packet, 1.0).bursts:
            (via or self.outside).sendto(burst.data, (str(OURS), self.back.destination.port))


def a_host(address: str = "10.1.0.1", port: int = 1000) -> socket.socket:
    """Behind the kernel."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    opened.bind((address, port))
    opened.settimeout(SECONDS)
    return opened


def greeting(data: bytes = b"hello") -> bytes:
    """From the host behind the peer to the one behind us."""
    return inner.udp(data, source=OTHER_HOST, destination=HOST, ports=(53, 1000))


@contextmanager
def beyond(*, udp: bool = True, **changes: Any) -> Iterator[Beyond]:
    """`changes` are of both SAs. Everything is closed at the end."""
    ip("link set lo up")
    for address in (f"{HOST}/32", f"{HOST6}/128"):
        ip(f"address add {address} dev lo")
    with ExitStack() as open_:
        sockets = Sockets((OURS,), Ports(0, 0))
        open_.callback(sockets.close)
        kind = (socket.SOCK_DGRAM, 0) if udp else (socket.SOCK_RAW, _ESP)
        outside = open_.enter_context(socket.socket(socket.AF_INET, *kind))
        outside.bind((str(PEERS), 0))
        kernel = UserspaceKernel.here(sockets)
        open_.callback(kernel.close)
        port = next(bound.port for bound in sockets if bound.nat)
        here, there = Endpoint(OURS, port if udp else 0), Endpoint(PEERS, outside.getsockname()[1] if udp else 0)
        out = ipsec_sa(source=here, destination=there, **changes)
        if not udp:
            out = replace(out, parameters=replace(out.parameters, encapsulation=EncapsulationMode.TUNNEL))
        back = replace(
            out, spi=b"\x05\x06\x07\x08", source=there, destination=here, local=out.remote, remote=out.local
        )
        peer = DataPlane(random_bytes(2))
        peer.add_sa(at_the_peer(out))
        peer.add_sa(back)
        peer.add_flow(flow(back))
        made = Beyond(kernel, sockets, peer, outside, out, back)
        kernel.open(made.events.append)
        yield made


def side(address: str, port: int = 0, protocol: int = 17) -> Selector:
    """Of one packet."""
    return Selector(ip_address(address), ip_address(address), protocol, port)
