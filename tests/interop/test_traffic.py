# SPDX-License-Identifier: ISC
"""Two of our daemons with userspace ESP: what flows, what never leaves in clear, and how it comes back."""

import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.interop.meeting import SECRET, TUNNEL_UP
from tests.interop.namespaces import Gateways
from tests.interop.ours import IkeAuth, Settings
from tests.interop.traffic import MEGABYTE, eavesdropper, ping, sent_outside, transfer, wait_for_traffic
from tests.interop.waiting import until

Pair = Callable[..., tuple[IkeAuth, IkeAuth]]
CHECK = 2  # seconds between looks at connections


@pytest.fixture
def pair(gateways: Gateways, tmp_path: Path) -> Iterator[Pair]:
    """Starts one at either end: A brings the tunnel up, B waits for it. `a=` and `b=` are settings of one of them."""
    with ExitStack() as running:

        def start(**settings: Any) -> tuple[IkeAuth, IkeAuth]:
            of_end = {name: settings.pop(name, {}) for name in ("a", "b")}
            ends = []
            for name, own, peer in (("b", gateways.b, gateways.a), ("a", gateways.a, gateways.b)):
                # Where there is no tunnel, nothing else keeps packets from leaving in clear.
                subprocess.run(
                    ["ip", "-n", own.namespace, "route", "add", "default", "via", peer.address], check=True
                )
                own_settings = Settings(
                    initiates=name == "a",
                    peer_id=peer.address,
                    secret=SECRET,
                    kernel="userspace",
                    check_interval=CHECK,
                    **settings,
                    **of_end[name],
                )
                ends.append(running.enter_context(IkeAuth(own, peer, own_settings, tmp_path / name)))
            b, a = ends
            a.wait_for_log(TUNNEL_UP)
            b.wait_for_log(TUNNEL_UP)
            return a, b

        yield start
        for path in sorted(tmp_path.glob("[ab]/*.log")):
            print(f"--- {path.parent.name}/{path.name}\n{path.read_text(errors='replace')}")


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize(
    "suite", ["QM-ESP-AESGCM-128-SUITE", "QM-ESP-AES-256-SHA2-256-SUITE", "QM-ESP-AES-128-SHA-SUITE"]
)
def test_bulk_arrives_as_it_went(pair: Pair, gateways: Gateways, suite: str, version: int) -> None:
    pair(suite=suite, inner_version=version)
    transfer(gateways.a, gateways.b, 16 * MEGABYTE, version=version)
    transfer(gateways.b, gateways.a, 16 * MEGABYTE, version=version)


@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("in_udp", [True, False], ids=["udp", "esp"])
def test_what_can_be_compressed_is(pair: Pair, gateways: Gateways, version: int, in_udp: bool) -> None:
    a, b = pair(compress=True, inner_version=version, esp_in_udp=in_udp, suite="QM-ESP-AESGCM-128-SUITE")
    for end in (a, b):
        end.wait_for_log(rf"{TUNNEL_UP}.*, IPCOMP DEFLATE .* \+ ESP AES_GCM_16-128 ")
    size = 8 * MEGABYTE
    for sender, receiver in ((gateways.a, gateways.b), (gateways.b, gateways.a)):
        before = sent_outside(sender)
        transfer(sender, receiver, size, version=version, kind="lines")
        between = sent_outside(sender)
        transfer(sender, receiver, size, version=version)
        assert between - before < size / 4
        assert size < sent_outside(sender) - between < 1.25 * size
        assert ping(sender, receiver.inner_address if version == 4 else receiver.inner_address6, 5).lost == 0


def test_compression_goes_on_when_the_tunnel_is_renewed(pair: Pair, gateways: Gateways) -> None:
    a, _ = pair(compress=True, suite="QM-ESP-AESGCM-128-SUITE", life=4)
    for tunnels in range(1, 4):
        until(lambda: len(re.findall(TUNNEL_UP, a.log)) >= tunnels, 20, lambda: f"{tunnels} tunnels")  # noqa: B023
        before = sent_outside(gateways.a)
        transfer(gateways.a, gateways.b, 4 * MEGABYTE, kind="lines")
        assert sent_outside(gateways.a) - before < MEGABYTE
        transfer(gateways.b, gateways.a, 4 * MEGABYTE)


