# SPDX-License-Identifier: ISC
"""Where SAs and flows go. Backends: `memory`, `userspace` (ESP in this process), `xfrm` (Linux)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from ike_auth.network import Endpoint
from ike_auth.sa import Flow, IpsecSa
from ike_auth.wire.identities import Selector


class KernelError(Exception):
    """An SA or a flow could not be installed or removed. The text says why and what to do."""


# --- what a backend reports


@dataclass(frozen=True, slots=True)
class Acquire:
    """A packet waits for a tunnel; the selectors are its addresses, protocol and ports."""

    local: Selector
    remote: Selector


@dataclass(frozen=True, slots=True)
class SaUsed:
    """The first packet came in on this SA of ours."""

    spi: bytes


@dataclass(frozen=True, slots=True)
class SaHeard:
    """Verified packets have come in on this SA of ours: said seldom, once in several seconds at most, or never."""

    spi: bytes


@dataclass(frozen=True, slots=True)
class SoftLimit:
    """An SA has carried 80 to 90 % of its kilobytes (the backend chooses, at random), or needs other sequence numbers
    soon: it should be replaced."""

    spi: bytes
    inbound: bool


@dataclass(frozen=True, slots=True)
class HardLimit:
    """An SA has carried all that it may; the backend uses it no more."""

    spi: bytes
    inbound: bool


@dataclass(frozen=True, slots=True)
class UnknownSpi:
    """A packet came for an SA that is not here: the peer may not know that it is gone."""

    local: Endpoint
    remote: Endpoint
    spi: bytes


KernelEvent = Acquire | SaUsed | SaHeard | SoftLimit | HardLimit | UnknownSpi
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
