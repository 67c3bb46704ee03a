# SPDX-License-Identifier: ISC
"""What the log shows of real handshakes, and what it must never show."""

import json
import os
import sys
from base64 import b64encode
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest

from ike_auth import events
from ike_auth.authorization.requests import Decision
from ike_auth.daemon import clock
from ike_auth.daemon.logs import Journal
from ike_auth.events import Event, ExchangeFailed, IkeSaUp, MessageDropped, PeerHint, PeerRefused, TunnelUp
from ike_auth.network import Now
from ike_auth.wire.identities import Identity
from tests.ike_auth.configurations import COMPRESSED
from tests.ike_auth.gateways import FAST, FAST_RSA, Options, meet, pair
from tests.ike_auth.simulation import AllowAll, Host, endpoint

KEY = "a pre-shared key that nobody may read"
THERE = endpoint("192.0.2.1", 4500)
DROPPED = MessageDropped(THERE, "InvalidCookie", "unknown cookies")


class Denies(AllowAll):
    """An authorizer that lets everybody in, and nobody have a tunnel."""

    def tunnel(self, *_: Any) -> Decision:
        return Decision(False, "false", "no tunnels today")


def written(event: Event, capsys: pytest.CaptureFixture[str], **how: bool) -> str:
    Journal(**how).event(event)
    return capsys.readouterr().err


