# SPDX-License-Identifier: ISC
from ike_auth.retransmission import KEPT, Retransmission, digest


def test_the_same_bytes_get_the_same_reply() -> None:
    before = Retransmission()
    after = before.answered(digest(b"message"), (b"reply",))
    assert after.reply_to(digest(b"message")) == (b"reply",)
    assert after.reply_to(digest(b"another")) is None
    assert before.reply_to(digest(b"message")) is None, "a value does not change"


def test_an_answer_of_nothing_is_an_answer() -> None:
    assert Retransmission().answered(digest(b"message"), ()).reply_to(digest(b"message")) == ()


def test_a_message_that_is_answered_again_is_kept_once_with_its_last_answer() -> None:
    kept = Retransmission().answered(b"1", (b"old",)).answered(b"2", ()).answered(b"1", (b"new",))
    assert kept.reply_to(b"1") == (b"new",)
    assert len(kept.replies) == 2


def test_only_the_last_replies_are_kept() -> None:
    kept = Retransmission()
    for number in range(KEPT + 1):
        kept = kept.answered(bytes([number]), (b"reply",))
    assert kept.reply_to(bytes([0])) is None
    assert all(kept.reply_to(bytes([number])) == (b"reply",) for number in range(1, KEPT + 1))


def test_delays_grow_by_two_seconds_from_seven() -> None:
    waiting = Retransmission().awaiting(b"message")
    delays = []
    for _ in range(4):
        delays.append(waiting.delay)
        waiting = waiting.again()
    assert delays == [7.0, 9.0, 11.0, 13.0]
    assert waiting.sent == 5


def test_a_new_message_begins_anew_and_none_is_repeated_after_the_last() -> None:
    waiting = Retransmission().awaiting(b"message 1").again().again()
    assert waiting.awaiting(b"message 3").delay == 7.0
    assert waiting.awaiting(None).message is None
