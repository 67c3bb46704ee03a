# SPDX-License-Identifier: ISC
"""A TUN device with what leads into it, which stays in use whatever others do to it."""

from collections.abc import Iterable, Iterator
from ipaddress import ip_interface

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.entrance import Entrance
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.selection import first_host
from ike_auth.daemon.network.steering import Steering
from ike_auth.daemon.network.tun import Tun, TunGone
from ike_auth.network import IPAddress
from ike_auth.wire.identities import Selector


class Device:
    """Owns `tun` and `netlink`, which speaks to the namespace that `tun` is in.

    Every method but `close` raises NetworkError: if the system refuses something, or if the device was taken away and
    is there again. The text says which.
    """

    def __init__(
        self, netlink: Netlink, tun: Tun, mtu: int, ports: tuple[int, ...] = (), *, addresses: bool = False
    ) -> None:
        """`ports`: see Steering; without any, nothing but the tunnels leads into the namespace. `addresses`: it has
        none of its own, so give it some inside the tunnels.

        Raises NetworkError; then both are still the caller's to close.
        """
        number = links.index(netlink, tun.name)
        self._steering = Steering(netlink, number, ports)
        links.set_up_tun(netlink, number, mtu)
        self._netlink = netlink
        self._tun = tun
        self._mtu = mtu
        self._addresses: dict[IPAddress, None] | None = {} if addresses else None
        self._lost = False
        self._closed = False
        self.refused = 0  # packets that the kernel did not take
        self.open_because = ""  # why what comes in clear is not kept out, if it is not
        self._ports = ports
        self._entrance: Entrance | None = None
        self._guard()

    @property
    def name(self) -> str:
        return self._tun.name

    def readable(self) -> Iterator[int]:
        """The descriptor to be watched, while there is something behind it."""
        if not self._lost and not self._closed:
            yield self._tun.fileno()

    def close(self) -> None:
        """Remove all that is ours. Closing twice is no error. Raises NetworkError if something of ours is left."""
        if self._closed:
            return
        self._closed = True
        try:
            self._steering.close()
        finally:
            if self._entrance is not None:
                self._entrance.close()
            self._tun.close()
            self._netlink.close()

    @property
    def intruders(self) -> int:
        """Packets that came in clear and were dropped, as they would be answered through the tunnels."""
        return 0 if self._entrance is None or self.open_because else self._entrance.dropped()

    # --- packets

    def read(self, most: int) -> list[bytes]:
        """Up to `most` packets that the kernel has sent, each after its header."""
        try:
            return self._tun.read(most)
        except TunGone as gone:
            raise self._restored(gone) from None

    def write(self, frames: Iterable[bytes]) -> None:
        """Hand packets to the kernel, each with its header. What it does not take is lost."""
        if self._lost:
            return
        try:
            for frame in frames:
                self.refused += not self._tun.write((frame,))
        except TunGone as gone:
            raise self._restored(gone) from None

    # --- what leads into it

    def steer(self, local: Selector, remote: Selector) -> None:
        """See Steering."""
        try:
            address = first_host(local)
            if self._addresses is not None and address not in self._addresses:
                self._give(address)
                self._addresses[address] = None
        finally:
            self._steering.steer(local, remote)

    def release(self, local: Selector, remote: Selector) -> None:
        self._steering.release(local, remote)

    def sweep(self) -> None:
        """Remove what an earlier life has left."""
        self._steering.sweep()

    def look(self) -> None:
        """Whether it is still there and up: no packet may come to tell."""
        if self._lost or not links.is_up(self._netlink, self._tun.name):
            raise self._restored(f"`{self._tun.name}` was deleted, renamed or set down by somebody else")

    def _restored(self, gone: TunGone | str) -> NetworkError:
        """Make it what it was. Its routes have gone with it, and those behind them have blocked all traffic since."""
        try:
            self._tun.renew()
            number = links.index(self._netlink, self._tun.name)
            links.set_up_tun(self._netlink, number, self._mtu)
            for address in self._addresses or ():
                self._give(address)
            self._guard()
            self._steering.move(number)
        except NetworkError as error:
            self._lost = True  # until `look` succeeds: a deleted device is readable without end
            return NetworkError(f"{gone}, and cannot be restored at present: {error}")
        self._lost = False
        return NetworkError(f"{gone}; `{self._tun.name}` takes its place")

    def _guard(self) -> None:
        """A kernel without the means for it is no reason to have no tunnels."""
        if not self._ports:
            return
        try:
            if self._entrance is None:
                self._entrance = Entrance(self._ports)
            self._entrance.guard(self._tun.name)
        except NetworkError as error:
            self.open_because = str(error)
        else:
            self.open_because = ""

    def _give(self, address: IPAddress) -> None:
        links.add_address(self._netlink, links.index(self._netlink, self._tun.name), ip_interface(address))
