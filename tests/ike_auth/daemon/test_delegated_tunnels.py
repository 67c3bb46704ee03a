# SPDX-License-Identifier: ISC
"""Two real daemons whose policy files let nobody in: what the registry delegates is all that there is."""

import shlex
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from ike_auth.demo import policies
from ike_auth.demo.hosts import GATEWAY_A, GATEWAY_B
from ike_auth.demo.narration import Narrator
from ike_auth.demo.stage import Stage, free_ports
from pki import cli
from tests.ike_auth.daemon.registered import Gateways

DELEGATED = {"KeyNote": "Delegations= yes"}


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[Gateways]:
    with free_ports() as ports, Stage(tmp_path, Narrator(), ports) as stage:
        yield Gateways(stage)


def keynote_pki(gateways: Gateways, line: str) -> None:
    with pytest.raises(SystemExit) as done:
        cli.main([*shlex.split(line), "--dir", str(gateways.authority.path)])
    assert done.value.code == 0


def delegate(gateways: Gateways, fqdn: str, until: str) -> None:
    templates = "--template identity --template algorithms=strong"
    keynote_pki(gateways, f"delegate --from POLICY --to {fqdn} --until {until} {templates}")


def test_a_tunnel_comes_of_a_delegation_and_not_without_it(gateways: Gateways) -> None:
    for host in (GATEWAY_B, GATEWAY_A):
        gateways.configure(host, policies.nobody(), DELEGATED)
    ends = datetime.now(UTC) + timedelta(seconds=1)
    delegate(gateways, GATEWAY_A.fqdn, f"{ends:%Y-%m-%dT%H:%M:%S}")
    delegate(gateways, GATEWAY_B.fqdn, "never")
    b = gateways.start(GATEWAY_B)

    delegate(gateways, GATEWAY_A.fqdn, "1d")  # b, which runs, hears of it
    a = gateways.start(GATEWAY_A)  # that takes until the first has ended
    assert datetime.now(UTC) > ends
    up = b.expect("TunnelUp")
    assert "registry delegation 3:" in up.event
    assert "registry delegation 2:" in a.expect("TunnelUp").event
    gateways.stage.stop(a)

    keynote_pki(gateways, "delegations revoke 3 --reason 'moved away'")
    gateways.start(GATEWAY_A)  # which has one that ended, and one that was revoked
    because = b.expect("PeerRefused").because
    assert because.startswith("registry delegation 3:1: set aside: it was revoked on ")
    assert because.endswith("Z: moved away")
    told = [entry.event for entry in b.entries() if entry.event.startswith("delegations were read again: ")]
    assert [event.removeprefix("delegations were read again: ") for event in told] == [
        "2 of the registry (2 trusted, 0 signed)",
        "1 of the registry (1 trusted, 0 signed)",
    ]
    assert b.entries("TunnelUp") == [up]
