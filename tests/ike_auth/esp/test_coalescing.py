# SPDX-License-Identifier: ISC
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.coalescing import Coalescer
from ike_auth.esp.packets import parse
from ike_auth.esp.padding import trailers
from tests.ike_auth.esp.frames import NOTHING, SIZE, fields, headers, super_frame
from tests.ike_auth.esp.inner import (
    ACK,
    CWR,
    ECE,
    FIN,
    PSH,
    RST,
    SYN,
    THERE4,
    TIMESTAMPS,
    V6,
    ip,
    naive_sum,
    tcp,
    udp,
)
from tests.ike_auth.esp.test_segmentation import cut

OWNER = object()


def merged(packets: list[bytes], owners: list[object] | None = None) -> list[bytes]:
    """The frames for packets that come as decrypted texts."""
    coalescer = Coalescer(SIZE)
    for packet, owner in zip(packets, owners or [OWNER] * len(packets), strict=True):
        text = packet + trailers(4, 4)[len(packet) % 4]
        if not coalescer.extend(owner, text, len(packet)):
            coalescer.add(owner, text, len(packet), parse(packet))
    return coalescer.take()


def segments(count: int = 3, size: int = 100, last: int = 100, flags: int = ACK, **more: Any) -> list[bytes]:
    """Consecutive segments of one connection; the last one has its own size and flags."""
    fields: dict[str, Any] = {"sequence": 1000, "identification": 7, **more}
    made = []
    for number in range(count):
        final = number == count - 1
        payload = bytes((number,)) * (last if final else size)
        here = {"sequence": fields["sequence"] + number * size & 0xFFFFFFFF}
        here["identification"] = fields["identification"] + number & 0xFFFF
        made.append(tcp(payload, **{**fields, **here, "flags": flags if final else ACK}))
    return made


