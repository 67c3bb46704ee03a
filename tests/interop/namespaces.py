# SPDX-License-Identifier: ISC
"""Two gateways on one machine: network namespaces joined by a veth pair, each with a network behind it.

10.1.0.0/16 ─ A 10.99.0.1 ═══ 10.99.0.2 B ─ 10.2.0.0/16
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import count
from pathlib import Path

NAMESPACES = Path("/run/netns")
INTERFACE = "veth0"

_numbers = count(1)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One end: the namespace, where it speaks IKE, the network that it protects and its own address there."""

    namespace: str
    address: str
    network: str
    inner_address: str

    def command(self, *words: str) -> list[str]:
        """`words` as a command that runs in this gateway's namespace, under the pid of whoever runs it."""
        return ["ip", "netns", "exec", self.namespace, *words]


@dataclass(frozen=True, slots=True)
class Gateways:
    a: Gateway
    b: Gateway


@contextmanager
def two_gateways() -> Iterator[Gateways]:
    """Both gateways with their link up; gone afterwards, whatever happened in between.

    The names carry our pid, so that sessions do not meet. `ip` failing raises CalledProcessError.
    """
    _remove_leftovers()
    name = f"interop-{os.getpid()}-{next(_numbers)}"
    both = Gateways(
        Gateway(f"{name}a", "10.99.0.1", "10.1.0.0/16", "10.1.0.1"),
        Gateway(f"{name}b", "10.99.0.2", "10.2.0.0/16", "10.2.0.1"),
    )
    try:
        for gateway in (both.a, both.b):
            _ip("netns", "add", gateway.namespace)
        _ip("link", "add", INTERFACE, "netns", both.a.namespace,
            "type", "veth", "peer", "name", INTERFACE, "netns", both.b.namespace)  # fmt: skip
        for gateway in (both.a, both.b):
            _configure(gateway)
        yield both
    finally:
        for gateway in (both.a, both.b):
            if (NAMESPACES / gateway.namespace).exists():
                _ip("netns", "delete", gateway.namespace)


def _configure(gateway: Gateway) -> None:
    inside = ("-n", gateway.namespace)
    _ip(*inside, "address", "add", f"{gateway.address}/24", "dev", INTERFACE)
    _ip(*inside, "address", "add", f"{gateway.inner_address}/32", "dev", "lo")
    _ip(*inside, "link", "set", "lo", "up")
    _ip(*inside, "link", "set", INTERFACE, "up")


def _remove_leftovers() -> None:
    """Namespaces of sessions that were killed before they could clean up."""
    for path in NAMESPACES.glob("interop-*"):
        owner = re.fullmatch(r"interop-(\d+)-\d+[ab]", path.name)
        if owner and not Path("/proc", owner[1]).exists():
            with suppress(subprocess.CalledProcessError):  # another session may be doing the same
                _ip("netns", "delete", path.name)


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True, text=True)