def test_without_a_nat_esp_needs_no_udp(pair: Pair, gateways: Gateways, tmp_path: Path) -> None:
    with eavesdropper(gateways.b, tmp_path / "seen") as listening:
        pair(esp_in_udp=False)
        transfer(gateways.a, gateways.b, 4 * MEGABYTE)
        transfer(gateways.b, gateways.a, 4 * MEGABYTE)
        assert {packet.protocol for packet in listening.seen if packet.ports is None} >= {50}
        assert not any(packet.ports == (4500, 4500) for packet in listening.seen)
        assert listening.in_clear == []


@pytest.mark.parametrize("killed", ["a", "b"])
def test_nothing_leaks_when_a_daemon_dies_and_traffic_comes_back(
    pair: Pair, gateways: Gateways, tmp_path: Path, killed: str
) -> None:
    a, b = pair()
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    victim = a if killed == "a" else b
    with eavesdropper(gateways.b, tmp_path / "seen") as listening:
        victim.crash()
        assert ping(gateways.a, gateways.b.inner_address, 3).received == 0
        assert ping(gateways.b, gateways.a.inner_address, 3).received == 0
        victim.start()
        wait_for_traffic(gateways.a, gateways.b.inner_address, CHECK + 10)
        wait_for_traffic(gateways.b, gateways.a.inner_address, CHECK + 10)
        assert any(packet.ports == (4500, 4500) for packet in listening.seen)
        assert listening.in_clear == []


def test_nothing_leaks_before_there_is_a_tunnel(gateways: Gateways, tmp_path: Path) -> None:
    own, peer = gateways.a, gateways.b
    subprocess.run(["ip", "-n", own.namespace, "route", "add", "default", "via", peer.address], check=True)
    settings = Settings(initiates=True, peer_id=peer.address, secret=SECRET, kernel="userspace")
    with eavesdropper(peer, tmp_path / "seen") as listening, IkeAuth(own, peer, settings, tmp_path / "a"):
        assert ping(own, peer.inner_address, 3).received == 0
        assert any(packet.ports == (500, 500) for packet in listening.seen)
        assert listening.in_clear == []


def test_a_device_that_is_taken_away_is_replaced(pair: Pair, gateways: Gateways, tmp_path: Path) -> None:
    a, _ = pair()
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    with eavesdropper(gateways.b, tmp_path / "seen") as listening:
        subprocess.run(["ip", "-n", gateways.a.namespace, "link", "delete", "esp0"], check=True)
        a.wait_for_log(r"`esp0` was deleted or set down by somebody else; `esp\d` takes its place")
        wait_for_traffic(gateways.a, gateways.b.inner_address)
        assert listening.in_clear == []


def test_nothing_of_ours_is_left_behind(pair: Pair, gateways: Gateways) -> None:
    ends = pair()
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    for end in ends:
        assert end.stop() == 0
    for gateway in (gateways.a, gateways.b):
        for what in (["route", "show", "table", "all"], ["rule"]):
            shown = subprocess.run(
                ["ip", "-n", gateway.namespace, *what], check=True, capture_output=True, text=True
            ).stdout
            assert "proto 50" not in shown
        assert ping(gateway, "10.99.0.1" if gateway is gateways.b else "10.99.0.2", 1).sent == 1


def test_everything_through_the_tunnel_but_the_tunnel_itself(pair: Pair, gateways: Gateways) -> None:
    """0.0.0.0/0 behind the peer: our own datagrams to it must not go through the tunnel."""
    pair(a={"remote_network": "0.0.0.0/0"}, b={"own_network": "0.0.0.0/0"})
    wait_for_traffic(gateways.a, gateways.b.inner_address)
    assert ping(gateways.a, gateways.b.inner_address, 5).lost == 0
    assert ping(gateways.b, gateways.a.inner_address, 5).lost == 0
