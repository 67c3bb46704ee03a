# SPDX-License-Identifier: ISC
from typing import Any

import pytest

from ike_auth.esp.tos import CE, ECT_0, ECT_1, NOT_ECT, combined, with_ecn
from tests.ike_auth.esp.inner import V6, sums_hold, udp

INNER = (NOT_ECT, ECT_0, ECT_1, CE)


@pytest.mark.parametrize(
    ("outer", "expected"),
    [
        (NOT_ECT, (NOT_ECT, ECT_0, ECT_1, CE)),
        (ECT_0, (NOT_ECT, ECT_0, ECT_1, CE)),
        (ECT_1, (NOT_ECT, ECT_1, ECT_1, CE)),
        (CE, (None, CE, CE, CE)),
    ],
)
def test_leaving_the_tunnel(outer: int, expected: tuple[int | None, ...]) -> None:
    """RFC 6040 figure 4, by columns."""
    assert tuple(combined(inner, outer) for inner in INNER) == expected


@pytest.mark.parametrize("ecn", INNER)
def test_nothing_but_ecn_changes(ecn: int) -> None:
    cases: tuple[dict[str, Any], ...] = ({}, V6)
    for ends in cases:
        before = udp(b"data", tos=0xB8 | ECT_0, **ends)
        assert with_ecn(before, ecn) == udp(b"data", tos=0xB8 | ecn, **ends)
        assert sums_hold(with_ecn(before, ecn))
