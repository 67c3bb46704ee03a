# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.mss import clamped, is_syn
from ike_auth.esp.packets import parse
from tests.ike_auth.esp.inner import ACK, HERE4, SYN, THERE4, V6, ip, sums_hold, tcp, udp


def options(mss: int, before: bytes = b"") -> bytes:
    found = before + b"\2\4" + mss.to_bytes(2, "big")
    return found + bytes(-len(found) % 4)


@pytest.mark.parametrize("flags", [SYN, SYN | ACK])
@pytest.mark.parametrize("before", [b"", b"\1", b"\1\1", b"\3\3\7", b"\x08\x0a" + bytes(8)])
def test_too_large_a_size_is_lowered(flags: int, before: bytes) -> None:
    for ends, expected in (({}, 1360), (V6, 1340)):
        syn = tcp(b"", flags=flags, options=options(1460, before), **ends)
        lowered = clamped(syn, parse(syn), 1400)
        assert lowered == tcp(b"", flags=flags, options=options(expected, before), **ends)
        assert sums_hold(lowered)


def test_what_fits_stays() -> None:
    syn = tcp(b"", flags=SYN, options=options(1360))
    assert clamped(syn, parse(syn), 1400) is syn


def test_it_is_not_lowered_to_nothing() -> None:
    syn = tcp(b"", flags=SYN, options=options(1460))
    assert clamped(syn, parse(syn), 50) == tcp(b"", flags=SYN, options=options(88))


@pytest.mark.parametrize(
    "options",
    [
        b"",
        b"\0" + options(1460, b"\1\1")[:7],  # behind the end of options
        b"\1\1\2\4",  # cut
        b"\2\3\5\xb4",  # of another length
        b"\5\0\5\0",  # no length at all
    ],
)
def test_everything_else_stays(options: bytes) -> None:
    syn = tcp(b"", flags=SYN, options=options)
    assert clamped(syn, parse(syn), 1400) is syn


@pytest.mark.parametrize(
    ("packet", "expected"),
    [
        (tcp(b"", flags=SYN), True),
        (tcp(b"", flags=SYN | ACK, **V6), True),
        (tcp(b"", flags=ACK), False),
        (tcp(b"", flags=SYN, fragment_flags=2), False),
        (udp(b"\xff" * 40), False),
        (ip(HERE4, THERE4, 6, b"\xff" * 19), False),
    ],
)
def test_what_a_syn_is(packet: bytes, expected: bool) -> None:
    assert is_syn(packet, parse(packet)) is expected


# Invariant: any options, and a sum that held still holds.
@given(st.binary(max_size=36).map(lambda data: data + bytes(-len(data) % 4)), st.integers(100, 1500))
def test_clamping_is_total(options: bytes, mtu: int) -> None:
    syn = tcp(b"", flags=SYN, options=options)
    assert sums_hold(clamped(syn, parse(syn), mtu))
