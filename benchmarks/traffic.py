# SPDX-License-Identifier: ISC
"""Traffic through tunnels of `ike-auth run` with userspace ESP, beside strongSwan's userspace ESP, on one veth pair.

Needs root, iperf3, ping and strongSwan (tests/interop/install.sh). All pairs of daemons stand side by side, each in
namespaces of its own, and are measured in turns, so that what else the machine does meets all alike.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from benchmarks.table import Row
from tests.interop.charon import CHARON, Charon
from tests.interop.charon import Settings as CharonSettings
from tests.interop.meeting import SECRET
from tests.interop.namespaces import Gateway, Gateways, two_gateways
from tests.interop.ours import IkeAuth
from tests.interop.ours import Settings as OurSettings
from tests.interop.traffic import flood, ping, wait_for_traffic

TURNS, SECONDS = 3, 3
SMALL, LARGE = 64, 1300  # bytes of UDP payload
PINGS, IN_A_ROW = 400, 20
LONG_SECONDS = int(os.environ.get("BENCH_LOSS_SECONDS", "60"))
ESP = {"aes128gcm16": "QM-ESP-AESGCM-128-SUITE", "aes128-sha256": "QM-ESP-AES-128-SHA2-256-SUITE"}
OURS, CHARONS, MIXED = "ours ↔ ours", "charon ↔ charon", "ours ↔ charon"


def run() -> list[Row]:
    missing = _missing()
    if missing:
        return [Row("traffic", f"not measured: {missing}", "-")]
    with TemporaryDirectory(prefix="bench-") as directory, ExitStack() as running:
        pairs = {
            (kinds, esp): running.enter_context(_pair(kinds, esp, Path(directory) / f"{number}"))
            for number, (kinds, esp) in enumerate((k, e) for e in ESP for k in (OURS, CHARONS, MIXED))
        }
        return [*_bulk(pairs), *_latency(pairs), *_small(pairs), _loss(pairs[OURS, "aes128gcm16"])]


Pairs = dict[tuple[str, str], Gateways]


def _bulk(pairs: Pairs) -> list[Row]:
    """TCP, one stream, both directions."""
    figures: dict[tuple[str, str, bool], list[float]] = {}
    for _ in range(TURNS):
        for (kinds, esp), gateways in pairs.items():
            for back in (False, True):
                rate = _tcp(gateways, back)
                figures.setdefault((kinds, esp, back), []).append(rate)
    rows = []
    bars = {(OURS, "aes128gcm16"): 2.5, (MIXED, "aes128gcm16"): 1.0}
    for esp in ESP:
        unit = median(figures[CHARONS, esp, False] + figures[CHARONS, esp, True])
        rows.append(Row("traffic", f"{esp}, TCP, charon ↔ charon", f"{unit:.0f} Mbit/s"))
        for kinds in (OURS, MIXED):
            for back in (False, True):
                rate = median(figures[kinds, esp, back])
                bar = bars.get((kinds, esp))
                way = "→" if not back else "←"
                what = f"{esp}, TCP, {kinds.replace('↔', way)} / charon ↔ charon"
                ok = bar is None or rate / unit >= bar
                rows.append(
                    Row(
                        "traffic",
                        what,
                        f"{rate / unit:.1f} ({rate:.0f} Mbit/s)",
                        f"at least {bar}" if bar else "",
                        ok,
                    )
                )
    return rows


def _latency(pairs: Pairs) -> list[Row]:
    times: dict[str, list[float]] = {CHARONS: [], OURS: []}
    for _ in range(PINGS // IN_A_ROW):
        for kinds, found in times.items():
            gateways = pairs[kinds, "aes128gcm16"]
            found.append(ping(gateways.a, gateways.b.inner_address, IN_A_ROW, interval=0.01).median)
    more, charons = median(times[OURS]) - median(times[CHARONS]), median(times[CHARONS])
    what = f"ping, median of {PINGS}: ours less charon's {charons:.2f} ms"
    return [Row("traffic", what, f"{more:+.2f} ms", "at most 0.3 ms", more <= 0.3)]


def _small(pairs: Pairs) -> list[Row]:
    """Packets of 64 bytes from a charon as fast as it can, which are many system calls and no superpackets."""
    rows = []
    for kinds, to in ((CHARONS, "charon"), (MIXED, "ours")):
        gateways = pairs[kinds, "aes128gcm16"]
        sender, receiver = (gateways.b, gateways.a) if kinds == MIXED else (gateways.a, gateways.b)
        found = flood(sender, receiver, rate=10_000_000, seconds=SECONDS, size=SMALL)
        figure = f"{found.came / SECONDS / 1000:.0f} thousand a second"
        rows.append(Row("traffic", f"UDP of {SMALL} bytes, charon → {to}", figure))
    return rows


def _loss(gateways: Gateways) -> Row:
    """At half of what UDP reaches at the most. Its receiver has room for a second, so that what is lost was lost on
    the way."""
    fastest = flood(gateways.a, gateways.b, rate=10_000_000, seconds=SECONDS, size=LARGE)
    rate = fastest.came // SECONDS // 2
    found = flood(gateways.a, gateways.b, rate=rate, seconds=LONG_SECONDS, size=LARGE)
    what = f"UDP lost at half of the maximum rate ({rate * LARGE * 8 / 1e6:.0f} Mbit/s) in {LONG_SECONDS} s"
    return Row("traffic", what, f"{found.lost} of {found.went}", "none", found.lost == 0)


def _tcp(gateways: Gateways, back: bool) -> float:
    """Mbit/s that arrived."""
    said = _iperf3(gateways, ["-t", str(SECONDS), "-O", "1", *(["-R"] if back else [])])
    return float(said["end"]["sum_received"]["bits_per_second"]) / 1e6


def _iperf3(gateways: Gateways, words: list[str]) -> dict[str, Any]:
    a, b = gateways.a, gateways.b
    server = subprocess.Popen(
        b.command("iperf3", "-s", "-1", "-B", b.inner_address, "--forceflush"),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert server.stdout
        for line in server.stdout:
            if "listening" in line:
                break
        client = a.command("iperf3", "-c", b.inner_address, "-B", a.inner_address, "-J", *words)
        done = subprocess.run(client, capture_output=True, text=True, timeout=LONG_SECONDS + 60)
        found = json.loads(done.stdout)
        if "error" in found:
            raise RuntimeError(f"iperf3: {found['error']}")
        return dict(found)
    finally:
        server.kill()
        server.communicate()


@contextmanager
def _pair(kinds: str, esp: str, directory: Path) -> Iterator[Gateways]:
    directory.mkdir()
    with two_gateways() as gateways, ExitStack() as running:
        a, b = gateways.a, gateways.b
        first, _, second = kinds.split()
        # The one that is there first waits for the other; charon has to be told to begin.
        running.enter_context(_DAEMONS[second.rstrip("s")](b, a, esp, directory / "b", False))
        begins = running.enter_context(_DAEMONS[first.rstrip("s")](a, b, esp, directory / "a", True))
        if isinstance(begins, Charon):
            begins.initiate()
        wait_for_traffic(a, b.inner_address)
        yield gateways


def _ours(own: Gateway, peer: Gateway, esp: str, directory: Path, initiates: bool) -> IkeAuth:
    settings = OurSettings(
        initiates=initiates, peer_id=peer.address, secret=SECRET, kernel="userspace", suite=ESP[esp]
    )
    return IkeAuth(own, peer, settings, directory)


def _charon(own: Gateway, peer: Gateway, esp: str, directory: Path, initiates: bool) -> Charon:
    # Its own AES-GCM is five times slower than OpenSSL's.
    settings = CharonSettings(own_id=own.address, peer_id=peer.address, secret=SECRET, esp=esp, own_algorithms=False)
    return Charon(own, peer, settings, directory)


_DAEMONS: dict[str, Callable[[Gateway, Gateway, str, Path, bool], IkeAuth | Charon]] = {
    "our": _ours,
    "charon": _charon,
}


def _missing() -> str:
    if os.geteuid() != 0:
        return "needs root"
    if not CHARON.exists():
        return "no strongSwan; `sudo bash tests/interop/install.sh`"
    lacking = [name for name in ("iperf3", "ping") if not shutil.which(name)]
    return f"no {lacking[0]}" if lacking else ""
