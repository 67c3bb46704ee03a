# SPDX-License-Identifier: ISC
# Invariant: any bytes are a policy or a PolicyError, any credential is usable or set aside, and every question about
# what is usable has an answer with reasons, within seconds; leaving an assertion out never raises it.
"""Coverage-guided fuzzing of everything that reads a credential: `make fuzz`, or `python -m fuzz`.

The first line of an input has the attributes and the requesters of a query, the rest is a text of assertions.
"""

import keynote

VALUES = ("low", "mid", "high")
UNKNOWN = keynote.Unknown.except_({"a"})


def check(data: bytes) -> None:
    """Raises AssertionError, or whatever the package lets escape."""
    head, _, text = data.partition(b"\n")
    fields = head.decode("latin-1").replace("\0", "").split("|")
    requesters = [fields[0] or "K", "L"]
    action = dict(zip("abcd", fields[1:], strict=False))
    try:
        keynote.parse_policy(text, name="p")
    except keynote.PolicyError as error:
        _checked(error)
    assertions, set_aside = keynote.parse_credentials(text, name="c")
    # They are asked as if they were trusted: a signature that fits cannot be found by chance.
    session = keynote.Session(assertions, set_aside=set_aside)
    decision = _asked(session, action, requesters)
    interval = session.query({}, requesters, VALUES, UNKNOWN)
    _told(interval)
    for left_out in range(min(len(assertions), 3)):
        rest = keynote.Session([*assertions[:left_out], *assertions[left_out + 1 :]])
        assert _rank(_asked(rest, action, requesters).value) <= _rank(decision.value)
    keynote.Session([], assertions, set_aside=set_aside).query(action, requesters, VALUES)


def _checked(error: keynote.PolicyError) -> None:
    assert error.problems
    assert str(error)


def _asked(session: keynote.Session, action: dict[str, str], requesters: list[str]) -> keynote.Decision:
    try:
        decision = session.query(action, requesters, VALUES)
    except keynote.QueryError:  # a requester that is a key and is none
        decision = session.query(action, ["K"], VALUES)
    _told(decision)
    return decision


def _told(decision: keynote.Decision) -> None:
    assert decision.because
    assert decision.survey
    assert bool(decision.path) == (decision.possible and decision.because != "POLICY requests it")
    str(decision.reasons)


def _rank(value: str) -> int:
    return VALUES.index(value)
