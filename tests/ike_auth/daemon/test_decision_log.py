# SPDX-License-Identifier: ISC
"""The decision log: what is in it, what never is, what it survives; and two daemons, asked again."""

import json
import os
import pwd
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from hashlib import md5, sha1
from pathlib import Path
from stat import S_IMODE

import pytest

import keynote
from ike_auth import assembly
from ike_auth.authorization.gate import Gate
from ike_auth.authorization.keynote import KeyNoteAuthorizer
from ike_auth.authorization.requests import AuthorizeTunnel
from ike_auth.daemon import start
from ike_auth.daemon.decision_log import CannotRecord, DecisionLog
from ike_auth.daemon.start import CannotStart, Options
from ike_auth.demo import configurations, directory, policies
from ike_auth.demo.hosts import AUTHORITY, GATEWAY_A, GATEWAY_B
from ike_auth.demo.logs import Daemon
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage, free_ports
from ike_auth.network import Now
from ike_auth.wire.identities import Identity
from keynote import recorded
from keynote.complaints import Place
from keynote.diff import Comparer
from pki import issuance, names, profiles
from pki.bundles import files, handover, isakmpd
from pki.bundles.request import Request
from pki.chain import TrustAnchors
from pki.directory import Directory
from tests.ike_auth.authorization.requests import (
    KEY,
    NEGOTIATION,
    NOW,
    certified,
    identify,
    identity_request,
    peer,
    tunnel_request,
)
from tests.ike_auth.configurations import A, gateway
from tests.ike_auth.daemon.test_reload import AGAIN, hang_up
from tests.ike_auth.demo.processes_of import soon
from tests.pki import factory

CA = factory.authority("Test CA")
GATEWAY = factory.leaf(CA, "gw.example.com")
NAME = Identity.fqdn("gw.example.com")
POLICY = (
    f'Authorizer: "POLICY"\nLicensees: "DN:/C=XX/O=Test/CN=Test CA" || "passphrase:{KEY.reveal().decode()}"\n'
    'Conditions: remote_id == "gw.example.com" && esp_enc_alg == "aes";\n'
)
STRICTER = POLICY.replace('== "aes"', '== "aes" && esp_key_length == "128"')


def gate(text: str = POLICY) -> Gate:
    authorizer = KeyNoteAuthorizer(keynote.Session(keynote.parse_policy(text, name="policy.kn")))
    return Gate(authorizer, TrustAnchors([CA.certificate]), lambda _: False)


def now(seconds: float = 0.0) -> Now:
    return Now(seconds, NOW)


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def log(tmp_path: Path, said: list[str]) -> Iterator[DecisionLog]:
    opened = DecisionLog(tmp_path / "log", said.append)
    yield opened
    opened.close()


def ask(log: DecisionLog, *, by_key: bool = False, seconds: float = 0.0) -> None:
    """Both questions about one peer."""
    proof = None if by_key else certified(GATEWAY, CA)
    question = identify(NAME, KEY if by_key else (GATEWAY.der,), peer(remote_id=NAME))
    log.peer(question, gate().identify(question, NOW), now(seconds))
    tunnel = AuthorizeTunnel((tunnel_request(identity_request(NAME, proof, peer(remote_id=NAME), NEGOTIATION)),))
    log.tunnels(tunnel, gate().authorize(tunnel, NOW), now(seconds))


def answers(path: Path, old: str = POLICY, new: str = STRICTER) -> list[tuple[str, str]]:
    before, after = (keynote.parse_policy(text, name=name) for text, name in ((old, "old.kn"), (new, "new.kn")))
    key_file = path.with_name(f"{path.name}.key")
    seal = recorded.Seal.read(key_file.read_bytes(), Place(str(key_file)))
    comparer = Comparer(before, after)
    found = [comparer.compare(it, seal) for it in recorded.read(path)]
    assert all(comparison.as_recorded for comparison in found)
    return [(comparison.old.value, comparison.new.value) for comparison in found]


# -- what is written -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("by_key", [False, True], ids=["certificate", "key"])
def test_it_takes_no_more_to_ask_again(log: DecisionLog, by_key: bool) -> None:
    ask(log, by_key=by_key)
    assert answers(log.path) == [("false..true", "false..true"), ("true", "false")]
    first, second = map(json.loads, log.path.read_text().splitlines())
    assert (first["time"], first["about"]) == (
        "2026-11-21T12:00:30.000+00:00",
        "phase 1 of `gw`, FQDN gw.example.com",
    )
    assert second["about"].startswith("phase 2 of `gw`, FQDN gw.example.com, 192.168.0.1")
    assert ("assertions" in first) != by_key
    assert first["action"]["GMTTimeOfDay"] == "20261121120030"
    assert second["action"]["esp_key_length"] == "256"
    assert "unknown_except" not in second


