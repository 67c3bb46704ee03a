# SPDX-License-Identifier: ISC
import gc
import weakref
from collections.abc import Iterator

import pytest

from ike_auth.daemon import memory


class Node:
    """In a cycle with itself."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()


def test_what_is_there_is_not_looked_at_again() -> None:
    there = [Node() for _ in range(100)]
    memory.settle()
    assert gc.get_freeze_count() > 100
    assert not any(isinstance(thing, Node) for thing in gc.get_objects())
    assert len(there) == 100


def test_what_comes_later_is_collected() -> None:
    memory.settle()
    later = weakref.ref(Node())
    assert later() is not None
    gc.collect()
    assert later() is None


def test_what_went_is_given_back_when_all_is_loaded_anew() -> None:
    kept = [Node()]
    memory.settle()
    went = weakref.ref(kept.pop())
    gc.collect()
    assert went() is not None, "a frozen cycle stays"
    memory.settle()
    assert went() is None
