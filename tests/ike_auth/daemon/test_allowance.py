# SPDX-License-Identifier: ISC
from ike_auth.daemon.allowance import Allowance


def test_a_burst_and_then_a_rate() -> None:
    allowance = Allowance(burst=3, per_second=2.0)
    assert [allowance.take(100.0) for _ in range(5)] == [True, True, True, False, False]
    assert [allowance.take(100.4), allowance.take(100.5), allowance.take(100.5)] == [False, True, False]
    assert [allowance.take(1000.0) for _ in range(4)] == [True, True, True, False]


def test_what_was_refused_is_counted_once() -> None:
    allowance = Allowance(burst=1, per_second=1.0)
    for _ in range(4):
        allowance.take(0.0)
    assert allowance.refused() == 3
    assert allowance.refused() == 0