def test_no_form_of_a_pre_shared_key_is_in_it(log: DecisionLog) -> None:
    ask(log, by_key=True)
    key, text = KEY.reveal(), log.path.read_bytes()
    for form in (key, md5(key).hexdigest().encode(), sha1(key).hexdigest().encode(), b"passphrase-"):
        assert form not in text
    assert text.count(b"sealed:") == 6


def test_what_policy_was_not_asked_is_not_in_it(log: DecisionLog) -> None:
    question = identify(Identity.fqdn("other.example.com"), (GATEWAY.der,))
    answer = gate().identify(question, NOW)
    assert not answer.decision.allowed
    log.peer(question, answer, now())
    assert log.path.read_bytes() == b""


def test_a_decision_does_not_show_what_was_asked() -> None:
    decision = gate().identify(identify(NAME, KEY, peer(remote_id=NAME)), NOW).decision
    assert decision.asked is not None
    assert KEY.reveal().decode() not in f"{decision!r} {decision.asked!r} {decision.asked()!r}"


# -- the files -------------------------------------------------------------------------------------------------------


def test_the_files_are_ours_alone(tmp_path: Path, log: DecisionLog) -> None:
    os.umask(os.umask(0o000))
    for name in ("log", "log.key"):
        assert S_IMODE((tmp_path / name).stat().st_mode) == 0o600
    ask(log)
    size = log.path.stat().st_size
    key = (tmp_path / "log.key").read_text()
    again = DecisionLog(log.path, lambda _: None)
    ask(again)
    again.close()
    assert (tmp_path / "log.key").read_text() == key
    assert log.path.stat().st_size == 2 * size


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_they_are_the_users_whom_the_daemon_becomes_and_stay_so_at_the_next_start(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody").pw_uid
    for _ in range(2):
        log = DecisionLog(tmp_path / "log", lambda _: None, "nobody")
        ask(log)
        log.close()
        for name in ("log", "log.key"):
            status = (tmp_path / name).stat()
            assert (status.st_uid, S_IMODE(status.st_mode)) == (nobody, 0o600)
    assert len(answers(tmp_path / "log")) == 4
    os.chown(tmp_path / "log", nobody + 1, -1)
    with pytest.raises(CannotRecord, match="belongs to user"):
        DecisionLog(tmp_path / "log", lambda _: None, "nobody")


@pytest.mark.parametrize(
    ("name", "text", "mode", "message"),
    [
        ("log", "{}\n", 0o644, r"`.*/log` is open to other users \(chmod 600 "),
        ("log", "root:x:0\n", 0o600, "`.*/log` is there, and is no decision log"),
        ("log.key", "00\n", 0o600, "log.key: no key of a decision log"),
        ("log.key", "00" * 32, 0o640, r"`.*/log.key` is open to other users"),
    ],
)
def test_files_that_it_leaves_alone(tmp_path: Path, name: str, text: str, mode: int, message: str) -> None:
    (tmp_path / name).write_text(text)
    (tmp_path / name).chmod(mode)
    with pytest.raises(CannotRecord, match=message):
        DecisionLog(tmp_path / "log", lambda _: None)
    assert (tmp_path / name).read_text() == text


def test_places_where_it_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "there").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "there")
    for path in (tmp_path / "none" / "log", tmp_path / "link", tmp_path):
        with pytest.raises(CannotRecord, match="decision log"):
            DecisionLog(path, lambda _: None)


def test_half_a_line_is_taken_away(log: DecisionLog) -> None:
    ask(log)
    whole = log.path.read_bytes()
    log.path.write_bytes(whole + whole[:100])
    again = DecisionLog(log.path, lambda _: None)
    assert log.path.read_bytes() == whole
    again.close()


