# SPDX-License-Identifier: ISC
"""Which backend: what the configuration or the command line names, or the first that works here."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from ike_auth.daemon.kernel import Kernel, KernelError
from ike_auth.daemon.kernel.memory import MemoryKernel
from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.rootless import Inside
from ike_auth.daemon.udp import Sockets, routed_source
from ike_auth.network import IPAddress

NAMES = ("auto", "userspace", "none")


class CannotChoose(Exception):
    """No backend works; the text says why, of each, and what to do."""


@dataclass(frozen=True, slots=True)
class Backend:
    kernel: Kernel
    description: str  # for the log
    encapsulates: bool = False  # all ESP has to go in UDP
    needs_net_admin: bool = False  # for as long as it runs
    source: Callable[[IPAddress], IPAddress] = routed_source
    inside: Inside | None = None  # the command that it is for

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
        case "userspace" | "auto":
            return _userspace(sockets)
        case _:
            raise CannotChoose(f"there is no kernel backend `{name}` (one of {', '.join(NAMES)})")


def rootless(command: Sequence[str], sockets: Sockets) -> Backend:
    """Userspace ESP in a namespace of its own, in which `command` will run. Raises CannotChoose."""
    from ike_auth.daemon.kernel.userspace import UserspaceKernel

    try:
        inside = Inside.open(command)
    except NetworkError as error:
        raise CannotChoose(f"cannot make a namespace without being root: {error}") from None
    try:
        kernel = UserspaceKernel(sockets, inside.tun, inside.netlink, marked=False, addresses=True)
    except NetworkError as error:
        inside.close()
        raise CannotChoose(f"no userspace ESP: {error}") from None
    described = f"ESP in userspace, for `{' '.join(command)}` alone"
    return Backend(kernel, described, encapsulates=True, source=kernel.source, inside=inside)


def _userspace(sockets: Sockets) -> Backend:
    from ike_auth.daemon.kernel.userspace import UserspaceKernel

    try:
        kernel = UserspaceKernel.here(sockets)
    except NetworkError as error:
        raise CannotChoose(f"no userspace ESP: {error}; `--kernel none` negotiates and protects nothing") from None
    description = f"ESP in userspace through {kernel.device}"
    return Backend(kernel, description, encapsulates=True, needs_net_admin=True, source=kernel.source)
