# SPDX-License-Identifier: ISC
from contextlib import suppress
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.packets import parse
from ike_auth.esp.segmentation import segment_size, segments
from ike_auth.esp.virtio import VirtioHeader
from tests.ike_auth.esp.frames import NOTHING, SIZE, UDP, headers, partial, super_frame, virtio
from tests.ike_auth.esp.inner import ACK, CWR, ECE, FIN, PSH, V6, sums_hold, tcp, udp


def cut(frame: bytes) -> list[bytes]:
    header, data = VirtioHeader.decode(frame, SIZE), memoryview(frame)[SIZE:]
    packet = parse(data)
    made = [b"".join(pieces) for pieces in segments(header, data, packet)]
    assert max(map(len, made)) == segment_size(header, data, packet)
    return made


def test_a_packet_that_is_finished_passes() -> None:
    assert cut(NOTHING + tcp(b"data")) == [tcp(b"data")]


@pytest.mark.parametrize("packet", [tcp(b"data"), udp(b"data"), tcp(b"odd", **V6), udp(b"", **V6)])
def test_a_checksum_is_completed(packet: bytes) -> None:
    network, _ = headers(packet)
    offset = 16 if packet[6 if packet[0] >> 4 == 6 else 9] == 6 else 6
    assert cut(virtio(flags=1, start=network, offset=offset) + partial(packet)) == [packet]


def test_zero_is_no_checksum_of_udp() -> None:
    """Its other form is sent instead (RFC 768)."""
    for counter in range(0x10000):
        packet = udp(counter.to_bytes(2, "big"))
        if packet[26:28] == b"\xff\xff":
            break
    assert cut(virtio(flags=1, start=20, offset=6) + partial(packet)) == [packet]
    assert cut(super_frame(packet, 1400)) == [packet]


@pytest.mark.parametrize("ends", [{}, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("size", [100, 99])
def test_segments_of_tcp(ends: dict[str, Any], size: int) -> None:
    payload = bytes(number & 0xFF for number in range(3 * size + 7))
    flags = ACK | PSH | FIN | CWR | ECE
    whole = tcp(payload, flags=flags, sequence=0xFFFFFF80, identification=0xFFFF, tos=2, **ends)
    rest = ACK | ECE
    assert cut(super_frame(whole, size)) == [
        tcp(
            payload[number * size : number * size + size],
            flags=(rest | CWR, rest, rest, rest | PSH | FIN)[number],
            sequence=(0xFFFFFF80 + number * size) & 0xFFFFFFFF,
            identification=(0xFFFF + number) & 0xFFFF,
            tos=2,
            **ends,
        )
        for number in range(4)
    ]


def test_a_superpacket_of_one() -> None:
    whole = tcp(b"data", flags=ACK | PSH | CWR)
    assert cut(super_frame(whole, 100)) == [whole]
    assert cut(super_frame(tcp(b""), 100)) == [tcp(b"")]


@pytest.mark.parametrize("ends", [{}, V6], ids=["v4", "v6"])
def test_segments_of_udp(ends: dict[str, Any]) -> None:
    assert cut(super_frame(udp(bytes(range(250)), **ends), 100)) == [
        udp(bytes(range(250))[number * 100 : number * 100 + 100], identification=0x1234 + number, **ends)
        for number in range(3)
    ]


@given(st.binary(min_size=1, max_size=3000), st.integers(1, 1500), st.booleans())
def test_segments_are_valid_and_lose_nothing(payload: bytes, size: int, v6: bool) -> None:
    ends = V6 if v6 else {}
    made = cut(super_frame(tcp(payload, **ends), size))
    assert all(map(sums_hold, made))
    assert b"".join(segment[headers(segment)[1] :] for segment in made) == payload
    assert [parse(segment).length for segment in made] == list(map(len, made))


@pytest.mark.parametrize(
    "frame",
    [
        super_frame(tcp(bytes(100)), 0),  # no size
        super_frame(udp(bytes(100)), 10)[:1] + b"\1" + super_frame(udp(bytes(100)), 10)[2:],  # TCP that is UDP
        super_frame(tcp(bytes(100), **V6), 10)[:1] + b"\1" + super_frame(tcp(bytes(100), **V6), 10)[2:],
        super_frame(tcp(bytes(100)), 10)[:1] + b"\3" + super_frame(tcp(bytes(100)), 10)[2:],  # UFO
        super_frame(tcp(bytes(100), fragment_flags=0x2000), 10),  # a fragment
        virtio(flags=1, gso=1, segment_size=10) + tcp(bytes(100))[:32] + b"\x10" + tcp(bytes(100))[33:],
        virtio(flags=1, gso=1, segment_size=10) + tcp(b"", options=b"")[:32] + b"\xf0" + bytes(7),
        virtio(flags=1, start=20, offset=100) + tcp(b"data"),
        virtio(flags=1, start=0xFFFF, offset=0xFFFF) + tcp(b"data"),
        virtio(flags=1, start=20, offset=6) + udp(bytes(16), flags=2),  # a later fragment has no checksum
    ],
)
def test_bad_frames(frame: bytes) -> None:
    with pytest.raises(Dropped) as caught:
        cut(frame)
    assert caught.value.reason == Reason.BAD_FRAME


def test_a_frame_without_its_header() -> None:
    with pytest.raises(Dropped, match="bad frame"):
        VirtioHeader.decode(bytes(9), SIZE)


def test_twelve_bytes_of_header() -> None:
    header = VirtioHeader(1, 1, 52, 1400, 20, 16)
    assert len(header.encode(12)) == 12
    assert VirtioHeader.decode(header.encode(12), 12) == header
    assert VirtioHeader.decode(b"\0\x81" + bytes(8), 10).gso == 1  # with the flag that CWR is there


# Invariant: any frame gives segments or Dropped.
@given(
    st.integers(0, 3), st.sampled_from([0, 1, 3, 4, UDP, 0x81]), st.integers(0, 200), st.integers(0, 100), st.data()
)
def test_segments_are_total(flags: int, gso: int, size: int, start: int, data: st.DataObject) -> None:
    packet = data.draw(st.sampled_from([tcp(bytes(50)), udp(bytes(50), **V6), tcp(bytes(50), **V6), udp(b"")]))
    damaged = bytearray(packet)
    damaged[data.draw(st.integers(0, len(packet) - 1))] = data.draw(st.integers(0, 255))
    with suppress(Dropped):
        cut(virtio(flags=flags, gso=gso, segment_size=size, start=start, offset=16) + bytes(damaged))


def test_addresses_do_not_matter() -> None:
    ends: dict[str, Any] = {"source": ip_address("255.255.255.255"), "destination": ip_address("0.0.0.0")}
    assert all(map(sums_hold, cut(super_frame(tcp(bytes(100), **ends), 10))))