# -- what it survives ------------------------------------------------------------------------------------------------


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """Files of ours cannot grow beyond: as on a full disk, the last write is a short one, and then none succeeds."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("more", [0, 100])
def test_a_full_disk_costs_lines_and_is_told_once(log: DecisionLog, said: list[str], more: int) -> None:
    ask(log)
    whole = log.path.read_bytes()
    with room_for(len(whole) + more):
        ask(log)
        ask(log)
    assert log.path.read_bytes() == whole, "a part of a line was left"
    assert len(said) == 1
    assert said[0].startswith(f"decisions are not recorded in `{log.path}`: ")
    ask(log)
    assert len(answers(log.path)) == 4
    assert said[1:] == [f"decisions are recorded again in `{log.path}`; 4 were not"]


def test_a_pipe_that_nobody_reads_does_not_block(tmp_path: Path, said: list[str]) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    log = DecisionLog(tmp_path / "pipe", said.append)
    for _ in range(30):
        ask(log)
    assert len(said) == 1
    log.close()


def test_nobody_fills_the_disk_with_it(log: DecisionLog, said: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log._allowance, "_left", 3.0)
    ask(log, seconds=1.0)
    ask(log, seconds=1.0)
    assert log.path.read_bytes().count(b"\n") == 3
    assert said == [f"decisions are not recorded in `{log.path}`: too many in a short time"]
    ask(log, seconds=2.0)
    assert log.path.read_bytes().count(b"\n") == 5
    assert said[1:] == [f"decisions are recorded again in `{log.path}`; 1 were not"]


def test_a_file_that_was_moved_away_is_made_anew(log: DecisionLog, tmp_path: Path) -> None:
    ask(log)
    log.path.rename(tmp_path / "old")
    log.reopen()
    ask(log, by_key=True)
    assert [path.read_bytes().count(b"\n") for path in (tmp_path / "old", log.path)] == [2, 2]


def test_where_that_fails_it_goes_on(log: DecisionLog, said: list[str], tmp_path: Path) -> None:
    log.path.rename(tmp_path / "old")
    log.path.mkdir()
    log.reopen()
    ask(log)
    assert (tmp_path / "old").read_bytes().count(b"\n") == 2
    assert len(said) == 1
    assert said[0].endswith("; decisions go on into the file that was open")


# -- the daemon ------------------------------------------------------------------------------------------------------

SHARED = "a key of the two gateways"


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    with free_ports() as ports, Stage(tmp_path, Narrator(), ports) as stage:
        yield stage


def begin(stage: Stage) -> tuple[Daemon, Daemon]:
    """A, which calls, and B, both with a log; once they have a tunnel."""
    b, a = (
        stage.start(host, stage.path(f"{host.name}.conf"), stage.path(f"{host.name}.kn"), f"{host.name}.log")
        for host in (GATEWAY_B, GATEWAY_A)
    )
    for daemon in (a, b):
        daemon.expect("TunnelUp")
    return a, b


def recording(text: str, name: str) -> str:
    return text.replace("[General]\n", f"[General]\nDecision-log= {name}\n")


def diff(stage: Stage, old: str, new: str, log: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "keynote"), "diff", old, new, "--inputs", log]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=stage.directory, timeout=60)


def with_key(stage: Stage) -> None:
    for host, other, calls in ((GATEWAY_B, GATEWAY_A, False), (GATEWAY_A, GATEWAY_B, True)):
        text = configurations.gateway(host, SHARED, calls=calls)
        stage.write(f"{host.name}.conf", recording(text, f"{host.name}.decisions"))
        stage.write(f"{host.name}.kn", policies.by_preshared_key(other, SHARED))


def test_decisions_of_two_daemons_with_a_pre_shared_key_are_asked_again(stage: Stage) -> None:
    with_key(stage)
    begin(stage)
    for host, other in ((GATEWAY_A, GATEWAY_B), (GATEWAY_B, GATEWAY_A)):
        log = f"{host.name}.decisions"
        text = stage.path(log).read_bytes()
        assert S_IMODE(stage.path(log).stat().st_mode) == 0o600
        assert SHARED.encode() not in text
        assert sha1(SHARED.encode()).hexdigest().encode() not in text
        same = diff(stage, f"{host.name}.kn", f"{host.name}.kn", log)
        assert (same.returncode, same.stderr) == (0, "")
        assert same.stdout == "0 of 2 decisions change\n"
        policy = policies.by_preshared_key(other, SHARED)
        stage.write("new.kn", policy.replace('esp_enc_alg == "aes"', 'esp_enc_alg == "3des"'))
        changed = diff(stage, f"{host.name}.kn", "new.kn", log)
        assert (changed.returncode, changed.stderr) == (2, "")
        place, old, new, total = changed.stdout.splitlines()
        assert place.startswith(f"{log}:2: phase 2 of `{other.name}`, FQDN {other.fqdn}, ")
        assert place.endswith(": true → false")
        assert old.startswith("  old: POLICY → passphrase:(hidden), ")
        assert "esp_enc_alg is `aes`, needs `3des`" in new
        assert total == "1 of 2 decisions change: 1 from true to false"


def test_those_of_two_daemons_with_certificates_too(stage: Stage) -> None:
    authority = Directory(stage.path("authority"))
    # As the daemons take the time from the clock, so does the authority.
    today = datetime.now(UTC)
    issuance.initialize(authority.path, AUTHORITY, today, None)
    for host, other, calls in ((GATEWAY_B, GATEWAY_A, False), (GATEWAY_A, GATEWAY_B, True)):
        record = issuance.issue(authority, profiles.GATEWAY, (names.identity(host.fqdn),), today, None)
        given = handover.of(authority.registry(), record, authority.signer(record).key)
        files.write(isakmpd.make(given, Request()), stage.path(host.name))
        proof = configurations.Certificates(host.name, authority.registry_path)
        text = configurations.gateway(host, proof, calls=calls)
        stage.write(f"{host.name}.conf", recording(text, f"{host.name}.decisions"))
        stage.write(f"{host.name}.kn", policies.by_certificate(other))
    begin(stage)
    # Only the decision itself says that the authority certifies the peer.
    first = json.loads(stage.path("gw-b.decisions").read_text().splitlines()[0])
    assert [it["name"] for it in first["assertions"]] == [f"certificate of /CN={GATEWAY_A.fqdn}"] * 2
    assert diff(stage, "gw-b.kn", "gw-b.kn", "gw-b.decisions").stdout == "0 of 2 decisions change\n"
    stage.write("new.kn", policies.by_certificate(GATEWAY_A).replace(GATEWAY_A.fqdn, "elsewhere.example.org"))
    changed = diff(stage, "gw-b.kn", "new.kn", "gw-b.decisions")
    assert changed.returncode == 2
    assert "2 of 2 decisions change" in changed.stdout
    assert "remote_id is `gw-a.example.org`, needs `elsewhere.example.org`" in changed.stdout


def test_a_log_that_takes_nothing_does_not_keep_them_from_meeting(stage: Stage) -> None:
    with_key(stage)
    os.mkfifo(stage.path("gw-b.decisions"), 0o600)
    # A pipe that is full is as good as a disk that is.
    pipe = os.open(stage.path("gw-b.decisions"), os.O_RDWR | os.O_NONBLOCK)
    try:
        with suppress(BlockingIOError):
            while True:
                os.write(pipe, b"x" * 4096)
        _, b = begin(stage)
        lines = [entry.event for entry in b.entries() if "decisions" in entry.event]
        assert len(lines) == 1
        assert "decisions are not recorded in `" in lines[0]
        assert "Resource temporarily unavailable" in lines[0]
    finally:
        os.close(pipe)


def test_sighup_opens_the_log_again(stage: Stage) -> None:
    with_key(stage)
    _, b = begin(stage)
    log = stage.path("gw-b.decisions")
    log.rename(stage.path("moved"))
    hang_up(b, AGAIN)
    # What is up is asked about again, and that is on record.
    assert soon(lambda: log.exists() and log.read_bytes().count(b"\n") == 2)
    assert stage.path("moved").read_bytes().count(b"\n") == 2
    assert diff(stage, "gw-b.kn", "gw-b.kn", log.name).stdout == "0 of 2 decisions change\n"
    text = stage.path("gw-b.conf").read_text().replace("gw-b.decisions", "other")
    stage.write("gw-b.conf", text)
    hang_up(b, AGAIN, "`Decision-log` is another one: it changes at the next start only")


# -- the start -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("general", "user", "message"),
    [
        (
            "Decision-log= none/log",
            None,
            r"none/log`: No such file or directory \(`Decision-log` in \[General\]\)",
        ),
        ("Decision-log= conf", None, r"conf` is there, and is no decision log \(`Decision-log` in \[General\]\)"),
        ("Decision-log= log", "no-such-user", r"there is no user `no-such-user` \(--user\)"),
    ],
)
def test_a_log_that_cannot_be_opened_stops_the_start(
    tmp_path: Path, general: str, user: str | None, message: str
) -> None:
    text = gateway(A, general=general, key=KEY.reveal().decode(), active=False)
    directory.write(tmp_path / "conf", text.replace(f"Listen-on= {A}", "Listen-on= 127.0.0.1"))
    directory.write(tmp_path / "kn", POLICY)
    loaded = assembly.load(tmp_path / "conf", tmp_path / "kn", NOW)
    with pytest.raises(CannotStart, match=message):
        start.run(loaded, Options(port=0, nat_port=0, user=user, kernel="none"))
    assert (tmp_path / "conf").read_text().startswith("\n[General]")
    assert not (tmp_path / "conf.key").exists()
