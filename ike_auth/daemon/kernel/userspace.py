# SPDX-License-Identifier: ISC
"""ESP in this process: packets of a TUN device on one side, ESP in UDP on the other.

For kernels without ESP, for containers, and for whoever is not root: docs/traffic.md.
"""

import errno
import os
import socket
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack, suppress
from functools import partial
from random import uniform
from typing import ParamSpec, Self, TypeVar

from ike_auth.daemon import clock
from ike_auth.daemon.esp_sockets import EspSockets
from ike_auth.daemon.kernel import KernelError, KernelEvent, PeerMoved, Reader, SaHeard
from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.device import Device
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.path import Cutting, bypass, path_mtu, set_cutting, tunnel_mtu
from ike_auth.daemon.network.tun import Tun
from ike_auth.daemon.udp import Sockets, routed_source
from ike_auth.errors import IkeError
from ike_auth.esp.dataplane import DataPlane, SaStatus
from ike_auth.esp.inbound import Read
from ike_auth.esp.outbound import Outgoing
from ike_auth.network import EspDatagrams, IPAddress
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId

_FRAMES = 64  # read from the device before others have their turn
_SECONDS = 5.0  # between two looks at what has come in, and at the MTU of the paths to peers
_SOFT = 0.8, 0.9  # of what an SA may carry: replaced somewhere between, so that not all of them are at once
_MTU = 1500  # of most paths; a smaller one is learnt
_OVERHEAD = (
    100  # bytes that ESP in UDP adds at most: IPv6 40, UDP 8, ESP 10, IV 16, padding 15, ICV 32, less the rest
)

# What the kernel says of packets, or of what UDP_SEGMENT makes of one, that the path has no room for.
_TOO_LONG = (errno.EMSGSIZE, errno.EINVAL)

P = ParamSpec("P")
T = TypeVar("T")
FlowKey = tuple[Selector, Selector, IPAddress]