@pytest.mark.parametrize("ends", [{}, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("size", [100, 99])
@pytest.mark.parametrize("last", [99, 2, 1])
@pytest.mark.parametrize("flags", [ACK, ACK | PSH, ACK | PSH | FIN])
def test_a_run_becomes_one_superpacket(ends: dict[str, Any], size: int, last: int, flags: int) -> None:
    packets = segments(5, size, last, flags, **ends)
    (frame,) = merged(packets)
    whole = tcp(
        b"".join(packet[headers(packet)[1] :] for packet in packets), sequence=1000, identification=7, flags=flags,
        **ends,
    )  # fmt: skip
    assert frame == super_frame(whole, size)
    assert cut(frame) == packets


def test_what_the_kernel_is_told() -> None:
    (frame,) = merged(segments())
    flags, gso, header_size, segment_size, start, offset = fields(frame)
    assert (flags, gso, header_size, segment_size, start, offset) == (1, 1, 52, 100, 20, 16)
    packet = frame[SIZE:]
    assert len(packet) == 52 + 300
    assert naive_sum(packet[:20]) == 0xFFFF
    assert int.from_bytes(packet[36:38], "big") == naive_sum(packet[12:20] + b"\0\6" + (332).to_bytes(2, "big"))


def test_what_stays_single_is_not_touched() -> None:
    assert merged([tcp(b"data")]) == [NOTHING + tcp(b"data")]
    for packet in (udp(b"data"), udp(b"data", **V6), tcp(b"", **V6), ip(THERE4, THERE4, 47, b"gre")):
        assert merged([packet, packet]) == [NOTHING + packet] * 2


@pytest.mark.parametrize(
    "second",
    [
        {"sequence": 1101},  # a gap
        {"sequence": 1099},  # an overlap
        {"sequence": 1000},  # once more
        {"acknowledged": 3},
        {"window": 501},
        {"tos": 3},
        {"ttl": 63},
        {"ports": (1000, 81)},
        {"options": b""},
        {"options": TIMESTAMPS[:-1] + b"\x09"},
        {"flags": ACK | ECE},
        {"flags": ACK | CWR},
        {"flags": ACK | SYN},
        {"flags": ACK | RST},
        {"flags": FIN},
        {"flags": ACK | 0x20},  # urgent
        {"fragment_flags": 0x0000},
        {"fragment_flags": 0x2000},
        {"destination": THERE4 + 1},
    ],
    ids=str,
)
def test_what_differs_does_not_merge(second: dict[str, Any]) -> None:
    first = tcp(bytes(100), sequence=1000)
    other = tcp(bytes(100), **{"sequence": 1100, "identification": 0x1235, **second})
    assert merged([first, other]) == [NOTHING + first, NOTHING + other]


def test_identification_counts_up_where_it_means_something() -> None:
    first, *others = (
        tcp(bytes(100), sequence=sequence, identification=identification, fragment_flags=0)
        for sequence, identification in ((1000, 5), (1100, 6), (1100, 5), (1100, 7))
    )
    assert [len(merged([first, other])) for other in others] == [1, 2, 2]
    atomic = [tcp(bytes(100), sequence=1000 + 100 * number, identification=0) for number in range(2)]
    assert len(merged(atomic)) == 1


def test_a_larger_one_does_not_follow_and_nothing_follows_a_smaller_one() -> None:
    small, large = tcp(bytes(10), sequence=1000), tcp(bytes(20), sequence=1010)
    assert merged([small, large]) == [NOTHING + small, NOTHING + large]
    sizes = ((20, 1000), (10, 1020), (10, 1030))
    packets = [
        tcp(bytes(size), sequence=sequence, identification=number) for number, (size, sequence) in enumerate(sizes)
    ]
    assert [cut(frame) for frame in merged(packets)] == [packets[:2], packets[2:]]


def test_nothing_follows_a_push() -> None:
    first, pushed, more = segments(3)
    pushed = tcp(bytes((1,)) * 100, sequence=1100, identification=8, flags=ACK | PSH)
    frames = merged([first, pushed, more])
    assert [len(cut(frame)) for frame in frames] == [2, 1]


def test_pure_acknowledgements_stay_and_keep_their_place() -> None:
    first, second, third = segments(3)
    between = tcp(b"", sequence=1200, acknowledged=99)
    frames = merged([first, second, between, third])
    assert [cut(frame) for frame in frames] == [[first, second], [between], [third]]


def test_connections_are_merged_apart() -> None:
    one, other = segments(3), segments(3, ports=(2000, 80))
    mixed = [packet for pair in zip(one, other, strict=True) for packet in pair]
    assert [cut(frame) for frame in merged(mixed)] == [one, other]


def test_owners_are_kept_apart() -> None:
    first, second, third = segments(3)
    frames = merged([first, second, third], [OWNER, object(), OWNER])
    assert frames == [NOTHING + packet for packet in (first, second, third)]


@pytest.mark.parametrize("ends", [{}, V6], ids=["v4", "v6"])
@pytest.mark.parametrize("position", [20, 60, -1])
@pytest.mark.parametrize("damaged", [0, 1, 2])
def test_a_wrong_checksum_is_not_cured(ends: dict[str, Any], position: int, damaged: int) -> None:
    packets = segments(3, **ends)
    bad = bytearray(packets[damaged])
    bad[position] ^= 1
    packets[damaged] = bytes(bad)
    frames = merged(packets)
    assert NOTHING + bytes(bad) in frames
    assert sorted(packet for frame in frames for packet in cut(frame)) == sorted(packets)


def test_a_wrong_header_checksum_is_not_cured() -> None:
    packets = segments(3)
    packets[1] = packets[1][:10] + b"\1\2" + packets[1][12:]
    assert merged(packets) == [NOTHING + packet for packet in packets]


def test_superpackets_end_at_64_kilobytes() -> None:
    packets = segments(60, 1400, 1400)
    frames = merged(packets)
    assert [len(cut(frame)) for frame in frames] == [46, 14]
    assert all(len(frame) - SIZE <= 65535 for frame in frames)


def test_a_batch_leaves_nothing_behind() -> None:
    coalescer = Coalescer(SIZE)
    first, second = segments(2)
    coalescer.add(OWNER, first, len(first), parse(first))
    assert coalescer.take() == [NOTHING + first]
    assert not coalescer.extend(OWNER, second, len(second))
    assert coalescer.take() == []


@given(
    st.lists(
        st.tuples(
            st.sampled_from([ACK, ACK, ACK, ACK, ACK | PSH, ACK | FIN, ACK | SYN, ACK | ECE]),
            st.sampled_from([0, 1, 99, 100, 100, 100, 100]),
            st.integers(0, 2),  # connection
            st.sampled_from([0, 0, 0, 0, 0, 50]),  # sequence numbers left out
        ),
        max_size=30,
    ),
    st.booleans(),
)
def test_segmentation_undoes_coalescing(plan: list[tuple[int, int, int, int]], v6: bool) -> None:
    """Every packet comes out as it came in, and those of one connection in their order."""
    ends = V6 if v6 else {}
    state = {number: [4_294_967_000, 65530] for number in range(3)}
    packets: list[bytes] = []
    for flags, size, connection, gap in plan:
        sequence, identification = state[connection]
        payload = random.Random(size).randbytes(size)
        sequence = sequence + gap & 0xFFFFFFFF
        packets.append(
            tcp(
                payload,
                ports=(connection, 80),
                sequence=sequence,
                identification=identification,
                flags=flags,
                **ends,
            )
        )
        state[connection] = [sequence + size & 0xFFFFFFFF, identification + 1 & 0xFFFF]
    again = [packet for frame in merged(packets) for packet in cut(frame)]

    def connection_of(packet: bytes) -> int:
        return parse(packet).source_port or 0

    assert sorted(again, key=connection_of) == sorted(packets, key=connection_of)


# Invariant: any texts give frames, and what is not merged comes out as it was.
@given(st.lists(st.binary(min_size=1, max_size=120), max_size=5))
def test_coalescing_is_total(texts: list[bytes]) -> None:
    coalescer = Coalescer(SIZE)
    first = segments(1)[0]
    coalescer.add(OWNER, first, len(first), parse(first))
    for text in texts:
        for size in (len(text), max(len(text) - 2, 0)):
            if size:
                coalescer.extend(OWNER, text, size)
    assert coalescer.take() == [NOTHING + first]
