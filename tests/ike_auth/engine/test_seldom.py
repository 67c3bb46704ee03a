# SPDX-License-Identifier: ISC
from ike_auth.engine.seldom import LONGEST, MOST, Seldom


def test_once_in_an_interval() -> None:
    seldom = Seldom()
    assert [seldom.may("a", now, 5.0) for now in (0.0, 4.9, 5.0, 9.0, 10.0)] == [True, False, True, False, True]
    assert seldom.may("b", 10.0, 5.0)


def test_no_interval_is_longer_than_is_remembered() -> None:
    seldom = Seldom()
    assert [seldom.may("a", now, 1e9) for now in (0.0, LONGEST - 1, LONGEST)] == [True, False, True]


def test_its_memory_is_bounded_and_recovers() -> None:
    seldom = Seldom()
    assert all(seldom.may(count, count / MOST, 1.0) for count in range(MOST))
    assert not seldom.may("one more", 2.0, 1.0)
    assert seldom.may(7, 2.0, 1.0), "what is known has its place"
    assert len(seldom) == MOST
    assert seldom.may("one more", LONGEST + 1.5, 1.0)
    assert len(seldom) == 2
