# SPDX-License-Identifier: ISC
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.timers import Timers


def due(timers: Timers[str], now: float) -> list[str]:
    """All that rings at `now`."""
    return list(iter(lambda: timers.pop(now), None))


def test_rings_in_the_order_of_deadlines() -> None:
    timers: Timers[str] = Timers()
    timers.set("later", 2.0)
    timers.set("sooner", 1.0)
    assert timers.next() == 1.0
    assert due(timers, 0.999) == []
    assert due(timers, 2.0) == ["sooner", "later"]
    assert due(timers, 9.0) == []
    assert timers.next() is None


def test_equal_deadlines_ring_in_the_order_in_which_they_were_set() -> None:
    timers: Timers[str] = Timers()
    for name in "cab":
        timers.set(name, 1.0)
    assert due(timers, 1.0) == ["c", "a", "b"]


def test_a_later_deadline_replaces_the_earlier_one() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("a", 5.0)
    assert due(timers, 4.0) == []
    assert due(timers, 5.0) == ["a"]


def test_an_earlier_deadline_replaces_the_later_one() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 5.0)
    timers.set("a", 1.0)
    assert due(timers, 1.0) == ["a"]
    assert due(timers, 9.0) == []


def test_cancelled_and_cleared_ones_do_not_ring() -> None:
    timers: Timers[str] = Timers()
    timers.set("a", 1.0)
    timers.set("b", 2.0)
    timers.cancel("a")
    timers.cancel("never set")
    assert timers.next() == 2.0
    timers.clear()
    assert timers.next() is None
    assert due(timers, 9.0) == []


def test_a_key_that_is_set_again_and_again_takes_no_more_room() -> None:
    timers: Timers[str] = Timers()
    for count in range(10_000):
        timers.set("a", float(10_000 - count))
    assert len(timers) == 1
    assert len(timers._heap) < 100


Operation = st.tuples(st.sampled_from(["set", "cancel", "pop"]), st.integers(0, 5), st.integers(0, 20))


@settings(max_examples=100, deadline=None)
@given(st.lists(Operation, max_size=200))
def test_does_what_a_dict_would(operations: list[tuple[str, int, int]]) -> None:
    timers: Timers[int] = Timers()
    model: dict[int, float] = {}
    for what, key, when in operations:
        if what == "set":
            timers.set(key, float(when))
            model[key] = float(when)
        elif what == "cancel":
            timers.cancel(key)
            model.pop(key, None)
        else:
            found = timers.pop(float(when))
            earliest = min(model.values(), default=None)
            if found is None:
                assert earliest is None or earliest > when
            else:
                assert model.pop(found) == earliest
                assert earliest <= when
        assert timers.next() == min(model.values(), default=None)
        assert len(timers) == len(model)
