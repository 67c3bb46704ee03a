# SPDX-License-Identifier: ISC
"""Traffic between the networks behind two gateways, and what of it an eavesdropper between these sees."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path

from tests.interop.namespaces import INTERFACE, Gateway
from tests.interop.waiting import until

MEGABYTE = 1 << 20
PORT = 7777
SECONDS = 60.0
_HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Pings:
    sent: int
    received: int
    median: float = 0.0  # milliseconds, of those that came back

    @property
    def lost(self) -> int:
        return self.sent - self.received


def ping(
    gateway: Gateway, to: str, count: int = 3, *, interval: float = 0.05, size: int = 56, source: str = ""
) -> Pings:
    """From this gateway's inner address, waiting for each answer a second at most."""
    words = ["ping", "-c", str(count), "-i", str(interval), "-W", "1", "-s", str(size), "-n"]
    command = gateway.command(*words, "-I", source or _inner(gateway, to), to)
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found = re.search(r"(\d+) packets transmitted, (\d+) received", said)
    assert found, said
    times = sorted(float(time) for time in re.findall(r"time=([\d.]+) ms", said))
    return Pings(int(found[1]), int(found[2]), times[len(times) // 2] if times else 0.0)


def wait_for_traffic(gateway: Gateway, to: str, seconds: float = 10.0) -> None:
    """Until an answer comes back."""
    until(lambda: ping(gateway, to, 1).received == 1, seconds, lambda: f"an answer from {to}")


def transfer(
    sender: Gateway, receiver: Gateway, size: int, *, version: int = 4, seed: int = 1, kind: str = "random"
) -> None:
    """Send so many bytes over TCP; AssertionError unless what came is what went. `kind`: see `endpoints.send`."""
    source, target = (g.inner_address if version == 4 else g.inner_address6 for g in (sender, receiver))
    with _endpoint(receiver, "receive", target, str(PORT)) as receiving:
        assert receiving.stdout
        assert receiving.stdout.readline() == "ready\n"
        with _endpoint(sender, "send", target, str(PORT), source, str(size), str(seed), kind) as sending:
            went, error = sending.communicate(timeout=SECONDS)
            came, other_error = receiving.communicate(timeout=SECONDS)
    assert went, error
    assert came == went, other_error
    assert went.startswith(f"{size} ")


def sent_outside(gateway: Gateway) -> int:
    """Bytes of all the frames that have left for the other gateway."""
    words = ["ip", "-n", gateway.namespace, "-s", "-j", "link", "show", "dev", INTERFACE]
    (link,) = json.loads(subprocess.run(words, check=True, capture_output=True).stdout)
    sent: int = link["stats64"]["tx"]["bytes"]
    return sent


@dataclass(frozen=True, slots=True)
class Flood:
    went: int
    came: int

    @property
    def lost(self) -> int:
        return self.went - self.came


def flood(sender: Gateway, receiver: Gateway, *, rate: int, seconds: int, size: int) -> Flood:
    """Datagrams at `rate` a second, or as fast as may be; the receiver can keep a second of them."""
    target = receiver.inner_address
    with _endpoint(receiver, "sink", target, str(PORT)) as receiving:
        assert receiving.stdout
        assert receiving.stdout.readline() == "ready\n"
        numbers = (str(number) for number in (size, rate, seconds))
        with _endpoint(sender, "flood", target, str(PORT), sender.inner_address, *numbers) as sending:
            went, error = sending.communicate(timeout=SECONDS + seconds)
            came, other_error = receiving.communicate(timeout=SECONDS)
    assert went, error
    assert came, other_error
    return Flood(int(went), int(came))


@contextmanager
def _endpoint(gateway: Gateway, *words: str) -> Iterator["subprocess.Popen[str]"]:
    command = gateway.command(sys.executable, str(_HERE / "endpoints.py"), *words)
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def _inner(gateway: Gateway, to: str) -> str:
    return gateway.inner_address if ip_address(to).version == 4 else gateway.inner_address6


@dataclass(frozen=True, slots=True)
class Seen:
    """One packet on the wire between the gateways."""

    source: str
    destination: str
    protocol: int
    ports: tuple[int, int] | None

    @property
    def is_ours(self) -> bool:
        """Whether a tunnel's outside, or what every link has, explains it."""
        if self.protocol in (0, 1, 58):  # options for multicast listeners, ICMP, ICMPv6
            return not _is_inner(self.source) and not _is_inner(self.destination)
        return self.protocol == 50 or (self.protocol == 17 and bool({500, 4500} & set(self.ports or ())))


@contextmanager
def eavesdropper(gateway: Gateway, path: Path) -> Iterator["Eavesdropper"]:
    """Listens at the outer interface of a gateway, beside which it must not be the only one on the machine."""
    command = gateway.command(sys.executable, str(_HERE / "eavesdrop.py"), INTERFACE)
    with path.open("wb") as sink, subprocess.Popen(command, stdout=sink) as process:
        listening = Eavesdropper(path)
        try:
            until(lambda: listening.ready, 10, lambda: "an eavesdropper that is ready")
            yield listening
        finally:
            process.terminate()


@dataclass(frozen=True, slots=True)
class Eavesdropper:
    path: Path

    @property
    def ready(self) -> bool:
        return self.path.read_text().startswith("ready\n")

    @property
    def seen(self) -> list[Seen]:
        found = []
        for line in self.path.read_text().splitlines()[1:]:
            source, destination, protocol, ports = line.split()
            pair = tuple(int(port) for port in ports.split(",")) if ports != "-" else None
            found.append(Seen(source, destination, int(protocol), pair))  # type: ignore[arg-type]
        return found

    @property
    def in_clear(self) -> list[Seen]:
        """What should not have been seen."""
        return [packet for packet in self.seen if not packet.is_ours]


def _is_inner(address: str) -> bool:
    networks = ("10.1.0.0/16", "10.2.0.0/16", "fd01::/64", "fd02::/64")
    return any(ip_address(address) in ip_network(network) for network in networks)
