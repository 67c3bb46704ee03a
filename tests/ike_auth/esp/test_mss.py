# SPDX-License-Identifier: ISC
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.mss import clamped
from ike_auth.esp.packets import parse
from tests.ike_auth.esp.inner import ACK, SYN, V6, sums_hold, tcp, udp


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
    "packet",
    [
        tcp(b"", flags=ACK, options=options(1460)),
        tcp(b"", flags=SYN, options=b""),
        tcp(b"", flags=SYN, options=b"\0" + options(1460, b"\1\1")[:7]),  # behind the end of options
        tcp(b"", flags=SYN, options=b"\1\1\2\4"),  # cut
        tcp(b"", flags=SYN, options=b"\2\3\5\xb4"),  # of another length
        tcp(b"", flags=SYN, options=b"\5\0\5\0" + options(1460)[:0]),  # no length at all
        tcp(b"", flags=SYN, fragment_flags=2, options=options(1460)),
        udp(bytes(40)),
        udp(b"")[:20] + b"",
    ],
)
def test_everything_else_stays(packet: bytes) -> None:
    length = len(packet).to_bytes(2, "big")
    packet = packet[:2] + length + packet[4:]
    assert clamped(packet, parse(packet), 1400) is packet


# Invariant: any options, and a sum that held still holds.
@given(st.binary(max_size=36).map(lambda data: data + bytes(-len(data) % 4)), st.integers(100, 1500))
def test_clamping_is_total(options: bytes, mtu: int) -> None:
    syn = tcp(b"", flags=SYN, options=options)
    assert sums_hold(clamped(syn, parse(syn), mtu))
