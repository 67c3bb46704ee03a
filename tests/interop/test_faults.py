# SPDX-License-Identifier: ISC
"""What somebody on the wire does to a tunnel: nothing of it is delivered, all of it is counted, traffic goes on."""

import secrets
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest

from ike_auth.crypto.secrets import Secret
from ike_auth.daemon.control import ControlClient
from ike_auth.esp.padding import trailers
from ike_auth.network import Endpoint
from tests.ike_auth.esp.inner import udp
from tests.ike_auth.esp.pair import crafted
from tests.ike_auth.esp.sas import ipsec_sa
from tests.interop.meeting import SECRET, TUNNEL_UP
from tests.interop.namespaces import INTERFACE, Gateway, Gateways
from tests.interop.ours import IkeAuth, Settings
from tests.interop.test_manual_keys import keyed
from tests.interop.traffic import ping, wait_for_traffic
from tests.interop.wire import NAT_PORT, Letters, Wire, wire

WINDOW = 64
HEADER, IV, ICV = 8, 8, 16  # bytes, of AES-GCM


@dataclass(frozen=True, slots=True)
class Attack:
    """From A to B."""

    wire: Wire
    letters: Letters
    traffic: Callable[[], dict[str, Any]]  # of B

    def counters(self) -> dict[str, int]:
        """What B has dropped."""
        return dict(self.traffic()["drops"])

    def capture(self, *letters: bytes) -> list[bytes]:
        """The packets in which these go; they do arrive."""
        found = self._copies(letters)
        assert self.letters.until(letters[-1]) == list(letters)
        return found

    def withhold(self, *letters: bytes) -> list[bytes]:
        """The packets in which these go, and none arrives: they leave for a neighbour that is not there."""
        namespace, address = self.wire.sender.namespace, self.wire.receiver.address
        lost = ["lladdr", "02:00:00:00:00:99", "dev", INTERFACE, "nud", "permanent"]
        neighbour = ["ip", "-n", namespace, "neighbour"]
        subprocess.run([*neighbour, "replace", address, *lost], check=True)
        found = self._copies(letters)
        subprocess.run([*neighbour, "delete", address, "dev", INTERFACE], check=True)
        return found

    def _copies(self, letters: Iterable[bytes]) -> list[bytes]:
        """One after the other, lest some go together."""
        self.wire.forget()
        found = []
        for letter in letters:
            self.letters.send(letter)
            found += self.wire.copies(1)
        return found

    def inject(self, *payloads: bytes) -> list[bytes]:
        """What of it is delivered. A genuine letter goes after it, by the same way."""
        last = secrets.token_bytes(8)
        self.wire.inject(*payloads)
        self.letters.send(last)
        return self.letters.until(last)[:-1]


@pytest.fixture
def attack(gateways: Gateways, tmp_path: Path) -> Iterator[Attack]:
    with ExitStack() as running:
        daemons = []
        for name, own, peer in (("b", gateways.b, gateways.a), ("a", gateways.a, gateways.b)):
            settings = Settings(
                initiates=name == "a",
                peer_id=peer.address,
                secret=SECRET,
                kernel="userspace",
                suite="QM-ESP-AESGCM-128-SUITE",
            )
            daemons.append(running.enter_context(IkeAuth(own, peer, settings, tmp_path / name)))
        for daemon in daemons:
            daemon.wait_for_log(TUNNEL_UP)
        wait_for_traffic(gateways.a, gateways.b.inner_address)
        yield Attack(
            running.enter_context(wire(gateways.a, gateways.b)),
            Letters(gateways.a, gateways.b, running),
            daemons[0].traffic,
        )


def flipped(packet: bytes, at: int) -> bytes:
    return packet[:at] + bytes([packet[at] ^ 1]) + packet[at + 1 :]


def with_sequence(packet: bytes, ahead: int) -> bytes:
    number = int.from_bytes(packet[4:8], "big") + ahead
    return packet[:4] + number.to_bytes(4, "big") + packet[8:]


FAULTS: dict[str, tuple[Callable[[bytes], list[bytes]], str]] = {
    "replayed": (lambda p: [p] * 3, "replayed"),
    "another sequence number": (lambda p: [with_sequence(p, n) for n in (1, 10, 1000)], "bad ICV"),
    "corrupted": (
        lambda p: [with_sequence(flipped(p, at), 1) for at in (HEADER, HEADER + IV, len(p) - ICV, len(p) - 1)],
        "bad ICV",
    ),
    "truncated": (lambda p: [with_sequence(p[:-cut], 1) for cut in (1, 4, ICV)], "bad ICV"),
    "cut short": (lambda p: [p[:size] for size in (5, HEADER, HEADER + IV, HEADER + IV + ICV)], "truncated"),
    "oversized": (
        lambda p: [with_sequence(p, 1) + bytes(size) for size in (1, 1400, 60_000)],
        "bad ICV",
    ),
    "of no SA": (lambda p: [flipped(p, 3), b"\xff" * 4 + p[4:], b"\0\0\0\1" + bytes(60)], "unknown SPI"),
}


