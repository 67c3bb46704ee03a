# SPDX-License-Identifier: ISC
"""Two hosts keyed by hand: setkey at a running daemon of either end, and traffic between them."""

import re
import secrets
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.interop.namespaces import Gateway, Gateways
from tests.interop.ours import IKE_AUTH
from tests.interop.processes import Daemon
from tests.interop.traffic import MEGABYTE, eavesdropper, ping, transfer

# Nobody to negotiate with.
CONFIGURATION = "[General]\nUse-Keynote= no\n[Phase 1]\nDefault=\n"
ALGORITHMS = {
    "aes-cbc": ("-E aes-cbc 0x{0} -A hmac-sha256 0x{1}", 16, 32),
    "aes-gcm": ("-E aes-gcm-16 0x{0}", 20, 0),
    "chacha20-poly1305": ("-E chacha20-poly1305 0x{0}", 36, 0),
    "null": ("-E null -A hmac-sha1 0x{1}", 0, 20),
}


@dataclass(frozen=True, slots=True)
class Keyed:
    """A daemon, and setkey that speaks to it."""

    gateway: Gateway
    directory: Path

    def setkey(self, *words: str, text: str = "") -> "subprocess.CompletedProcess[str]":
        command = [str(IKE_AUTH), "setkey", *words, "--control", str(self.directory / "control")]
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False, timeout=60)


@contextmanager
def keyed(gateway: Gateway, directory: Path) -> Iterator[Keyed]:
    directory.mkdir()
    configuration = directory / "isakmpd.conf"
    configuration.touch(mode=0o600)
    configuration.write_text(CONFIGURATION)
    command = [str(IKE_AUTH), "run", "-c", str(configuration), "--control", str(directory / "control")]
    daemon = Daemon(gateway, [*command, "--kernel", "userspace"], directory / "log")
    try:
        daemon.wait_for_log("ready: ", 15)
        yield Keyed(gateway, directory)
        assert daemon.stop() == 0
    finally:
        if daemon.running:
            daemon.kill()


def statements(own: Gateway, peer: Gateway, protocol: str, algorithms: dict[str, str]) -> str:
    sas = [
        f"add {source.address} {target.address} {protocol} {spi} -m tunnel {algorithms[source.namespace]};"
        for spi, (source, target) in ((0x10001, (own, peer)), (0x10002, (peer, own)))
    ]
    ways = (("out", own, peer), ("in", peer, own))
    policies = [
        f"spdadd {source.network} {target.network} any -P {way}"
        f" ipsec esp/tunnel/{source.address}-{target.address}/require;"
        for way, source, target in ways
    ]
    return "\n".join([*sas, *policies])


@pytest.mark.parametrize("protocol", ["esp-udp", "esp"])
@pytest.mark.parametrize("name", ALGORITHMS)
def test_two_hosts_keyed_by_hand(gateways: Gateways, tmp_path: Path, name: str, protocol: str) -> None:
    form, encryption, integrity = ALGORITHMS[name]
    keys = {
        gateway.namespace: form.format(secrets.token_hex(encryption), secrets.token_hex(integrity))
        for gateway in (gateways.a, gateways.b)
    }
    with keyed(gateways.a, tmp_path / "a") as a, keyed(gateways.b, tmp_path / "b") as b:
        # Both say the same of the SAs: the SPIs go with the sender.
        text = statements(gateways.a, gateways.b, protocol, keys)
        swapped = text.replace("-P out", "-P IN").replace("-P in", "-P out").replace("-P IN", "-P in")
        for end, own in ((a, text), (b, swapped)):
            done = end.setkey("-c", text=own)
            assert done.returncode == 0, done.stderr
            assert "replay protection is off for 2 SAs" in done.stderr
        with eavesdropper(gateways.b, tmp_path / "seen") as listening:
            assert ping(gateways.a, gateways.b.inner_address, 3).lost == 0
            transfer(gateways.a, gateways.b, MEGABYTE)
            transfer(gateways.b, gateways.a, MEGABYTE)
            assert listening.in_clear == []
        shown = a.setkey("-D").stdout
        carried = [int(size) for size in re.findall(r"current: (\d+)\(bytes\)", shown)]
        assert [size > MEGABYTE for size in carried] == [True, True], shown
        assert "spi=65537(0x00010001)" in shown
        assert not any(key[2:] in shown for key in keys[gateways.a.namespace].split() if key.startswith("0x"))
        assert "esp/tunnel/10.99.0.1-10.99.0.2/require" in a.setkey("-DP").stdout
        for end in (a, b):
            assert end.setkey("-F").returncode == 0
        assert a.setkey("-D").stdout == "No SAD entries.\n"
        assert ping(gateways.a, gateways.b.inner_address, 2).received == 0


def test_one_pair_of_sas_for_several_networks(gateways: Gateways, tmp_path: Path) -> None:
    keys = {
        gateway.namespace: ALGORITHMS["aes-cbc"][0].format(secrets.token_hex(16), secrets.token_hex(32))
        for gateway in (gateways.a, gateways.b)
    }
    for address in ("10.9.0.1", "10.5.0.1"):
        subprocess.run(["ip", "-n", gateways.b.namespace, "address", "add", f"{address}/32", "dev", "lo"], check=True)
    with keyed(gateways.a, tmp_path / "a") as a, keyed(gateways.b, tmp_path / "b") as b:
        text = statements(gateways.a, gateways.b, "esp-udp", keys)
        more = [line.replace("10.2.0.0/16", "10.9.0.0/16") for line in text.splitlines() if line.startswith("spdadd")]
        text = "\n".join([text, *more])
        swapped = text.replace("-P out", "-P IN").replace("-P in", "-P out").replace("-P IN", "-P in")
        for end, own in ((a, text), (b, swapped)):
            done = end.setkey("-c", text=own)
            assert done.returncode == 0, done.stderr
        assert ping(gateways.a, gateways.b.inner_address, 3).lost == 0
        assert ping(gateways.a, "10.9.0.1", 3).lost == 0
        assert ping(gateways.b, gateways.a.inner_address, 3, source="10.9.0.1").lost == 0
        assert ping(gateways.a, "10.5.0.1", 1).received == 0
