# SPDX-License-Identifier: ISC
"""No kernel at all: SAs are remembered, no packet is touched. For tests, labs and `--no-kernel`."""

from collections.abc import Callable, Iterable

from ike_auth.daemon.kernel import KernelEvent, Reader
from ike_auth.sa import Flow, IpsecSa


class MemoryKernel:
    def __init__(self) -> None:
        self.sas: dict[tuple[bool, bytes], IpsecSa] = {}
        self.flows: set[Flow] = set()
        self.guards: set[Flow] = set()

    def open(self, report: Callable[[KernelEvent], None]) -> None:
        """There is nothing that could be reported."""

    def close(self) -> None:
        self.sas.clear()
        self.flows.clear()
        self.guards.clear()

    def readers(self) -> Iterable[Reader]:
        return ()

    def tend(self, now: float) -> float | None:
        return None

    def install(self, sa: IpsecSa) -> None:
        self.sas[sa.inbound, sa.spi] = sa

    def move(self, sa: IpsecSa) -> None:
        if (sa.inbound, sa.spi) in self.sas:
            self.install(sa)

    def remove(self, sa: IpsecSa) -> None:
        self.sas.pop((sa.inbound, sa.spi), None)

    def add_flow(self, flow: Flow) -> None:
        self.flows = {f for f in self.flows if (f.local, f.remote) != (flow.local, flow.remote)} | {flow}

    def remove_flow(self, flow: Flow) -> None:
        self.flows.discard(flow)

    def guard(self, flow: Flow) -> None:
        self.guards.add(flow)

    def unguard(self, flow: Flow) -> None:
        self.guards.discard(flow)
