# SPDX-License-Identifier: ISC
"""The demo as a whole, and what ends it early."""

import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ike_auth.demo import meeting, policies, questions, story
from ike_auth.demo.hosts import GATEWAY_B
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage
from ike_auth.engine import Ports
from tests.ike_auth.demo.processes_of import processes_with, soon

SCRIPTS = Path(sys.executable).parent


@pytest.mark.slow
def test_seven_steps_and_no_process_left(tmp_path: Path) -> None:
    demo = subprocess.run(
        [SCRIPTS / "ike-auth", "demo", "--dir", tmp_path / "demo"], capture_output=True, text=True, timeout=300
    )
    assert (demo.returncode, demo.stderr) == (0, ""), demo.stdout[-4000:]
    assert processes_with(str(tmp_path)) == []
    _, issued, asked, certificate, preshared, impostor, weak, traffic, end = re.split(
        r"^━━ .*$", demo.stdout, flags=re.M
    )[1:]
    # 1
    for name in ("gw-a.example.org", "gw-b.example.org", "alice@example.org", "printer.example.org"):
        assert re.search(rf"│ {name} +(gateway|road-warrior) +valid", issued)
    # 2
    assert re.search(r"-k DN:/CN=gw-a.example.org .*\n.*│ true\n", asked.replace("\\\n", ""))
    assert (
        len(re.findall(r"│ false\n.*gw-b.kn:8: remote_id is `printer.example.org`, needs `gw-a.example.org`", asked))
        == 2
    )
    # 3, 4
    for step, method in ((certificate, "RSA_SIG"), (preshared, "PRE_SHARED")):
        for host, peer in (("gw-a", "gw-b"), ("gw-b", "gw-a")):
            assert re.search(rf"^ +{host} │ phase 1 up with {peer}.*FQDN {peer}.example.org.* {method}", step, re.M)
            assert re.search(
                rf"^ +{host} │ tunnel up .* ESP AES_CBC-256 HMAC_SHA2_256 tunnel PFS MODP_2048", step, re.M
            )
        assert len(re.findall(r"→ gw-. +[0-9a-f]{8} +([0-9a-f]{16}) +\1 +equal$", step, re.M)) == 2
    # 5
    own, false, off = re.split(r"^[abc]\) .*$", impostor, flags=re.M)[1:]
    assert len(re.findall(r"gw-b │ phase 1 refused .*printer.example.org is not the configured Remote-ID", own)) == 2
    assert len(re.findall(r"gw-b │ phase 1 refused .*FQDN gw-a.example.org is not certified", false)) == 2
    assert re.search(
        r"error: .*no certificate that bears `FQDN gw-a.example.org`, our identity for `\[gw-b\]`", false
    )
    assert re.search(r"error: policy does not bind remote_id for .*trusting.kn:\d+", off)
    assert len(re.findall(r"gw-b │ tunnel up .*FQDN printer.example.org", off)) == 2
    for part in (own, false):
        assert "tunnel up" not in part
    # 6
    assert re.search(r"ike-auth: hint: .*Allow-Legacy= NULL", weak)
    assert re.search(r"gw-b │ phase 2 refused .*gw-b.kn:12: esp_enc_alg is `null`, needs `aes`", weak)
    assert "tunnel up" not in weak
    # 7
    if "does not let that be shown" not in traffic:
        for host, address in (("a", "10.2.0.1"), ("b", "10.1.0.1")):
            assert re.search(rf"host {host} │ {address} answers in [\d.]+ ms", traffic)
        assert re.search(r"│ +\d\d packets of ESP, in UDP", traffic)
        assert re.search(r"│ +0 others$", traffic, re.M)
        assert re.search(r"│ +0 in which the words of the hosts can be read$", traffic, re.M)
        assert re.search(r"gw-b │ tunnel down .*no longer authorized: .*gw-b.kn:4: licenses", traffic)
        assert "host a │ no answer from 10.2.0.1" in traffic
    _try_next_commands(tmp_path / "demo", end)


