# SPDX-License-Identifier: ISC
from ipaddress import ip_address

from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.half_open import SHARE_OF_ONE_HOST, ExchangeId, HalfOpen

HOSTS = [ip_address(f"192.0.2.{number}") for number in range(8)]
LIMIT = 8  # so two for each host


def test_nothing_has_to_go_below_the_limits() -> None:
    half_open = HalfOpen()
    for number, host in enumerate(HOSTS[:7]):
        half_open.add(ExchangeId(number), host, confirmed=False)
    assert half_open.first_to_go(HOSTS[7], LIMIT) is None


def test_of_all_the_oldest_goes() -> None:
    half_open = HalfOpen()
    for number, host in enumerate(HOSTS):
        half_open.add(ExchangeId(number), host, confirmed=False)
    assert half_open.first_to_go(ip_address("198.51.100.1"), LIMIT) == 0


def test_who_receives_at_the_address_that_it_names_goes_last() -> None:
    half_open = HalfOpen()
    for number, host in enumerate(HOSTS):
        half_open.add(ExchangeId(number), host, confirmed=False)
    half_open.add(ExchangeId(0), HOSTS[0], confirmed=True)
    assert half_open.first_to_go(ip_address("198.51.100.1"), LIMIT) == 1
    for number, host in enumerate(HOSTS):
        half_open.add(ExchangeId(number), host, confirmed=True)
    assert half_open.first_to_go(ip_address("198.51.100.1"), LIMIT) == 0


def test_a_host_has_a_share_and_drives_out_itself() -> None:
    half_open = HalfOpen()
    half_open.add(ExchangeId(1), HOSTS[0], confirmed=False)
    half_open.add(ExchangeId(2), HOSTS[1], confirmed=True)
    half_open.add(ExchangeId(3), HOSTS[1], confirmed=False)
    assert half_open.first_to_go(HOSTS[1], LIMIT) == 3
    assert half_open.first_to_go(HOSTS[2], LIMIT) is None


def test_the_smallest_limit_still_lets_the_newest_in() -> None:
    half_open = HalfOpen()
    assert half_open.first_to_go(HOSTS[0], 0) is None
    half_open.add(ExchangeId(1), HOSTS[0], confirmed=False)
    assert half_open.first_to_go(HOSTS[0], 0) == 1
    assert half_open.first_to_go(HOSTS[1], 0) == 1


def test_what_is_gone_or_unknown_counts_no_more() -> None:
    half_open = HalfOpen()
    half_open.add(ExchangeId(1), HOSTS[0], confirmed=False)
    half_open.discard(ExchangeId(1))
    half_open.discard(ExchangeId(1))
    assert len(half_open) == 0
    assert vars(half_open) == {**vars(half_open), "_of_host": {}, "_host": {}}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 11), st.integers(0, 3), st.booleans()), max_size=60))
def test_never_more_than_the_limits_whatever_comes(events: list[tuple[int, int, bool]]) -> None:
    """Who always lets go what has to go first stays within both limits, and loses nobody else."""
    half_open, there = HalfOpen(), dict[int, int]()
    for id, host, confirmed in events:
        if id not in there:
            first = half_open.first_to_go(HOSTS[host], LIMIT)
            if first is not None:
                half_open.discard(first)
                del there[first]
            there[id] = host
        half_open.add(ExchangeId(id), HOSTS[there[id]], confirmed)
        assert len(half_open) == len(there) <= LIMIT
        assert all(list(there.values()).count(host) <= LIMIT // SHARE_OF_ONE_HOST for host in range(4))
