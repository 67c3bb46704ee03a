# SPDX-License-Identifier: ISC
"""SIGHUP: two real daemons with a tunnel, one of which is given other files."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

import pytest

from ike_auth.daemon.control import ControlClient, ControlError
from ike_auth.demo import configurations, policies
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B
from ike_auth.demo.logs import Daemon
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage, free_ports
from tests.ike_auth.demo.processes_of import soon

KEY = "a key of the two gateways"
AGAIN = "the configuration was read again"
STAYS = "the configuration cannot be used, so the one from before stays"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with free_ports() as ports, Stage(tmp_path, Narrator(), ports) as stage:
        for host, peer, calls in ((GATEWAY_B, GATEWAY_A, False), (GATEWAY_A, GATEWAY_B, True)):
            stage.write(f"{host.name}.conf", configurations.gateway(host, KEY, calls=calls))
            stage.write(f"{host.name}.kn", policies.by_preshared_key(peer, KEY))
        yield stage


@pytest.fixture
def daemons(stage: Stage) -> tuple[Daemon, Daemon]:
    """A, which calls, and B."""
    b, a = (
        stage.start(host, stage.path(f"{host.name}.conf"), stage.path(f"{host.name}.kn"), f"{host.name}.log")
        for host in (GATEWAY_B, GATEWAY_A)
    )
    for daemon in (a, b):
        daemon.expect("TunnelUp")
    return a, b


@pytest.mark.kernel
@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_files_that_the_user_cannot_read_are_warned_of(stage: Stage) -> None:
    ports = ["--port", str(stage.ports.ike), "--nat-port", str(stage.ports.nat)]
    files = ["-c", str(stage.path("gw-a.conf")), "--policy", str(stage.path("gw-a.kn"))]
    control = ["--control", str(stage.path("control"))]
    command = [str(Path(sys.executable).with_name("ike-auth")), "run", *files, *ports, *control, "--kernel", "none"]
    with subprocess.Popen([*command, "--user", "nobody"], stderr=subprocess.PIPE, text=True) as daemon:
        assert daemon.stderr
        said = list(takewhile(lambda line: "ready: " not in line, daemon.stderr))
        os.kill(daemon.pid, signal.SIGTERM)
    (warning,) = (line for line in said if "cannot read" in line)
    assert f"`nobody` (--user) cannot read `{stage.path('gw-a.conf')}`, `{stage.path('gw-a.kn')}`" in warning
    assert "SIGHUP and `ike-auth reload` will change nothing until it can" in warning


@pytest.mark.parametrize("closed", ["2>&-", ">&- 2>&-", "2>/dev/full"])
def test_a_daemon_whose_log_goes_nowhere_runs_on(stage: Stage, closed: str) -> None:
    program = Path(sys.executable).with_name("ike-auth")
    ports = f"--port {stage.ports.ike} --nat-port {stage.ports.nat}"
    files = f"-c {stage.path('gw-a.conf')} --policy {stage.path('gw-a.kn')} --control {stage.path('control')}"
    with subprocess.Popen(["sh", "-c", f"exec {program} run {files} {ports} --kernel none {closed}"]) as daemon:
        try:
            assert soon(lambda: daemon.poll() is not None or answers(stage.path("control")))
            assert daemon.poll() is None
        finally:
            daemon.terminate()
    assert daemon.returncode == 0


def answers(control: Path) -> bool:
    try:
        with ControlClient(control) as client:
            return bool(client.request("status"))
    except ControlError:
        return False


def hang_up(daemon: Daemon, *said: str) -> None:
    """Until it has said all of this, once more than before."""
    before = {text: count(daemon, text) for text in said}
    os.kill(daemon.pid, signal.SIGHUP)
    assert soon(lambda: all(count(daemon, text) > before[text] for text in said)), daemon.tail()


def count(daemon: Daemon, text: str) -> int:
    return sum(text in entry.event for entry in daemon.entries())


def test_a_policy_that_says_no_now_ends_the_tunnel_with_its_reason(
    stage: Stage, daemons: tuple[Daemon, Daemon]
) -> None:
    a, b = daemons
    hang_up(b, AGAIN)
    assert b.entries("TunnelDown") == a.entries("TunnelDown") == []
    text = policies.by_preshared_key(GATEWAY_A, KEY).replace('esp_enc_alg == "aes"', 'esp_enc_alg == "3des"')
    stage.write("gw-b.kn", text)
    hang_up(b, AGAIN)
    why = b.expect("TunnelDown").event
    assert "no longer authorized: " in why
    assert "esp_enc_alg" in why
    assert "deleted by the peer" in a.expect("TunnelDown").event


def test_files_that_cannot_be_used_change_nothing(stage: Stage, daemons: tuple[Daemon, Daemon]) -> None:
    a, b = daemons
    stage.write("gw-b.kn", "this is no policy\n")
    stage.write("gw-b.conf", configurations.gateway(GATEWAY_B, KEY, calls=False) + "[broken\n")
    hang_up(b, STAYS, "gw-b.conf:")
    stage.write("gw-b.conf", configurations.gateway(GATEWAY_B, KEY, calls=False))
    hang_up(b, STAYS, "gw-b.kn:")
    assert count(b, AGAIN) == 0
    stage.path("gw-b.conf").unlink()
    hang_up(b, STAYS)
    for daemon in daemons:
        assert daemon.entries("TunnelDown") == []
    a.stop()
    b.expect("TunnelDown")


def test_addresses_stay_as_they_are(stage: Stage, daemons: tuple[Daemon, Daemon]) -> None:
    _, b = daemons
    text = configurations.gateway(GATEWAY_B, KEY, calls=False)
    stage.write("gw-b.conf", text.replace(f"Listen-on= {GATEWAY_B.address}", "Listen-on= 127.0.0.99"))
    hang_up(b, AGAIN, "`Listen-on` is another one: addresses and ports change at the next start only")
    assert b.entries("TunnelDown") == []


def test_another_key_ends_what_was_made_with_the_old_one(stage: Stage, daemons: tuple[Daemon, Daemon]) -> None:
    _, b = daemons
    other = KEY + " no more"
    stage.write("gw-b.conf", configurations.gateway(GATEWAY_B, other, calls=False))
    stage.write("gw-b.kn", policies.by_preshared_key(GATEWAY_A, other))
    hang_up(b, AGAIN)
    assert "configured otherwise" in b.expect("TunnelDown").event
    assert "configured otherwise" in b.expect("IkeSaDown").event