def _try_next_commands(directory: Path, end: str) -> None:
    why, show, run = story.next_commands(Stage(directory, Narrator(), Ports(5500, 5501)))
    for command, status in ((why, 2), (show, 0), (("ike-auth", "check", *run[2:6]), 0)):
        done = subprocess.run([SCRIPTS / command[0], *command[1:]], capture_output=True, text=True, timeout=60)
        assert done.returncode == status, done.stderr
    assert all(f"$ {command[0]} {command[1]} " in end for command in (why, show, run))


def test_a_second_demo_replaces_the_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(story, "STEPS", ())
    assert story.tell(tmp_path / "demo") == 0
    (tmp_path / "demo/5-impostor").mkdir()
    assert story.tell(tmp_path / "demo") == 0
    assert not (tmp_path / "demo/5-impostor").exists()


# --- steps that do not go as said


def test_a_broken_policy_fails_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = policies.by_certificate
    monkeypatch.setattr(policies, "by_certificate", lambda peer: right(peer).replace('"aes"', '"3des"'))
    monkeypatch.setattr(
        story, "STEPS", ((questions.TITLE, questions.tell), ("never told", lambda _: pytest.fail("told")))
    )
    assert story.tell(tmp_path / "demo") == 1
    out = capsys.readouterr().out
    assert "✗ step 1 (the policy, asked before anything runs) did not go as said" in out
    assert "needs `3des`" in out


def test_daemons_of_a_failed_step_are_ended_and_quoted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    right = policies.by_preshared_key

    def only_for_b(peer, key):
        text = right(peer, key)
        return text if peer is GATEWAY_B else text.replace('"aes"', '"3des"')

    monkeypatch.setattr(policies, "by_preshared_key", only_for_b)
    monkeypatch.setattr(story, "STEPS", (("pre-shared", meeting.by_preshared_key),))
    assert story.tell(tmp_path / "demo") == 1
    out = capsys.readouterr().out
    assert "✗ step 1 (pre-shared) did not go as said: Phase 2 did not succeed at gw-a" in out
    assert re.search(r"gw-b │ phase 2 refused .*needs `3des`", out.partition("✗")[2])
    assert processes_with(str(tmp_path)) == []


# --- ends from outside

ENDLESS = """
import sys
from pathlib import Path
from ike_auth.demo import configurations, policies, story
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B

def step(stage):
    configuration = stage.write("a.conf", configurations.gateway(GATEWAY_B, "a key", calls=False))
    policy = stage.write("a.kn", policies.by_preshared_key(GATEWAY_A, "a key"))
    daemon = stage.start(GATEWAY_B, configuration, policy, "a.log")
    daemon.expect("TunnelUp", seconds=600)

story.STEPS = (("endless", step),)
sys.exit(story.tell(Path(sys.argv[1])))
"""


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, -15), (signal.SIGKILL, -9)])
def test_no_process_outlives_an_interrupted_demo(tmp_path: Path, number: signal.Signals, status: int) -> None:
    directory = tmp_path / "demo"
    log = directory / "a.log"
    demo = subprocess.Popen([sys.executable, "-c", ENDLESS, directory], stdout=subprocess.PIPE, text=True)
    try:
        assert soon(lambda: log.exists() and "ready" in log.read_text())
        assert len(processes_with(f"{directory}/a.conf")) == 1
        demo.send_signal(number)
        assert demo.wait(20) == status
        assert soon(lambda: processes_with(str(directory)) == [])
    finally:
        demo.kill()
        demo.communicate()


def test_of_two_demos_in_one_directory_the_second_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    statuses = []
    monkeypatch.setattr(story, "STEPS", (("again", lambda stage: statuses.append(story.tell(stage.directory))),))
    assert story.tell(tmp_path / "demo") == 0
    assert statuses == [1]
    assert "another demo is running" in capsys.readouterr().err


def test_two_demos_have_different_ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ports = []

    def step(stage: Stage) -> None:
        ports.append(stage.ports)
        if len(ports) == 1:
            assert story.tell(tmp_path / "inner") == 0

    monkeypatch.setattr(story, "STEPS", (("nested", step),))
    assert story.tell(tmp_path / "outer") == 0
    assert len({port for pair in ports for port in (pair.ike, pair.nat)}) == 4
