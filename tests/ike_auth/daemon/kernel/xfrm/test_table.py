# SPDX-License-Identifier: ISC
# Invariant: the kernel has, for every selector, the newest claim of a flow, or else of a guard; and nothing else.
"""Claims to policies, in any order, some of them refused."""

from dataclasses import replace
from ipaddress import ip_address

from hypothesis import given
from hypothesis import strategies as st

from ike_auth.daemon.kernel.xfrm.marking import OURS, RESERVED, Indices, Requests
from ike_auth.daemon.kernel.xfrm.numbers import Direction, MessageType
from ike_auth.daemon.kernel.xfrm.policies import Policy
from ike_auth.daemon.kernel.xfrm.structures import Prefix, TrafficSelector
from ike_auth.daemon.kernel.xfrm.table import Change, Owner, PolicyTable

OWNERS = [Owner(guard, name) for guard in (False, True) for name in "abc"]
SELECTORS = [TrafficSelector(Prefix(ip_address(n), 32), Prefix(ip_address(n), 32), family=2) for n in range(3)]


def policy(owner: Owner, number: int) -> Policy:
    """Of different owners they are different."""
    return Policy(SELECTORS[number], Direction.OUT, priority=OWNERS.index(owner) + 1)


class Kernel:
    def __init__(self) -> None:
        self.policies: dict[TrafficSelector, Policy] = {}

    def carry_out(self, change: Change) -> None:
        selector = change.policy.selector
        match change.type:
            case MessageType.NEWPOLICY:
                assert selector not in self.policies
                self.policies[selector] = change.policy
            case MessageType.UPDPOLICY:
                assert self.policies[selector].index == change.policy.index
                self.policies[selector] = change.policy
            case MessageType.DELPOLICY:
                assert self.policies.pop(selector).index == change.policy.index


steps = st.lists(st.tuples(st.sampled_from(OWNERS), st.sets(st.integers(0, 2))), max_size=20)


@given(steps)
def test_any_claims(claimed: list[tuple[Owner, set[int]]]) -> None:
    table, kernel = PolicyTable(), Kernel()
    wanted: dict[Owner, set[int]] = {}
    for owner, numbers in claimed:
        wanted.pop(owner, None)
        wanted[owner] = numbers
        for change in table.claim(owner, [policy(owner, number) for number in sorted(numbers)]):
            kernel.carry_out(change)
            table.done(change)
        expected: dict[TrafficSelector, Policy] = {}
        for number, selector in enumerate(SELECTORS):
            claims = [owner for owner, numbers in wanted.items() if number in numbers]
            best = [owner for owner in claims if not owner.guard][-1:] or claims[-1:]
            if best:
                expected[selector] = policy(best[0], number)
        assert {key: replace(found, index=0) for key, found in kernel.policies.items()} == expected
        assert set(table.there) == set(kernel.policies.values())
        indices = [found.index for found in kernel.policies.values()]
        assert len(set(indices)) == len(indices)
        assert all(index in OURS and index % 8 == Direction.OUT for index in indices)


@given(steps, steps)
def test_what_was_left_goes_unless_it_is_claimed(
    before: list[tuple[Owner, set[int]]], after: list[tuple[Owner, set[int]]]
) -> None:
    table, kernel = PolicyTable(), Kernel()
    for owner, numbers in before:
        for change in table.claim(owner, [policy(owner, number) for number in numbers]):
            kernel.carry_out(change)
            table.done(change)
    again, left = PolicyTable(), set(kernel.policies)
    for found in kernel.policies.values():
        again.adopt(found)
    touched: set[TrafficSelector] = set()
    wanted: dict[Owner, set[int]] = {}
    for owner, numbers in after:
        wanted[owner] = numbers
        touched |= {SELECTORS[number] for number in numbers}
        for change in again.claim(owner, [policy(owner, number) for number in numbers]):
            kernel.carry_out(change)
            again.done(change)
    assert left - touched <= kernel.policies.keys()
    for change in again.sweep():
        kernel.carry_out(change)
        again.done(change)
    assert kernel.policies.keys() == {SELECTORS[number] for numbers in wanted.values() for number in numbers}
    assert again.sweep() == []


def test_nothing_changes_for_what_is_there() -> None:
    table = PolicyTable()
    owner = OWNERS[0]
    for change in table.claim(owner, [policy(owner, 0)]):
        table.done(change)
    assert table.claim(owner, [policy(owner, 0)]) == []


def test_what_is_new_comes_before_what_goes() -> None:
    table = PolicyTable()
    owner = OWNERS[0]
    for change in table.claim(owner, [policy(owner, 0)]):
        table.done(change)
    changes = table.claim(owner, [policy(owner, 1)])
    assert [change.type for change in changes] == [MessageType.NEWPOLICY, MessageType.DELPOLICY]


def test_an_index_that_was_refused_is_free_again() -> None:
    table = PolicyTable()
    owner = OWNERS[0]
    (first,) = table.claim(owner, [policy(owner, 0)])
    table.failed(first)
    assert first.policy.index not in table._indices._taken


def test_numbers_run_through_their_range_and_begin_again() -> None:
    requests = Requests()
    requests._next = OURS[-1]
    assert requests.take("a", 1) == OURS[-1]
    assert requests.take("b", 1) == RESERVED + 1
    requests.avoid([RESERVED + 2, 5])
    assert requests.take("c", 1) == RESERVED + 3
    assert requests.take("c", 2) == RESERVED + 3
    requests.leave("c", 1)
    assert requests.take("c", 1) == RESERVED + 3
    requests.leave("never", 1)


def test_indices_run_through_their_range_and_begin_again() -> None:
    indices = Indices()
    first = indices.take(Direction.FORWARD)
    assert first == OURS[0] + Direction.FORWARD
    indices._next = OURS[-8]
    last = indices.take(Direction.IN)
    assert last in OURS
    assert indices.take(Direction.FORWARD) == first + 8
