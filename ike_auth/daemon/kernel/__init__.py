# SPDX-License-Identifier: ISC
"""Where SAs and flows go. Backends: `memory`, `userspace` (ESP in this process), `xfrm` (Linux)."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from ike_auth.esp.dataplane import SaStatus
from ike_auth.esp.events import Acquire, DataPlaneEvent, HardLimit, PeerMoved, SaUsed, SoftLimit, UnknownSpi
from ike_auth.sa import Flow, IpsecSa

__all__ = [
    "Acquire",
    "Counting",
    "HardLimit",
    "Kernel",
    "KernelError",
    "KernelEvent",
    "PeerMoved",
    "Reader",
    "SaStatus",
    "SaUsed",
    "SoftLimit",
    "UnknownSpi",
]


class KernelError(Exception):
    """An SA or a flow could not be installed or removed. The text says why and what to do."""


@dataclass(frozen=True, slots=True)
class SaHeard:
    """Verified packets have come in on this SA of ours: said seldom, once in several seconds at most, or never."""

    spi: bytes


KernelEvent = DataPlaneEvent | SaHeard
Reader = tuple[int, Callable[[], None]]


class Kernel(Protocol):
    """Performs what the engine says of SAs and traffic. Every method but `close` raises KernelError."""

    def open(self, report: Callable[[KernelEvent], None]) -> None:
        """Get ready, and clear away what an earlier life has left. Events are reported from `readers` and `tend`."""

    def close(self) -> None:
        """Remove all that is ours."""

    def readers(self) -> Iterable[Reader]:
        """File descriptors to be watched, and what to call when one is readable."""

    def tend(self, now: float) -> float | None:
        """Do what is due; when to be called again, in monotonic seconds, or None."""

    def install(self, sa: IpsecSa) -> None:
        """An SA that is there from now on."""

    def move(self, sa: IpsecSa) -> None:
        """The peer's end of an SA that is there is elsewhere from now on. Moving what is not there is no error."""

    def remove(self, sa: IpsecSa) -> None:
        """Removing what is not there is no error."""

    def add_flow(self, flow: Flow) -> None:
        """Send this traffic through the newest outbound SAs for it. One for the same traffic is replaced."""

    def remove_flow(self, flow: Flow) -> None:
        """Removing what is not there is no error."""

    def guard(self, flow: Flow) -> None:
        """Let nothing of this traffic out without a flow, even if this process dies; report an `Acquire` for it."""

    def unguard(self, flow: Flow) -> None:
        """Removing what is not there is no error."""


@runtime_checkable
class Counting(Protocol):
    """A backend through which packets go where we see them."""

    @property
    def sas(self) -> list[SaStatus]:
        """Every SA with what it has carried."""

    @property
    def drops(self) -> Mapping[str, int]:
        """Packets that were not delivered, by reason."""
