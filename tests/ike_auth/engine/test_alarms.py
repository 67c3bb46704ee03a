# SPDX-License-Identifier: ISC
"""A fault of ours in what an alarm leads to: the other alarms ring, and the one that failed rings again later."""

from typing import Any

import pytest

from ike_auth.effects import Effect
from ike_auth.engine import fragments
from ike_auth.engine.core import Alarm, FragmentsStale, IkeExpires, TunnelExpires
from ike_auth.engine.engine import AFTER_FAULT
from ike_auth.events import IkeSaDown, TunnelDown
from ike_auth.network import Now
from ike_auth.sa import Cookies
from tests.ike_auth.configurations import B
from tests.ike_auth.gateways import assert_nothing_left, gateway_host, meet, pair
from tests.ike_auth.simulation import START, Host

BROKEN = FragmentsStale(Cookies(b"a broken", b"reminder"))


class Fault(Exception):
    """Ours."""


def fail(*_: Any) -> Any:
    raise Fault


def rung(host: Host, now: Now) -> tuple[list[Effect], int]:
    """As the daemon does: what all that is due leads to, and how often that failed."""
    effects: list[Effect] = []
    faults = 0
    while (wake := host.engine.next_wake()) is not None and wake <= now.monotonic:
        try:
            effects += host.engine.wake(now)
        except Fault:
            faults += 1
            assert faults < 10, "it rings again and again"
    return effects, faults


def later(now: Now, seconds: float) -> Now:
    return now._replace(monotonic=now.monotonic + seconds)


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_fault_costs_no_other_alarm_its_effects(monkeypatch: pytest.MonkeyPatch, position: int) -> None:
    monkeypatch.setattr(fragments, "forget", fail)
    a, b = pair()
    network = meet(a, b, seconds=1)
    (tunnel,), (cookies,) = a.engine.table.tunnels, a.engine.table.ike_sas
    alarms: list[Alarm] = [TunnelExpires(tunnel.inbound[0].spi), IkeExpires(cookies)]
    alarms.insert(position, BROKEN)
    for alarm in alarms:
        a.engine._core.timers.set(alarm, network.now)
    effects, faults = rung(a, network.clock)
    assert faults == 1
    network.do(a, effects)
    network.run(1)
    for end, why in ((a, "expired"), (b, "deleted by the peer")):
        assert [event.why for event in end.of(TunnelDown)] == [why]
        assert [event.why for event in end.of(IkeSaDown)] == [why]
        assert not end.installed


def test_an_sa_whose_end_failed_ends_later() -> None:
    a, b = pair()
    network = meet(a, b, seconds=1)
    core = a.engine._core
    (ike,) = a.engine.table.ike_sas.values()
    core.timers.set(IkeExpires(ike.cookies), network.now)
    core.random, random = fail, core.random
    assert rung(a, network.clock) == ([], 1)
    assert a.engine.table.ike_sas == {ike.cookies: ike}
    core.random = random
    assert rung(a, later(network.clock, AFTER_FAULT - 1)) == ([], 0)
    effects, faults = rung(a, later(network.clock, AFTER_FAULT))
    assert faults == 0
    network.do(a, effects)
    assert a.engine.table.ike_sas == {}


def test_what_always_fails_is_tried_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    host, now = gateway_host(B), Now(0.0, START)
    host.engine._core.timers.set(BROKEN, 0.0)
    with monkeypatch.context() as patched:
        patched.setattr(fragments, "forget", fail)
        for minute in range(60):
            assert host.engine.next_wake() == minute * AFTER_FAULT
            assert rung(host, later(now, minute * AFTER_FAULT)) == ([], 1)
    assert rung(host, later(now, 60 * AFTER_FAULT)) == ([], 0)
    assert_nothing_left(host)
