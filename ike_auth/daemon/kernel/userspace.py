# SPDX-License-Identifier: ISC
"""ESP in this process: packets of a TUN device on one side, ESP in UDP on the other.

For kernels without ESP, for containers, and for whoever is not root: docs/traffic.md.
"""

import errno
import os
import socket
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import partial
from ipaddress import ip_interface
from random import uniform
from typing import Self

from ike_auth.daemon import clock
from ike_auth.daemon.esp_sockets import EspSockets
from ike_auth.daemon.kernel import KernelError, KernelEvent, PeerMoved, Reader, SaHeard
from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.path import Cutting, bypass, path_mtu, set_cutting, tunnel_mtu
from ike_auth.daemon.network.selection import first_host
from ike_auth.daemon.network.steering import Steering
from ike_auth.daemon.network.tun import Tun, TunGone
from ike_auth.daemon.udp import Sockets, routed_source
from ike_auth.errors import IkeError
from ike_auth.esp.bursts import Burst
from ike_auth.esp.dataplane import DataPlane, SaStatus
from ike_auth.esp.inbound import Read
from ike_auth.esp.outbound import Outgoing
from ike_auth.network import EspDatagrams, IPAddress
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode

_FRAMES = 64  # read from the device before others have their turn
_SECONDS = 5.0  # between two looks at what has come in, and at the MTU of the paths to peers
_SOFT = 0.8, 0.9  # of what an SA may carry: replaced somewhere between, so that not all of them are at once
_MTU = 1500  # of most paths; a smaller one is learnt
_OVERHEAD = (
    100  # bytes that ESP in UDP adds at most: IPv6 40, UDP 8, ESP 10, IV 16, padding 15, ICV 32, less the rest
)

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
        number = links.index(netlink, tun.name)
        ports = tuple({bound.port for bound in sockets}) if marked else ()
        self._steering = Steering(netlink, number, ports)
        links.set_up_tun(netlink, number, tunnel_mtu(_MTU, _OVERHEAD))
        self._sockets = sockets
        self._raw = raw
        self._plane = DataPlane(os.urandom)
        self._tun = tun
        self._netlink = netlink
        self._number = number
        self._marked = marked
        self._addresses = addresses
        self._flows: dict[FlowKey, Flow] = {}
        self._heard: dict[bytes, float | None] = {}  # when each inbound SA was last used
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
        return self._tun.name

    def source(self, remote: IPAddress) -> IPAddress:
        """From which of our addresses a peer is reached, tunnels left aside. Raises Unreachable."""
        return routed_source(remote, bypass) if self._marked else routed_source(remote)

    def open(self, report: Callable[[KernelEvent], None]) -> None:
        self._report = report
        self._sockets.esp = self._received

    def close(self) -> None:
        self._sockets.esp = lambda _: None
        try:
            self._steering.close()
        except NetworkError as error:
            raise KernelError(str(error)) from None
        finally:
            self._tun.close()
            self._netlink.close()
            if self._raw is not None:
                self._raw.close()

    def readers(self) -> Iterable[Reader]:
        raw = self._raw
        of_raw = () if raw is None else ((opened.fileno(), partial(self._read_raw, raw, opened)) for opened in raw)
        return ((self._tun.fileno(), self._read), *of_raw)

    def tend(self, now: float) -> float | None:
        """What an earlier life left blocks its traffic until all that is configured is guarded again: the first call
        comes after that."""
        if not self._swept:
            self._steer(self._steering.sweep)
            self._swept = True
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
        if self._raw is None and sa.parameters.encapsulation == EncapsulationMode.TUNNEL:
            raise KernelError("the peer does not speak NAT traversal, and only root can send ESP without UDP")
        try:
            self._plane.add_sa(sa, soft=uniform(*_SOFT))
        except IkeError as error:
            raise KernelError(str(error)) from None
        self._look_at_path((sa.source if sa.inbound else sa.destination).host)

    def remove(self, sa: IpsecSa) -> None:
        self._plane.remove_sa(sa)

    def add_flow(self, flow: Flow) -> None:
        key = _key(flow)
        before = self._flows.get(key)
        try:
            self._plane.add_flow(flow)
        except IkeError as error:
            raise KernelError(str(error)) from None
        self._flows[key] = flow
        if before is None:
            self._steer_into(flow)
        elif before != flow:
            self._plane.remove_flow(before)

    def remove_flow(self, flow: Flow) -> None:
        known = self._flows.pop(_key(flow), None)
        if known is not None:
            self._plane.remove_flow(known)
            self._steer(self._steering.release, flow.local, flow.remote)

    def guard(self, flow: Flow) -> None:
        self._plane.add_guard(flow)
        self._steer_into(flow)

    def unguard(self, flow: Flow) -> None:
        self._plane.remove_guard(flow)
        self._steer(self._steering.release, flow.local, flow.remote)

    @property
    def sas(self) -> list[SaStatus]:
        """Every SA with what it has carried."""
        return self._plane.sas()

    @property
    def drops(self) -> dict[str, int]:
        """Packets that were not delivered, by reason."""
        return {reason.value: count for reason, count in self._plane.drops.items()}

    def _steer_into(self, flow: Flow) -> None:
        if self._addresses:
            try:
                links.add_address(self._netlink, self._number, ip_interface(first_host(flow.local)))
            except NetworkError as error:
                raise KernelError(str(error)) from None
        self._steer(self._steering.steer, flow.local, flow.remote)

    def _steer(self, change: Callable[..., None], *selectors: Selector) -> None:
        try:
            change(*selectors)
        except NetworkError as error:
            raise KernelError(str(error)) from None

    # --- packets

    def _read(self) -> None:
        """What hosts behind us send."""
        try:
            frames = self._tun.read(_FRAMES)
        except TunGone as gone:
            self._replace_device()
            raise KernelError(f"{gone}; `{self._tun.name}` takes its place") from None
        except NetworkError as error:
            raise KernelError(str(error)) from None
        self._send(self._plane.outbound_batch(frames, clock.now().monotonic))

    def _replace_device(self) -> None:
        """Somebody took it away. Its routes went with it, and those behind them have blocked all traffic since."""
        try:
            tun = Tun.open()
            number = links.index(self._netlink, tun.name)
            links.set_up_tun(self._netlink, number, tunnel_mtu(_MTU, _OVERHEAD))
            self._steering.move(number)
        except NetworkError as error:
            raise KernelError(f"the device is gone, and there can be no other: {error}") from None
        self._tun.close()
        self._tun, self._number = tun, number

    def _send(self, outgoing: Outgoing) -> None:
        for burst in outgoing.bursts:
            self._send_burst(burst)
        for frame in outgoing.frames:
            self._tun.write((frame,))
        self._tell()

    def _send_burst(self, burst: Burst) -> None:
        """What cannot be sent is lost, as any packet may be."""
        datagrams = EspDatagrams(burst.data, burst.segment_size, burst.local, burst.remote, burst.tos)
        try:
            if burst.udp:
                self._sockets.send_esp(datagrams)
            elif self._raw is not None:
                self._raw.send(datagrams)
        except OSError as error:
            if error.errno in (errno.EMSGSIZE, errno.EINVAL):  # the path has become narrower
                self._look_at_path(burst.remote.host)

    def _read_raw(self, raw: EspSockets, opened: socket.socket) -> None:
        found = raw.receive(opened)
        if found:
            self._received(found)

    def _received(self, found: list[EspDatagrams]) -> None:
        """What peers send."""
        reads = [Read(memoryview(came.data), came.size, came.local, came.remote, came.tos) for came in found]
        for frame in self._plane.inbound_batch(reads, clock.now().monotonic).frames:
            self._tun.write((frame,))
        self._tell()

    def _tell(self) -> None:
        for event in self._plane.events():
            if isinstance(event, PeerMoved):
                self._follow(event)
            else:
                self._report(event)

    def _follow(self, moved: PeerMoved) -> None:
        """A NAT before the peer has given it another port. Its host may not change: docs/decisions/0505."""
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
    for opened in raw:
        bypass(opened)
        set_cutting(opened, Cutting.AVOIDED)
    return raw


def _key(flow: Flow) -> FlowKey:
    return flow.local, flow.remote, flow.remote_address


def _ends(sa: IpsecSa) -> tuple[Selector, Selector]:
    return sa.local, sa.remote
