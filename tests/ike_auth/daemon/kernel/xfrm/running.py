# SPDX-License-Identifier: ISC
"""A backend that runs, and traffic for it."""

import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from ipaddress import ip_address
from select import select

from ike_auth.daemon.kernel import Acquire, KernelEvent
from ike_auth.daemon.kernel.xfrm.backend import XfrmKernel
from ike_auth.daemon.kernel.xfrm.conversation import Conversation, Listener
from ike_auth.daemon.kernel.xfrm.marking import Settings
from ike_auth.wire.identities import Selector
from tests.ike_auth.daemon.kernel.xfrm.inside import inside
from tests.interop.namespaces import Gateways

WAIT = 10.0  # seconds; reached only by what fails


class Running:
    """A backend, with what it has reported."""

    def __init__(self, settings: Settings = Settings()) -> None:  # noqa: B008
        self.kernel = XfrmKernel(Conversation.open(), Listener.open(), settings)
        self.events: list[KernelEvent] = []
        self.kernel.open(self.events.append)

    def next_event(self) -> KernelEvent:
        """The next one that is reported, or that has been and nobody has taken."""
        ends = time.monotonic() + WAIT
        while not self.events:
            ((descriptor, read),) = self.kernel.readers()
            left = ends - time.monotonic()
            assert left > 0, "nothing was reported"
            if select([descriptor], [], [], left)[0]:
                read()
        return self.events.pop(0)

    def die(self) -> None:
        """As a process does that is killed: the kernel closes its sockets, and nothing else happens."""
        self.kernel._listener.close()
        self.kernel._kernel.close()


@contextmanager
def started(settings: Settings = Settings()) -> Iterator[Running]:  # noqa: B008
    one = Running(settings)
    try:
        yield one
    finally:
        one.kernel.close()


class Channel:
    """UDP from the network behind A to that behind B."""

    def __init__(self, gateways: Gateways, undo: ExitStack) -> None:
        self.local, self.remote = ip_address(gateways.a.inner_address), ip_address(gateways.b.inner_address)
        self._sender = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._sender.bind((str(self.local), 4444))
        with inside(gateways.b.namespace):
            self._receiver = undo.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._receiver.bind((str(self.remote), 9))
        self._receiver.settimeout(WAIT)

    def send(self, data: bytes) -> None:
        """Whatever becomes of it."""
        with suppress(OSError):
            self._sender.sendto(data, (str(self.remote), 9))

    def received(self) -> bytes:
        return self._receiver.recv(100)

    @property
    def acquire(self) -> Acquire:
        """The event for its packets."""
        return Acquire(Selector.of(self.local, 17, 4444), Selector.of(self.remote, 17, 9))
