# SPDX-License-Identifier: ISC
"""Where SAs go. Backends: `memory`; the Linux kernel and userspace ESP follow."""

from typing import Protocol

from ike_auth.sa import IpsecSa


class KernelError(Exception):
    """An SA could not be installed or removed."""


class Kernel(Protocol):
    """Performs the engine's `InstallSa` and `RemoveSa`."""

    def install(self, sa: IpsecSa) -> None:
        """Raises KernelError."""

    def remove(self, sa: IpsecSa) -> None:
        """Removing what is not there is no error. Raises KernelError."""
