# SPDX-License-Identifier: ISC
from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.indexes import SelectorIndex
from ike_auth.wire.identities import Selector

# Few addresses, so that ranges meet; and the ends of the space, where arithmetic could leave it.
ADDRESSES = st.sampled_from([*range(20), 2**31, 2**32 - 2, 2**32 - 1])


@st.composite
def selectors(draw: st.DrawFn) -> Selector:
    low, high = sorted((draw(ADDRESSES), draw(ADDRESSES)))
    protocol, port = draw(st.sampled_from([0, 6, 17])), draw(st.sampled_from([0, 80]))
    if draw(st.booleans()):
        return Selector(IPv4Address(low), IPv4Address(high), protocol, port)
    return Selector(IPv6Address(low), IPv6Address(high), protocol, port)


@given(st.lists(selectors(), max_size=12), st.data())
def test_what_overlaps_is_found_and_nothing_else(there: list[Selector], data: st.DataObject) -> None:
    index: SelectorIndex[int] = SelectorIndex()
    for number, selector in enumerate(there):
        index.add(selector, number)
    gone = data.draw(st.sets(st.sampled_from(range(len(there))))) if there else set()
    for number in gone:
        index.remove(there[number], number)
    asked = data.draw(selectors())
    expected = [n for n, selector in enumerate(there) if n not in gone and selector.overlaps(asked)]
    assert sorted(index.overlapping(asked)) == expected


def test_what_is_not_there_cannot_be_removed() -> None:
    index: SelectorIndex[str] = SelectorIndex()
    with pytest.raises(KeyError):
        index.remove(Selector.of(IPv4Address("10.0.0.1")), "nothing")