def test_what_is_changed_on_the_way(attack: Attack, gateways: Gateways) -> None:
    for number, (name, (change, reason)) in enumerate(FAULTS.items()):
        [packet] = attack.capture(f"letter {number}".encode())
        before = attack.counters()
        payloads = change(packet)
        assert attack.inject(*payloads) == [], name
        after = attack.counters()
        assert after == {**before, reason: before.get(reason, 0) + len(payloads)}, name
    assert ping(gateways.a, gateways.b.inner_address, 5).lost == 0


def test_what_comes_late(attack: Attack) -> None:
    """Another order is no fault; what is older than the window can show is one, and so is what has been there."""
    first, *others = attack.withhold(*(b"letter %d" % number for number in range(4)))
    assert attack.inject(*reversed(others)) == [b"letter 3", b"letter 2", b"letter 1"]
    assert attack.counters() == {}
    assert attack.inject(*others, *others) == []
    assert attack.counters() == {"replayed": 6}
    attack.capture(*(b"more %d" % number for number in range(WINDOW)))
    assert attack.inject(first) == []
    assert attack.counters() == {"replayed": 6, "too old for the replay window": 1}


def test_what_is_carried_is_counted_at_both_ends(attack: Attack) -> None:
    attack.capture(*(b"letter %d" % number for number in range(3)))
    said = attack.traffic()
    [inbound] = [sa for sa in said["sas"] if sa["inbound"] and sa["packets"]]
    size = 20 + 8 + len(b"letter 0")
    assert inbound["bytes"] >= 3 * size
    assert (inbound["local"], inbound["remote"]) == ("10.2.0.0/16", "10.1.0.0/16")
    attack.capture(b"letter 3")
    [later] = [sa for sa in attack.traffic()["sas"] if sa["spi"] == inbound["spi"]]
    assert (later["packets"], later["bytes"]) == (inbound["packets"] + 1, inbound["bytes"] + size)


# --- what only the peer can make: with keys that we know, because they were set by hand

SPI = 0x10001
KEY = secrets.token_bytes(20)
IPV4, IPV6, TCP, NOTHING = 4, 41, 6, 59


def statements(own: Gateway, peer: Gateway) -> str:
    """What comes from `peer` has the key; a flow needs a way back, too."""
    to, back = f"{peer.address} {own.address}", f"{own.address} {peer.address}"
    ways = (("out", own, peer), ("in", peer, own))
    policies = [
        f"spdadd {source.network} {target.network} any -P {way}"
        f" ipsec esp/tunnel/{source.address}-{target.address}/require;"
        for way, source, target in ways
    ]
    return "\n".join(
        [
            f"add {to} esp-udp {SPI} -m tunnel -E aes-gcm-16 0x{KEY.hex()};",
            f"add {back} esp-udp {SPI + 1} -m tunnel -E aes-gcm-16 0x{secrets.token_hex(20)};",
            *policies,
        ]
    )


def letter(source: str = "10.1.0.1", destination: str = "10.2.0.1", data: bytes = b"forged") -> bytes:
    return udp(data, source=ip_address(source), destination=ip_address(destination), ports=(1000, 7777))


def text(packet: bytes, next_header: int = IPV4) -> bytes:
    return packet + trailers(next_header, 4)[len(packet) % 4]


FORGED = {
    "another source": (text(letter(source="10.3.0.1")), "selectors"),
    "another destination": (text(letter(destination="10.99.0.2")), "selectors"),
    "the wrong way": (text(letter(source="10.2.0.9", destination="10.1.0.1")), "selectors"),
    "another version of IP": (text(letter("fd01::1", "fd02::1"), IPV6), "selectors"),
    "longer than it is": (text(letter()[:-4]), "malformed inner packet"),
    "not what is said": (text(letter("fd01::1", "fd02::1")), "malformed inner packet"),
    "no IP": (text(b"\0" * 64), "malformed inner packet"),
    "transport mode": (text(letter()[20:], TCP), "next header"),
    "nothing": (text(letter(), NOTHING), "dummy"),
    "false padding": (letter() + b"\1\2\\9\3\4", "bad padding"),
}


def test_what_the_peer_may_not_send(gateways: Gateways, tmp_path: Path) -> None:
    """Authentic, and none of it is delivered."""
    a, b = gateways.a, gateways.b
    ends = Endpoint(ip_address(a.address), NAT_PORT), Endpoint(ip_address(b.address), NAT_PORT)
    sa = ipsec_sa(spi=SPI.to_bytes(4, "big"), encryption_key=Secret(KEY), source=ends[0], destination=ends[1])
    with keyed(b, tmp_path / "b") as daemon, wire(a, b) as forging, ExitStack() as opened:
        done = daemon.setkey("-c", text=statements(b, a))
        assert done.returncode == 0, done.stderr
        letters = Letters(a, b, opened)
        client = opened.enter_context(ControlClient(daemon.directory / "control"))
        for number, (name, (forged, reason)) in enumerate(FORGED.items(), 1):
            before = client.request("traffic")["drops"]
            genuine = text(letter(data=b"genuine"))
            forging.inject(crafted(sa, forged, 2 * number), crafted(sa, genuine, 2 * number + 1))
            assert letters.until(b"genuine") == [b"genuine"], name
            after = client.request("traffic")["drops"]
            assert after == {**before, reason: before.get(reason, 0) + 1}, name