class UserspaceKernel:
    """Gives the data plane its device, its sockets and its routes."""

    def __init__(
        self,
        sockets: Sockets,
        tun: Tun,
        netlink: Netlink,
        *,
        raw: EspSockets | None = None,
        marked: bool,
        addresses: bool = False,
    ) -> None:
        """`netlink` speaks to the namespace that `tun` is in. `raw` is for ESP without UDP. `marked`: the sockets
        are in the same namespace, and their packets are to be kept out of tunnels. `addresses`: it has none of its
        own, so give it some inside the tunnels.

        Raises NetworkError.
        """
        ports = tuple({bound.port for bound in sockets}) if marked else ()
        self._device = Device(netlink, tun, tunnel_mtu(_MTU, _OVERHEAD), ports, addresses=addresses)
        self._sockets = sockets
        self._raw = raw
        self._plane = DataPlane(os.urandom)
        self._marked = marked
        self._flows: dict[FlowKey, Flow] = {}
        self._heard: dict[bytes, float | None] = {}  # when each inbound SA was last used
        self._guards: Counter[Flow] = Counter()
        self._unsent = 0
        self._swept = False
        self._report: Callable[[KernelEvent], None] = lambda _: None

    @classmethod
    def here(cls, sockets: Sockets) -> Self:
        """With a device of its own in this network namespace. Raises NetworkError; then nothing is left."""
        with ExitStack() as undo:
            for bound in sockets:
                bypass(bound.socket)
                set_cutting(bound.socket, Cutting.AVOIDED)
            netlink = Netlink.open()
            undo.callback(netlink.close)
            tun = Tun.open()
            undo.callback(tun.close)
            raw = _raw_sockets(sockets)
            if raw is not None:
                undo.callback(raw.close)
            kernel = cls(sockets, tun, netlink, raw=raw, marked=True)
            undo.pop_all()
            return kernel

    @property
    def device(self) -> str:
        return self._device.name

    @property
    def open_because(self) -> str:
        """Why packets in clear from elsewhere are taken for those of hosts behind peers, if they are."""
        return self._device.open_because

    def source(self, remote: IPAddress) -> IPAddress:
        """From which of our addresses a peer is reached, tunnels left aside. Raises Unreachable."""
        return routed_source(remote, bypass) if self._marked else routed_source(remote)

    def open(self, report: Callable[[KernelEvent], None]) -> None:
        self._report = report
        self._sockets.esp = self._received

    def close(self) -> None:
        self._sockets.esp = lambda _: None
        raw, self._raw = self._raw, None
        if raw is not None:
            raw.close()
        _network(self._device.close)

    def readers(self) -> Iterable[Reader]:
        raw = self._raw
        of_raw = () if raw is None else ((opened.fileno(), partial(self._read_raw, raw, opened)) for opened in raw)
        return (*((descriptor, self._read) for descriptor in self._device.readable()), *of_raw)

    def tend(self, now: float) -> float | None:
        """What an earlier life left blocks its traffic until all that is configured is guarded again: the first call
        comes after that."""
        if not self._swept:
            _network(self._device.sweep)
            self._swept = True
        _network(self._device.look)
        found = self._plane.sas()
        for remote in {status.remote.host for status in found}:
            self._look_at_path(remote)
        heard = {status.sa.spi: status.counted.last_used for status in found if status.sa.inbound}
        for spi, used in heard.items():
            if used is not None and used != self._heard.get(spi):
                self._report(SaHeard(spi))
        self._heard = heard
        return now + _SECONDS

    # --- SAs and flows

    def install(self, sa: IpsecSa) -> None:
        bare = sa.protocol == ProtocolId.ESP and sa.parameters.encapsulation == EncapsulationMode.TUNNEL
        if bare and self._raw is None:
            raise KernelError("the peer does not speak NAT traversal, and only root can send ESP without UDP")
        try:
            self._plane.add_sa(sa, soft=uniform(*_SOFT))
        except IkeError as error:
            raise KernelError(str(error)) from None
        self._look_at_path((sa.source if sa.inbound else sa.destination).host)

    def move(self, sa: IpsecSa) -> None:
        here, there = (sa.destination, sa.source) if sa.inbound else (sa.source, sa.destination)
        self._plane.move(sa, here, there)

    def remove(self, sa: IpsecSa) -> None:
        self._plane.remove_sa(sa)

    def add_flow(self, flow: Flow) -> None:
        key = _key(flow)
        before = self._flows.get(key)
        try:
            self._plane.add_flow(flow)
        except IkeError as error:
            raise KernelError(str(error)) from None
        if before is None:
            try:
                _network(self._device.steer, flow.local, flow.remote)
            except KernelError:
                self._plane.remove_flow(flow)
                with suppress(NetworkError):  # a guard of the same traffic stays
                    self._device.release(flow.local, flow.remote)
                raise
        elif before != flow:
            self._plane.remove_flow(before)
        self._flows[key] = flow

    def remove_flow(self, flow: Flow) -> None:
        known = self._flows.pop(_key(flow), None)
        if known is not None:
            self._plane.remove_flow(known)
            _network(self._device.release, flow.local, flow.remote)

    def guard(self, flow: Flow) -> None:
        """What of it fails leaves the part that blocks, until `unguard`."""
        self._guards[flow] += 1  # of those that negotiate, and of those who set keys by hand
        self._plane.add_guard(flow)
        _network(self._device.steer, flow.local, flow.remote)

    def unguard(self, flow: Flow) -> None:
        if not self._guards[flow]:
            return
        self._guards[flow] -= 1
        if not self._guards[flow]:
            self._plane.remove_guard(flow)
        _network(self._device.release, flow.local, flow.remote)

    @property
    def sas(self) -> list[SaStatus]:
        """Every SA with what it has carried."""
        return self._plane.sas()

    @property
    def drops(self) -> dict[str, int]:
        """Packets that were not delivered, by reason."""
        here = {
            "not sent": self._unsent,
            "not taken by the device": self._device.refused,
            "came in clear": _network(lambda: self._device.intruders),
        }
        found = {reason.value: number for reason, number in self._plane.drops.items()} | here
        return {reason: number for reason, number in found.items() if number}

    # --- packets

    def _read(self) -> None:
        """What hosts behind us send."""
        frames = _network(self._device.read, _FRAMES)
        self._send(self._plane.outbound_batch(frames, clock.now().monotonic))

    def _send(self, outgoing: Outgoing) -> None:
        for burst in outgoing.bursts:
            data, size, remote = burst.data, burst.segment_size, burst.remote
            self._send_burst(EspDatagrams(data, size, burst.local, remote, burst.tos), burst.udp)
        try:
            _network(self._device.write, outgoing.frames)
        finally:
            self._tell()

    def _send_burst(self, burst: EspDatagrams, udp: bool) -> None:
        """What cannot be sent is lost, as any packet may be."""
        try:
            if udp:
                gone = self._sockets.send_esp(burst)
            elif self._raw is not None:
                gone = self._raw.send(burst)
            else:
                gone = False
        except OSError as error:
            gone = False
            if error.errno in _TOO_LONG:
                self._look_at_path(burst.remote.host)
                if udp and len(burst.data) > burst.size:
                    self._send_singly(burst)
                    return
        if not gone:
            self._unsent += len(range(0, len(burst.data), burst.size))

    def _send_singly(self, burst: EspDatagrams) -> None:
        """The kernel cuts what is longer than the path's MTU, as IPv6 inside may have to be, if it comes alone."""
        for at in range(0, len(burst.data), burst.size):
            data = burst.data[at : at + burst.size]
            self._send_burst(burst._replace(data=data, size=len(data)), udp=True)

    def _read_raw(self, raw: EspSockets, opened: socket.socket) -> None:
        found = raw.receive(opened)
        if found:
            self._received(found)

    def _received(self, found: list[EspDatagrams]) -> None:
        """What peers send."""
        reads = [Read(memoryview(came.data), came.size, came.local, came.remote, came.tos) for came in found]
        frames = self._plane.inbound_batch(reads, clock.now().monotonic).frames
        try:
            _network(self._device.write, frames)
        finally:
            self._tell()

    def _tell(self) -> None:
        for event in self._plane.events():
            if isinstance(event, PeerMoved):
                self._follow(event)
            self._report(event)

    def _follow(self, moved: PeerMoved) -> None:
        """A NAT before the peer has given it another port. Its host may not change: docs/decisions/0505. Nobody else
        does so for what was keyed by hand."""
        found = self._plane.sas()
        inbound = next((s for s in found if s.sa.inbound and s.sa.spi == moved.spi), None)
        if inbound is None or inbound.remote.host != moved.remote.host:
            return
        for status in found:
            if status.remote == inbound.remote and _ends(status.sa) == _ends(inbound.sa):
                self._plane.move(status.sa, status.local, moved.remote)

    def _look_at_path(self, remote: IPAddress) -> None:
        try:
            self._plane.set_mtu(remote, path_mtu(remote, marked=self._marked))
        except NetworkError:
            return  # unreachable at present: what was known stays


def _raw_sockets(sockets: Sockets) -> EspSockets | None:
    """Marked as the others are; None if we may not have any."""
    addresses = tuple({bound.address: None for bound in sockets})
    try:
        raw = EspSockets(addresses)
    except OSError:
        return None
    try:
        for opened in raw:
            bypass(opened)
            set_cutting(opened, Cutting.AVOIDED)
    except (NetworkError, OSError):
        raw.close()
        return None
    return raw


def _network(do: Callable[P, T], *arguments: P.args, **named: P.kwargs) -> T:
    """Raises KernelError where `do` raises NetworkError."""
    try:
        return do(*arguments, **named)
    except NetworkError as error:
        raise KernelError(str(error)) from None


def _key(flow: Flow) -> FlowKey:
    return flow.local, flow.remote, flow.remote_address


def _ends(sa: IpsecSa) -> tuple[Selector, Selector]:
    return sa.local, sa.remote
