# SPDX-License-Identifier: ISC
"""Which backend: what the configuration or the command line names, or the first that works here."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ike_auth.daemon.kernel import Kernel, KernelError
from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.udp import Sockets, routed_source
from ike_auth.engine.core import ReserveSpi
from ike_auth.errors import LocalError
from ike_auth.network import IPAddress
from ike_auth.wire.numbers import ProtocolId

if TYPE_CHECKING:
    from ike_auth.daemon.network.rootless import Inside

NAMES = ("auto", "xfrm", "userspace", "none")


_OTHERWISE = "`--kernel none` negotiates and protects nothing"


class CannotChoose(Exception):
    """No backend works; the text says why, of each, and what to do."""


@dataclass(frozen=True, slots=True)
class Backend:
    kernel: Kernel
    description: str  # for the log
    encapsulates: bool = False  # all ESP has to go in UDP
    needs_net_admin: bool = False  # for as long as it runs
    source: Callable[[IPAddress], IPAddress] = routed_source
    inside: "Inside | None" = None  # the command that it is for
    reserve_spi: ReserveSpi | None = None
    warning: str = ""

    @contextmanager
    def unless_failing(self) -> Iterator[None]:
        """Closes it if what is done meanwhile fails."""
        try:
            yield
        except BaseException:
            with suppress(KernelError):
                self.kernel.close()
            if self.inside is not None:
                self.inside.close()
            raise


def choose(name: str, sockets: Sockets) -> Backend:
    """Raises CannotChoose."""
    match name:
        case "none":
            return Backend(MemoryKernel(), "no packet is protected by what is negotiated")
        case "xfrm":
            return _xfrm(sockets)
        case "userspace":
            return _userspace(sockets)
        case "auto":
            try:
                return _xfrm(sockets)
            except CannotChoose as first:
                try:
                    return _userspace(sockets)
                except CannotChoose as second:
                    raise CannotChoose(f"{first}; {second}; {_OTHERWISE}") from None
        case _:
            raise CannotChoose(f"there is no kernel backend `{name}` (one of {', '.join(NAMES)})")


def rootless(command: Sequence[str], sockets: Sockets) -> Backend:
    """Userspace ESP in a namespace of its own, in which `command` will run. Raises CannotChoose."""
    from ike_auth.daemon.kernel.userspace import UserspaceKernel
    from ike_auth.daemon.network.rootless import Inside

    try:
        inside = Inside.open(command)
    except NetworkError as error:
        raise CannotChoose(f"cannot make a namespace without being root: {error}") from None
    try:
        kernel = UserspaceKernel(sockets, inside.tun, inside.netlink, marked=False, addresses=True)
    except NetworkError as error:
        inside.close()
        raise CannotChoose(f"no userspace ESP: {error}") from None
    described = f"ESP in userspace, for `{command[0]}` alone"  # its arguments may be secret
    return Backend(kernel, described, encapsulates=True, source=kernel.source, inside=inside)


def _xfrm(sockets: Sockets) -> Backend:
    from ike_auth.daemon.kernel.xfrm.backend import XfrmKernel
    from ike_auth.daemon.kernel.xfrm.sockets import exempt

    try:
        kernel = XfrmKernel.here(sockets)
    except KernelError as error:
        raise CannotChoose(f"no ESP in the kernel: {error}") from None

    def reserve(protocol: ProtocolId, source: IPAddress, destination: IPAddress) -> bytes:
        try:
            return kernel.reserve_spi(protocol, source, destination)
        except KernelError as error:
            raise LocalError(str(error)) from None

    return Backend(
        kernel,
        "ESP in the kernel",
        needs_net_admin=True,
        source=lambda remote: routed_source(remote, exempt),
        reserve_spi=reserve,
    )


def _userspace(sockets: Sockets) -> Backend:
    from ike_auth.daemon.kernel.userspace import UserspaceKernel

    try:
        kernel = UserspaceKernel.here(sockets)
    except NetworkError as error:
        raise CannotChoose(f"no userspace ESP: {error}") from None
    description = f"ESP in userspace through {kernel.device}"
    warning = ""
    if kernel.open_because:
        warning = f"what comes in clear with addresses behind peers is let in: {kernel.open_because}"
    return Backend(
        kernel, description, encapsulates=True, needs_net_admin=True, source=kernel.source, warning=warning
    )
