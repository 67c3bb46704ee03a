# SPDX-License-Identifier: ISC
from dataclasses import replace

from ike_auth.wire.identities import Identity
from ike_auth.wire.payloads import Hash, Nonce, Payload


def test_values_are_compared_and_hashed_by_what_they_hold_and_by_their_kind() -> None:
    assert Hash(b"1") == Hash(b"1") != Hash(b"2")
    assert len({Hash(b"1"), Hash(b"1"), Hash(b"2")}) == 2
    alike: list[Payload] = [Hash(b"1"), Nonce(b"1")]
    assert alike[0] != alike[1]


def test_the_next_value_leaves_the_one_before_as_it_was() -> None:
    before = Identity.fqdn("gw.example.org")
    after = replace(before, port=500)
    assert (before.port, after.port) == (0, 500)


def changed(value: Hash) -> None:
    """Never called: the type checker must find an error here, else it complains of a comment too many."""
    value.data = b"2"  # type: ignore[misc]
