# SPDX-License-Identifier: ISC
from ipaddress import ip_address, ip_network
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.daemon.network.selection import first_host, networks, own_source
from ike_auth.wire.identities import Selector


def selector(text: str) -> Selector:
    if "-" in text:
        low, high = map(ip_address, text.split("-"))
        return Selector(low, high)
    return Selector.of(ip_network(text))


@pytest.mark.parametrize(
    ("addresses", "expected"),
    [
        ("10.2.0.0/16", ["10.2.0.0/16"]),
        ("10.2.0.1/32", ["10.2.0.1/32"]),
        ("0.0.0.0/0", ["0.0.0.0/0"]),
        ("0.0.0.0-255.255.255.255", ["0.0.0.0/0"]),
        ("::/0", ["::/0"]),
        ("10.2.0.1-10.2.0.4", ["10.2.0.1/32", "10.2.0.2/31", "10.2.0.4/32"]),
        ("fd00::1-fd00::3", ["fd00::1/128", "fd00::2/127"]),
        ("::-::1", ["::/127"]),
    ],
)
def test_networks(addresses: str, expected: list[str]) -> None:
    assert [str(network) for network in networks(selector(addresses))] == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_networks_are_the_range(one: int, other: int) -> None:
    low, high = ip_address(min(one, other)), ip_address(max(one, other))
    found = networks(Selector(low, high))
    assert found[0][0] == low
    assert found[-1][-1] == high
    assert all(int(before[-1]) + 1 == int(after[0]) for before, after in pairwise(found))


OWN = [ip_address(text) for text in ("127.0.0.1", "192.0.2.7", "10.1.0.1", "10.1.0.2", "::1", "fe80::1", "fd00::1")]


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("10.1.0.0/16", "10.1.0.1"),
        ("10.1.0.2/32", "10.1.0.2"),
        ("10.3.0.0/16", None),
        ("0.0.0.0/0", "192.0.2.7"),
        ("127.0.0.0/8", None),
        ("::/0", "fd00::1"),
        ("10.1.0.2-10.1.0.9", "10.1.0.2"),
    ],
)
def test_source(local: str, expected: str | None) -> None:
    found = own_source(selector(local), OWN)
    assert (None if found is None else str(found)) == expected


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        ("10.1.0.0/16", "10.1.0.1"),
        ("10.1.0.7/32", "10.1.0.7"),
        ("10.1.0.6/31", "10.1.0.6"),
        ("10.1.0.7-10.1.0.9", "10.1.0.7"),
        ("fd00::/64", "fd00::1"),
    ],
)
def test_first_host(local: str, expected: str) -> None:
    assert str(first_host(selector(local))) == expected
