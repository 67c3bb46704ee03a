# SPDX-License-Identifier: ISC
"""Two gateways on one machine: network namespaces joined by a veth pair, each with a network behind it.

10.1.0.0/16, fd01::/64 ─ A 10.99.0.1 ═══ 10.99.0.2 B ─ 10.2.0.0/16, fd02::/64

The same over IPv6; or with a router between them that translates addresses, one of the gateways behind it.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path
from typing import Literal

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
    translated: str = ""  # where its peer sees it, if there is a NAT before it
    network6: str = ""
    inner_address6: str = ""

    @property
    def reached_at(self) -> str:
        """Its address as its peer sees it."""
        return self.translated or self.address

    def with_address(self, address: str) -> "Gateway":
        """The same gateway at another address, which its interface gets besides."""
        _ip("-n", self.namespace, "address", "add", f"{address}/24", "dev", INTERFACE)
        return replace(self, address=address)

    def filter(self, rules: str) -> None:
        """Let nft(8) apply `rules` to every UDP datagram that comes in; CalledProcessError if it refuses."""
        chain = f"chain input {{\n type filter hook input priority 0;\n {rules}\n}}"
        _nft(self.namespace, f"table inet interop {{\n counter seen {{ }}\n {chain}\n}}\n")

    def seen(self) -> int:
        """How many datagrams the rules have counted by `counter name seen`."""
        shown = _run(*self.command("nft", "list", "counter", "inet", "interop", "seen"))
        return int(shown.split("packets ")[1].split()[0])

    def inner_network(self, version: int) -> str:
        return self.network if version == 4 else self.network6

    def command(self, *words: str) -> list[str]:
        """`words` as a command that runs in this gateway's namespace, under the pid of whoever runs it."""
        return ["ip", "netns", "exec", self.namespace, *words]


@dataclass(frozen=True, slots=True)
class Gateways:
    a: Gateway
    b: Gateway


@contextmanager
def two_gateways(addresses: tuple[str, str] = ("10.99.0.1", "10.99.0.2")) -> Iterator[Gateways]:
    """Both gateways with their link up; gone afterwards, whatever happened in between.

    The names carry our pid, so that sessions do not meet. `ip` failing raises CalledProcessError.
    """
    with _namespaces("a", "b") as (a, b):
        both = _gateways((a, addresses[0]), (b, addresses[1]))
        _link((a, INTERFACE, both.a.address), (b, INTERFACE, both.b.address))
        _add_inner_addresses(both)
        yield both


@contextmanager
def gateways_with_nat(behind: Literal["a", "b"]) -> Iterator[Gateways]:
    """As `two_gateways`, with a router between them that gives one of them its own address, and other ports."""
    inside, router_inside, router, outside = "192.168.77.2", "192.168.77.1", "10.99.0.2", "10.99.0.1"
    with _namespaces("a", "b", "r") as (a, b, r):
        both = _gateways((a, inside if behind == "a" else outside), (b, inside if behind == "b" else outside))
        hidden, other = (both.a, both.b) if behind == "a" else (both.b, both.a)
        _link((hidden.namespace, INTERFACE, inside), (r, "inside", router_inside))
        _link((other.namespace, INTERFACE, outside), (r, "outside", router))
        _ip("-n", hidden.namespace, "route", "add", "default", "via", router_inside)
        _run("ip", "netns", "exec", r, "sysctl", "-qw", "net.ipv4.ip_forward=1")
        chain = 'chain out {\n type nat hook postrouting priority 100;\n oifname "outside" masquerade random\n}'
        _nft(r, f"table ip interop {{\n {chain}\n}}\n")
        _add_inner_addresses(both)
        moved = replace(hidden, translated=router)
        yield Gateways(moved, both.b) if behind == "a" else Gateways(both.a, moved)


@contextmanager
def _namespaces(*suffixes: str) -> Iterator[tuple[str, ...]]:
    _remove_leftovers()
    number = next(_numbers)
    names = tuple(f"interop-{os.getpid()}-{number}{suffix}" for suffix in suffixes)
    try:
        for name in names:
            _ip("netns", "add", name)
            _ip("-n", name, "link", "set", "lo", "up")
        yield names
    finally:
        for name in names:
            if (NAMESPACES / name).exists():
                _ip("netns", "delete", name)


def _gateways(a: tuple[str, str], b: tuple[str, str]) -> Gateways:
    return Gateways(
        Gateway(*a, "10.1.0.0/16", "10.1.0.1", network6="fd01::/64", inner_address6="fd01::1"),
        Gateway(*b, "10.2.0.0/16", "10.2.0.1", network6="fd02::/64", inner_address6="fd02::1"),
    )


def _link(*ends: tuple[str, str, str]) -> None:
    """A veth pair; each end has a namespace, an interface and an address."""
    (one, interface, _), (other, interface_of_other, _) = ends
    _ip("link", "add", interface, "netns", one,
        "type", "veth", "peer", "name", interface_of_other, "netns", other)  # fmt: skip
    for namespace, name, address in ends:
        # Without `nodad` an IPv6 address cannot be used for its first second.
        family = ("/64", "nodad") if ":" in address else ("/24",)
        _ip("-n", namespace, "address", "add", address + family[0], "dev", name, *family[1:])
        _ip("-n", namespace, "link", "set", name, "up")


def _add_inner_addresses(both: Gateways) -> None:
    for gateway in (both.a, both.b):
        _ip("-n", gateway.namespace, "address", "add", f"{gateway.inner_address}/32", "dev", "lo")
        _ip("-n", gateway.namespace, "address", "add", f"{gateway.inner_address6}/128", "dev", "lo", "nodad")


def _remove_leftovers() -> None:
    """Namespaces of sessions that were killed before they could clean up."""
    for path in NAMESPACES.glob("interop-*"):
        owner = re.fullmatch(r"interop-(\d+)-\d+[abr]", path.name)
        if owner and not Path("/proc", owner[1]).exists():
            with suppress(subprocess.CalledProcessError):  # another session may be doing the same
                _ip("netns", "delete", path.name)


def _ip(*words: str) -> None:
    _run("ip", *words)


def _nft(namespace: str, rules: str) -> None:
    _run("ip", "netns", "exec", namespace, "nft", "-f", "-", text=rules)


def _run(*command: str, text: str = "") -> str:
    return subprocess.run(command, input=text, check=True, capture_output=True, text=True).stdout
