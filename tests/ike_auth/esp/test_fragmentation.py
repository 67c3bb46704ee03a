# SPDX-License-Identifier: ISC
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.fragmentation import fragments
from ike_auth.esp.packets import parse
from tests.ike_auth.esp.inner import HERE4, THERE4, ip, naive_sum, udp

MORE = 0x2000


def cut(packet: bytes, mtu: int) -> list[bytes]:
    return fragments(packet, parse(packet), mtu)


def test_two_fragments() -> None:
    packet = udp(bytes(range(100)), flags=0)
    payload = packet[20:]
    assert cut(packet, 84) == [
        ip(HERE4, THERE4, 17, payload[:64], flags=MORE),
        ip(HERE4, THERE4, 17, payload[64:], flags=8),
    ]


def test_a_fragment_is_fragmented_further() -> None:
    middle = ip(HERE4, THERE4, 17, bytes(32), flags=MORE | 10)
    assert cut(middle, 40) == [
        ip(HERE4, THERE4, 17, bytes(16), flags=MORE | 10),
        ip(HERE4, THERE4, 17, bytes(16), flags=MORE | 12),
    ]
    last = ip(HERE4, THERE4, 17, bytes(20), flags=10)
    assert cut(last, 40)[-1] == ip(HERE4, THERE4, 17, bytes(4), flags=12)


def test_options_that_are_copied() -> None:
    """RFC 791 3.1: source routes and security are, record route and timestamps are not."""
    record_route, security, nop = b"\x07\x07\x04" + bytes(4), b"\x82\x04\1\2", b"\1"
    packet = ip(HERE4, THERE4, 17, bytes(64), flags=0, options=record_route + nop + security + bytes(4))
    first, *later = cut(packet, 68)
    assert first == ip(HERE4, THERE4, 17, bytes(32), flags=MORE, options=record_route + nop + security + bytes(4))
    assert later == [ip(HERE4, THERE4, 17, bytes(32), flags=4, options=security)]


@given(
    st.binary(min_size=1, max_size=3000),
    st.integers(0, 1500),
    st.binary(max_size=40).map(lambda data: data + bytes(-len(data) % 4)),
    st.booleans(),
)
def test_fragments_fit_and_lose_nothing(payload: bytes, mtu: int, options: bytes, more: bool) -> None:
    packet = ip(HERE4, THERE4, 17, payload, flags=MORE * more | 5, options=options)
    made = cut(packet, mtu)
    assert all(len(fragment) <= max(mtu, 68) for fragment in made)
    assert all(naive_sum(fragment[: (fragment[0] & 15) * 4]) == 0xFFFF for fragment in made)
    position = 40
    for fragment in made:
        parsed = parse(fragment)
        assert parsed.offset == position
        position += parsed.length - parsed.header
    assert b"".join(fragment[(fragment[0] & 15) * 4 :] for fragment in made) == payload
    assert [bool(fragment[6] & 0x20) for fragment in made] == [True] * (len(made) - 1) + [more]
