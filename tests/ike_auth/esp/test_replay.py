# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.replay import Window


class ReferenceWindow:
    """The same, with a set of everything that was ever accepted."""

    def __init__(self, size: int) -> None:
        self.size, self.seen = size, {0}

    def verdict(self, sequence: int) -> Reason | None:
        if not self.size:
            return None
        if sequence == 0:
            return Reason.REPLAYED
        if sequence <= max(self.seen) - self.size:
            return Reason.TOO_OLD
        return Reason.REPLAYED if sequence in self.seen else None


def verdict(window: Window, sequence: int) -> Reason | None:
    try:
        window.check(sequence)
    except Dropped as dropped:
        return dropped.reason
    return None


@given(
    st.sampled_from([0, 1, 2, 8, 64, 100]),
    st.lists(st.one_of(st.integers(0, 40), st.integers(60, 140), st.integers(0, 2000)), max_size=80),
)
def test_window_is_a_set_of_the_last_ones(size: int, sequences: list[int]) -> None:
    window, reference = Window(size), ReferenceWindow(size)
    for sequence in sequences:
        assert window.sequence(sequence) == sequence
        expected = reference.verdict(sequence)
        assert verdict(window, sequence) == expected, sequence
        if expected is None:
            window.accept(sequence)
            reference.seen.add(sequence)
            assert window.top == max(reference.seen)


def test_check_changes_nothing() -> None:
    window = Window(64)
    for _ in range(2):
        assert verdict(window, 1000) is None
    assert window.top == 0


def test_a_jump_forgets_everything_below() -> None:
    window = Window(64)
    for sequence in (1, 2, 3, 0xFFFFFFFF):
        window.accept(sequence)
    assert verdict(window, 4) == Reason.TOO_OLD
    assert verdict(window, 0xFFFFFFFF) == Reason.REPLAYED
    assert verdict(window, 0xFFFFFFFF - 63) is None


@pytest.mark.parametrize(
    ("top", "low", "expected"),
    [
        # case A: the window lies within one half
        (0x1_0000_1000, 0x1001, 0x1_0000_1001),
        (0x1_0000_1000, 0x0FFF, 0x1_0000_0FFF),
        (0x1_0000_1000, 0x1000 - 63, 0x1_0000_1000 - 63),
        (0x1_0000_1000, 0x1000 - 64, 0x2_0000_1000 - 64),
        (0xFFFFFFFF, 0, 0x1_0000_0000),
        (0x1_0000_1000, 0xFFFFFFFF, 0x1_FFFF_FFFF),
        # case B: it reaches into the half before
        (0x1_0000_0000, 0xFFFFFFFF, 0xFFFFFFFF),
        (0x1_0000_0000, 0x1, 0x1_0000_0001),
        (0x1_0000_003E, 0xFFFFFFFF, 0xFFFFFFFF),
        (0x1_0000_003E, 0xFFFFFFFE, 0x1_FFFF_FFFE),
        # before the first, and after the last
        (0, 0xFFFFFFFF, 0),
        (0xFFFFFFFF_FFFFFFFF, 5, 0),
        (0xFFFFFFFF_FFFFFFFE, 0xFFFFFFFF, 0xFFFFFFFF_FFFFFFFF),
    ],
)
def test_high_bits_are_inferred(top: int, low: int, expected: int) -> None:
    """RFC 4303 appendix A2.2, for a window of 64."""
    window = Window(64, esn=True)
    window.accept(top)
    assert window.sequence(low) == expected


@given(st.integers(1, 1 << 40), st.integers(-63, 1 << 31))
def test_whatever_is_in_the_window_or_not_far_ahead_is_inferred(top: int, distance: int) -> None:
    window = Window(64, esn=True)
    window.accept(top)
    sequence = top + distance
    if sequence > 0:
        assert window.sequence(sequence & 0xFFFFFFFF) == sequence


def test_nothing_before_the_first() -> None:
    window = Window(64, esn=True)
    assert verdict(window, window.sequence(0xFFFFFFF0)) == Reason.REPLAYED
    assert verdict(window, window.sequence(0)) == Reason.REPLAYED
    assert verdict(window, window.sequence(1)) is None
