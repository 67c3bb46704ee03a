# SPDX-License-Identifier: ISC

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.errors import MalformedMessage
from ike_auth.wire.fragments import MAX_AGE, MAX_FRAGMENTS, MAX_SETS, MAX_SIZE, Reassembly
from ike_auth.wire.payloads import Fragment

MESSAGE = b"a message in three pieces"
PIECES = (
    Fragment(1, 1, False, MESSAGE[:10]),
    Fragment(1, 2, False, MESSAGE[10:20]),
    Fragment(1, 3, True, MESSAGE[20:]),
)


def put(
    pieces: list[Fragment] | tuple[Fragment, ...], state: Reassembly | None = None
) -> tuple[Reassembly, list[bytes]]:
    """The state after these pieces, and the messages that came out."""
    state, done = state or Reassembly(), []
    for piece in pieces:
        state, message = state.add(piece, now=0.0)
        if message is not None:
            done.append(message)
    return state, done


def size(state: Reassembly) -> int:
    return sum(len(piece) for kept in state.sets.values() for piece in kept.pieces.values())


@given(st.permutations(PIECES))
@settings(deadline=None, max_examples=10)
def test_any_order(pieces: list[Fragment]) -> None:
    assert put(pieces) == (Reassembly(), [MESSAGE])


def test_one_piece() -> None:
    assert put([Fragment(9, 1, True, b"whole")]) == (Reassembly(), [b"whole"])


def test_add_leaves_the_state_before_as_it_was() -> None:
    before = Reassembly()
    after, _ = before.add(PIECES[0], now=0.0)
    assert before == Reassembly() != after


def test_duplicates() -> None:
    first, second, third = PIECES
    assert put([first, first, third, second])[1] == [MESSAGE]
    assert put([first, third, third, second])[1] == [MESSAGE]


def test_a_late_duplicate_starts_a_set_that_only_ages() -> None:
    state, done = put([*PIECES, PIECES[1]])
    assert done == [MESSAGE]
    assert size(state) == 10
    state, message = state.add(Fragment(2, 1, True, b"x"), now=MAX_AGE + 1)
    assert (state, message) == (Reassembly(), b"x")


def test_two_sets_at_once() -> None:
    other = [Fragment(2, piece.number, piece.last, piece.data.upper()) for piece in PIECES]
    mixed = [piece for pair in zip(PIECES, other, strict=True) for piece in pair]
    assert put(mixed) == (Reassembly(), [MESSAGE, MESSAGE.upper()])


def test_the_oldest_set_makes_room() -> None:
    state = Reassembly()
    for id in range(10):
        state, _ = state.add(Fragment(id, 1, False, b"x"), now=float(id))
    assert list(state.sets) == list(range(10 - MAX_SETS, 10))


def test_old_sets_are_forgotten() -> None:
    start = 1000.0
    state, _ = Reassembly().add(PIECES[0], now=start)
    state, _ = state.add(PIECES[1], now=start + MAX_AGE)
    assert sorted(state.sets[1].pieces) == [1, 2]
    state, message = state.add(PIECES[2], now=start + MAX_AGE + 0.1)
    assert message is None
    assert list(state.sets[1].pieces) == [3]


@pytest.mark.parametrize(
    "forged",
    [
        Fragment(1, 2, False, b"other text"),
        Fragment(1, 1, True, MESSAGE[:10]),
        Fragment(1, 4, True, b"a later end"),
        Fragment(1, 5, False, b"behind the end"),
    ],
)
@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_forged_piece_costs_one_attempt(forged: Fragment, place: int) -> None:
    """Whatever it makes of the set, the retransmission is put together as if nothing had been."""
    spoilt = [*PIECES[:place], forged, *PIECES[place:]]
    state, _ = put(spoilt)
    assert size(state) <= MAX_SIZE
    _, done = put([*PIECES, *PIECES], state)
    assert MESSAGE in done


@pytest.mark.parametrize(
    "piece",
    [
        Fragment(1, 0, False, b"x"),
        Fragment(1, MAX_FRAGMENTS + 1, False, b"x"),
        Fragment(1, 1, False, b""),
        Fragment(1, 1, False, bytes(MAX_SIZE + 1)),
    ],
)
def test_pieces_of_no_message(piece: Fragment) -> None:
    with pytest.raises(MalformedMessage):
        Reassembly().add(piece, now=0.0)


def test_a_set_does_not_grow_beyond_its_size() -> None:
    piece = bytes(MAX_SIZE // 2)
    state, _ = put([Fragment(1, 1, False, piece), Fragment(1, 2, False, piece)])
    assert size(state) == MAX_SIZE
    state, _ = put([Fragment(1, 3, False, b"x")], state)
    assert size(state) == 1  # the set starts anew with the piece that was too much


# Invariant: any fragments give bounded memory and complete messages of their own pieces, or MalformedMessage.
@given(
    st.lists(
        st.tuples(
            st.builds(Fragment, st.integers(0, 4), st.integers(0, 70), st.booleans(), st.binary(max_size=3)),
            st.floats(0, 20),
        ),
        max_size=60,
    )
)
@settings(deadline=None, max_examples=150)
def test_reassembly_is_total(arrivals: list[tuple[Fragment, float]]) -> None:
    state, now = Reassembly(), 0.0
    for fragment, pause in arrivals:
        now += pause
        try:
            state, message = state.add(fragment, now)
        except MalformedMessage:
            continue
        assert message is None or message.endswith(fragment.data) or fragment.data in message
        assert len(state.sets) <= MAX_SETS
        assert all(now - kept.started <= MAX_AGE for kept in state.sets.values())
        assert size(state) <= MAX_SETS * MAX_SIZE