def fields(event: Event, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    (line,) = written(event, capsys, as_json=True, verbose=True).splitlines()
    found: dict[str, Any] = json.loads(line)
    return found


def only(host: Host, kind: type[Any]) -> Any:
    (event,) = host.of(kind)
    return event


# --- secrets


@pytest.mark.parametrize("options", [{**FAST, "key": KEY}, FAST_RSA], ids=["psk", "rsa"])
@pytest.mark.parametrize("as_json", [False, True])
def test_no_secret_is_written(options: Options, as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair(options)
    network = meet(a, b)
    secrets = set(secrets_of(a))
    assert len(secrets) >= 8
    network.do(a, a.engine.stop(network.clock))
    network.run(1)
    journal = Journal(as_json=as_json, verbose=True)
    for event in a.events + b.events:
        journal.event(event)
    log = capsys.readouterr().err
    assert len({type(event) for event in a.events + b.events}) >= 4
    for secret in secrets:
        for form in (secret.hex(), b64encode(secret).decode(), secret.decode("latin-1"), repr(secret)[2:-1]):
            assert form not in log


def secrets_of(host: Host) -> Iterator[bytes]:
    """Everything that must stay inside: keys of Phase 1, of the tunnels, and the one that both were made from."""
    for sa in host.engine.table.ike_sas.values():
        keys = sa.keys
        yield from (keys.d.reveal(), keys.a.reveal(), keys.e.reveal())
        if sa.peer.preshared_key is not None:
            yield sa.peer.preshared_key.reveal()
    for ipsec in host.installed.values():
        yield from (key.reveal() for key in (ipsec.encryption_key, ipsec.integrity_key) if key.reveal())
    for credential in host.credentials:
        numbers = credential.key.private_numbers()
        yield from (number.to_bytes(256, "big") for number in (numbers.d, numbers.p))


# --- what people read


def test_one_line_for_each_sa(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair(FAST_RSA)
    meet(a, b)
    up = written(only(b, IkeSaUp), capsys)
    assert "[info" in up
    assert (
        "phase 1 up with peer at 10.99.0.1:500: FQDN a.example.org, AES_CBC-128 SHA2_256 CURVE25519 RSA_SIG,"
        " begun by the peer (everybody is allowed)\n"
    ) in up
    tunnel = only(b, TunnelUp).tunnel
    assert (
        "tunnel up tunnel with peer at 10.99.0.1:500: 10.2.0.0/16 ↔ 10.1.0.0/16, FQDN a.example.org, ESP AES_CBC-128"
        f" HMAC_SHA2_256 tunnel PFS CURVE25519, SPI in {tunnel.inbound[0].spi.hex()}"
        f" out {tunnel.outbound[0].spi.hex()} (everything is allowed)\n"
    ) in written(only(b, TunnelUp), capsys)


def test_refusals_are_warnings(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair(FAST, b={"authorizer": Denies()})
    meet(a, b)
    refused = written(only(b, events.TunnelRefused), capsys)
    assert "[warning" in refused
    assert (
        "phase 2 refused to peer at 10.99.0.1 as IPV4_ADDR 10.99.0.1: 10.2.0.0/16 ↔ 10.1.0.0/16: ESP AES_CBC-128"
        " HMAC_SHA2_256 tunnel PFS CURVE25519: no tunnels today\n"
    ) in refused


def test_an_identity_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    who = Identity.fqdn("x.example.org")
    for because in ("FQDN x.example.org is not who we want", "policy.kn:3: remote_id is `x.example.org`"):
        line = written(PeerRefused("office", THERE, who, Decision(False, "false", because)), capsys)
        assert line.count("FQDN x.example.org") == 1
        assert "phase 1 refused to office at 192.0.2.1:4500" in line


def test_notifications_say_what_they_mean(capsys: pytest.CaptureFixture[str]) -> None:
    assert "office at 192.0.2.1:4500 says, not authenticated: NO_PROPOSAL_CHOSEN (it takes nothing of" in written(
        PeerHint("office", THERE, "NO_PROPOSAL_CHOSEN"), capsys
    )
    assert "notifies: RESPONDER_LIFETIME\n" in written(
        events.PeerNotified("office", THERE, "RESPONDER_LIFETIME"), capsys
    )


# --- levels, floods, forgeries


def test_dropped_messages_are_for_the_curious(capsys: pytest.CaptureFixture[str]) -> None:
    assert written(DROPPED, capsys) == ""
    assert "dropped message from 192.0.2.1:4500: unknown cookies" in written(DROPPED, capsys, verbose=True)


def test_dropped_messages_of_an_exchange_of_ours_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    ours = MessageDropped(THERE, "MalformedMessage", "cannot be read", "main mode with office")
    line = written(ours, capsys)
    assert "[warning" in line
    assert "dropped message from 192.0.2.1:4500 in main mode with office: cannot be read" in line


def test_strangers_do_not_fill_the_disk(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    journal = Journal()
    for _ in range(10_000):
        journal.event(ExchangeFailed("main mode", "anybody", THERE, "no common phase 1 transform"))
    assert len(capsys.readouterr().err.splitlines()) == 100
    later = Now(moment.monotonic + 3600, moment.utc)
    monkeypatch.setattr(clock, "now", lambda: later)
    journal.event(PeerHint("anybody", THERE, "NO_PROPOSAL_CHOSEN"))
    left_out, hint = capsys.readouterr().err.splitlines()
    assert "9900 lines about messages that nobody vouches for were left out" in left_out
    assert "NO_PROPOSAL_CHOSEN" in hint


def test_what_is_proved_is_always_written(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    moment = clock.now()
    monkeypatch.setattr(clock, "now", lambda: moment)
    a, b = pair(FAST)
    meet(a, b)
    journal = Journal(verbose=True)
    for _ in range(1000):
        journal.event(DROPPED)
    capsys.readouterr()
    journal.event(only(b, TunnelUp))
    assert "tunnel up" in capsys.readouterr().err


@pytest.mark.parametrize("as_json", [False, True])
def test_nobody_writes_lines_of_our_log(capsys: pytest.CaptureFixture[str], as_json: bool) -> None:
    forged = "x\n2026-11-21T00:00:00Z [info     ] phase 1 up with office\x1b[2J\r"
    log = written(ExchangeFailed("main mode", "office", THERE, forged), capsys, as_json=as_json)
    assert log.count("\n") == 1
    assert log.endswith("\n")
    assert "\x1b" not in log
    assert "\r" not in log


@pytest.mark.parametrize("as_json", [False, True])
def test_a_log_that_nobody_reads_ends_nothing(monkeypatch: pytest.MonkeyPatch, as_json: bool) -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as stream:
        monkeypatch.setattr(sys, "stderr", stream)
        journal = Journal(as_json=as_json)
        os.close(reading)
        journal.event(ExchangeFailed("main mode", "office", THERE, "no main mode 2"))
        journal.fault(ValueError())
        with suppress(BrokenPipeError):
            stream.close()
    journal.warning("after the end")


def test_faults_say_where_and_not_what(capsys: pytest.CaptureFixture[str]) -> None:
    def deep() -> None:
        raise ValueError(KEY)

    try:
        deep()
    except ValueError as error:
        Journal().fault(error)
    log = capsys.readouterr().err
    assert "internal error, please report it: ValueError at test_logs.py:" in log
    assert KEY not in log


# --- what machines read


def test_fields_of_an_ike_sa(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair(FAST_RSA)
    meet(a, b)
    event = only(b, IkeSaUp)
    found = fields(event, capsys)
    assert found.pop("timestamp").endswith("Z")
    assert found == {
        "event": str(event),
        "level": "info",
        "kind": "IkeSaUp",
        "peer": "peer",
        "remote": "10.99.0.1:500",
        "identity": "FQDN a.example.org",
        "cookies": str(event.sa.cookies),
        "suite": "AES_CBC-128 SHA2_256 CURVE25519 RSA_SIG",
        "initiator": False,
        "because": "everybody is allowed",
    }


def test_fields_of_a_tunnel_agree_at_both_ends(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair(FAST)
    meet(a, b)
    one, other = (fields(only(host, TunnelUp), capsys) for host in (a, b))
    assert one["fingerprints"] == other["fingerprints"]
    assert len(one["fingerprints"]) == 2
    assert (one["spis_in"], one["spis_out"]) == (other["spis_out"], other["spis_in"])
    assert (one["local"], one["remote_selector"]) == ("10.1.0.0/16", "10.2.0.0/16")
    assert one["protocols"] == ["ESP AES_CBC-128 HMAC_SHA2_256 tunnel PFS CURVE25519"]
    assert (one["connection"], one["peer"], one["identity"]) == ("tunnel", "peer", "IPV4_ADDR 10.99.0.2")


def test_only_keys_have_fingerprints(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair({**FAST, "suites": "compressed", "sections": COMPRESSED})
    meet(a, b)
    one, other = (fields(only(host, TunnelUp), capsys) for host in (a, b))
    assert one["fingerprints"] == other["fingerprints"]
    assert {len(spi) for spi in one["fingerprints"]} == {8}
    assert [len(spi) for spi in one["spis_in"]] == [4, 8]


def test_every_kind_of_event_has_fields(capsys: pytest.CaptureFixture[str]) -> None:
    a, b = pair(FAST, b={"authorizer": Denies()})
    network = meet(a, b)
    network.do(a, a.engine.stop(network.clock))
    c, d = pair(FAST)
    network = meet(c, d)
    network.do(c, c.engine.stop(network.clock))
    refused = PeerRefused("office", THERE, Identity.fqdn("x.example.org"), Decision(False, "false", "no"))
    shown: list[Event] = [
        *a.events,
        *b.events,
        *c.events,
        refused,
        DROPPED,
        PeerHint("office", THERE, "NO_PROPOSAL_CHOSEN"),
        events.PeerNotified("office", THERE, "RESPONDER_LIFETIME"),
        ExchangeFailed("main mode", "office", THERE, "no main mode 2 within 120 s"),
        events.LegacyInUse("office", ("3DES",)),
    ]
    kinds = {fields(event, capsys)["kind"]: set(fields(event, capsys)) for event in shown}
    assert set(kinds) == {kind.__name__ for kind in Event.__args__}
    common = {"event", "level", "timestamp", "kind"}
    assert all(names > common for names in kinds.values())
    assert kinds["MessageDropped"] == common | {"remote", "reason", "why", "during"}
    assert kinds["TunnelRefused"] == common | {"peer", "identity", "local", "remote_selector", "because"}
