# SPDX-License-Identifier: ISC
"""Whatever the network does, nothing but what was sent is delivered, and the rest is counted by its reason."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ike_auth.esp.drops import Reason
from ike_auth.esp.events import UnknownSpi
from ike_auth.esp.inbound import Read
from ike_auth.esp.padding import trailer
from ike_auth.network import Datagram
from ike_auth.wire.identities import Selector
from tests.ike_auth.esp.frames import NOTHING
from tests.ike_auth.esp.inner import HERE4, THERE4, V6, tcp, udp
from tests.ike_auth.esp.pair import Pair, crafted
from tests.ike_auth.esp.sas import AEADS, CBCS, NULLS, SPI, SUITES, A, B, Suite, at_the_peer, random_bytes

PACKETS = [udp(b"one"), udp(b"two"), tcp(b"three"), udp(b"four" * 300)]


@pytest.mark.parametrize("suite", SUITES, ids=str)
@pytest.mark.parametrize("esn", [False, True])
def test_packets_arrive(suite: Suite, esn: bool) -> None:
    pair = Pair(suite, esn=esn)
    assert pair.opened(*pair.sealed(*PACKETS)) == PACKETS
    assert pair.a.drops == pair.b.drops == {}


@pytest.mark.parametrize("suite", [AEADS[0], CBCS[0], NULLS[0]], ids=str)
def test_corrupted(suite: Suite) -> None:
    pair = Pair(suite)
    (packet,) = pair.sealed(PACKETS[0])
    for position in range(8, len(packet)):
        damaged = bytearray(packet)
        damaged[position] ^= 1
        assert pair.opened(bytes(damaged)) == []
    assert pair.b.drops == {Reason.BAD_ICV: len(packet) - 8}
    assert pair.opened(packet) == [PACKETS[0]]


def test_another_sequence_number_is_a_bad_icv() -> None:
    pair = Pair()
    (packet,) = pair.sealed(PACKETS[0])
    assert pair.opened(packet[:4] + b"\0\0\1\0" + packet[8:]) == []
    assert pair.b.drops == {Reason.BAD_ICV: 1}
    assert pair.opened(packet) == [PACKETS[0]], "what was not authentic has not moved the window"


@pytest.mark.parametrize("suite", [AEADS[0], CBCS[0], NULLS[0]], ids=str)
def test_replayed(suite: Suite) -> None:
    pair = Pair(suite)
    sealed = pair.sealed(*PACKETS)
    assert pair.opened(*sealed, *sealed) == PACKETS
    assert pair.opened(*sealed) == []
    assert pair.b.drops == {Reason.REPLAYED: 8}


def test_reordered() -> None:
    pair = Pair()
    packets = [udp(bytes((number,))) for number in range(100)]
    sealed = pair.sealed(*packets)
    assert pair.opened(*reversed(sealed)) == packets[: 99 - 64 : -1]
    assert pair.b.drops == {Reason.TOO_OLD: 36}


def test_without_a_window_everything_is_accepted() -> None:
    pair = Pair(replay_window=0)
    sealed = pair.sealed(*PACKETS)
    assert pair.opened(*sealed, *sealed) == PACKETS * 2


@pytest.mark.parametrize("suite", [AEADS[0], CBCS[0], NULLS[0]], ids=str)
def test_truncated(suite: Suite) -> None:
    pair = Pair(suite)
    (packet,) = pair.sealed(PACKETS[0])
    for length in range(len(packet)):
        assert pair.opened(packet[:length]) == []
    assert set(pair.b.drops) <= {Reason.TRUNCATED, Reason.BAD_ICV}
    assert pair.b.drops[Reason.TRUNCATED] >= 20
    assert pair.b.drops.total() == len(packet)
    assert pair.opened(packet) == [PACKETS[0]]


def test_lengthened() -> None:
    pair = Pair()
    (packet,) = pair.sealed(PACKETS[0])
    assert pair.opened(packet + bytes(4)) == []
    assert pair.b.drops == {Reason.BAD_ICV: 1}


def test_oversized() -> None:
    pair = Pair()
    assert pair.opened(SPI + b"\0\0\0\1" + bytes(65499)) == []
    assert pair.b.drops == {Reason.BAD_ICV: 1}


def test_wrong_spi() -> None:
    pair = Pair()
    (packet,) = pair.sealed(PACKETS[0])
    for _ in range(3):
        assert pair.opened(b"\xff" + packet[1:]) == []
    assert pair.b.drops == {Reason.UNKNOWN_SPI: 3}
    assert pair.b.events() == [UnknownSpi(B, A, b"\xff" + packet[1:4])]
    assert pair.opened(packet[:4] + packet[:4] + packet[8:]) == []


@pytest.mark.parametrize(
    "packet",
    [
        udp(b"", source=THERE4, destination=HERE4),  # the wrong way round
        udp(b"", source=HERE4, destination=THERE4 + 0x10000),
        udp(b"", source=HERE4 - 0x10000, destination=THERE4),
    ],
)
def test_wrong_selectors(packet: bytes) -> None:
    """The peer is authentic, and sends what it may not."""
    pair = Pair()
    sealed = crafted(pair.there, packet + trailer(4, -(len(packet) + 2) % 4))
    assert pair.opened(sealed) == []
    assert pair.b.drops == {Reason.SELECTORS: 1}


def test_wrong_selectors_within_a_connection() -> None:
    """What fits the segment before it, but came through an SA that may not carry it, is not merged with it."""
    pair = Pair()
    web = replace(pair.there, spi=b"webs", remote=Selector.of(THERE4 + 1))
    pair.b.add_sa(at_the_peer(web))
    first, second = tcp(bytes(100), sequence=1000), tcp(bytes(100), sequence=1100, identification=0x1235)
    sealed = [
        crafted(sa, packet + trailer(4, -(len(packet) + 2) % 4))
        for sa, packet in ((pair.there, first), (web, second))
    ]
    assert pair.opened(*sealed) == [first]
    assert pair.b.drops == {Reason.SELECTORS: 1}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (udp(b"")[:-1] + b"\7\2\1" + b"\3\4", Reason.BAD_PADDING),
        (trailer(59, 2), Reason.DUMMY),
        (bytes(100) + trailer(59, 2), Reason.DUMMY),
        (udp(b"") + trailer(17, 2), Reason.NEXT_HEADER),
        (udp(b"") + trailer(41, 2), Reason.MALFORMED),
        (udp(b"", **V6) + trailer(4, 2), Reason.MALFORMED),
        (udp(b"abcd")[:-4] + trailer(4, 2), Reason.MALFORMED),
        (trailer(4, 2), Reason.MALFORMED),
        (b"\4\0\0\2data" + trailer(108, 2), Reason.BAD_COMPRESSION),
    ],
)
def test_nonsense_of_the_peer(text: bytes, reason: Reason) -> None:
    pair = Pair()
    assert pair.opened(crafted(pair.there, text)) == []
    assert pair.b.drops == {reason: 1}


def test_what_hides_the_length_is_cut_off() -> None:
    """RFC 4303 2.7."""
    pair = Pair()
    packet = udp(b"data")
    assert pair.opened(crafted(pair.there, packet + bytes(99) + trailer(4, 1))) == [packet]


@pytest.mark.parametrize("next_header", [0, 6, 17, 50, 58, 60, 255])
def test_other_next_headers(next_header: int) -> None:
    pair = Pair()
    assert pair.opened(crafted(pair.there, tcp(b"") + trailer(next_header, 2))) == []
    assert pair.b.drops == {Reason.NEXT_HEADER: 1}


def test_keepalives_and_ike_pass_by() -> None:
    pair = Pair()
    (packet,) = pair.sealed(PACKETS[0])
    incoming = pair.received([b"\xff", bytes(4) + b"an IKE message", packet])
    assert incoming.frames == [NOTHING + PACKETS[0]]
    assert incoming.ike == [Datagram(b"an IKE message", B, A)]
    plain = Read(memoryview(bytes(4) + b"of protocol 50"), 0, B._replace(port=0), A._replace(port=0))
    assert pair.b.inbound_batch([plain], 1.0) == ([], [])
    assert pair.b.drops.pop(Reason.UNKNOWN_SPI) == 1
    assert pair.b.drops == {}


# Invariant: any bytes off the network are counted, deliver nothing, and raise nothing.
@settings(max_examples=200)
@given(
    st.lists(st.one_of(st.binary(max_size=200), st.binary(max_size=200).map(lambda d: SPI + d))), st.integers(0, 90)
)
def test_any_bytes_off_the_network(payloads: list[bytes], size: int) -> None:
    for suite in (AEADS[0], CBCS[0], NULLS[0]):
        pair = Pair(suite)
        whole = b"".join(payloads)
        incoming = pair.b.inbound(whole, size, B, A, 3, 1.0)
        assert incoming.frames == []
        assert pair.opened(*(payload for payload in payloads if payload[:4] != bytes(4))) == []


# Invariant: any text of an authentic peer is delivered as a packet that fits, or counted.
@settings(max_examples=300)
@given(
    st.one_of(st.binary(max_size=100), st.sampled_from([*PACKETS, udp(b"", **V6)])),
    st.sampled_from([4, 41, 59, 108, 6]),
    st.integers(0, 3),
    st.integers(0, 200),
    st.integers(0, 255),
)
def test_any_text_of_the_peer(text: bytes, next_header: int, tos: int, position: int, value: int) -> None:
    pair = Pair()
    damaged = bytearray(text)
    if damaged:
        damaged[position % len(damaged)] = value
    delivered = pair.opened(crafted(pair.there, bytes(damaged) + trailer(next_header, 0)), tos=tos)
    assert len(delivered) + pair.b.drops.total() == 1


# Invariant: any frame off the TUN device is sent, answered or counted.
@settings(max_examples=300)
@given(
    st.binary(max_size=12),
    st.one_of(st.binary(max_size=100), st.sampled_from(PACKETS)),
    st.integers(0, 200),
    st.integers(0, 255),
)
def test_any_frame_off_the_device(header: bytes, packet: bytes, position: int, value: int) -> None:
    pair = Pair()
    frame = bytearray((header + bytes(10))[:10] + packet)
    frame[position % len(frame)] = value
    outgoing = pair.a.outbound(frame, 1.0)
    assert outgoing.bursts or pair.a.drops.total() == 1


@given(st.permutations(range(20)), st.lists(st.integers(0, 19), max_size=20))
def test_any_order_and_any_copies(order: list[int], copies: list[int]) -> None:
    pair = Pair()
    packets = [udp(bytes((number,))) for number in range(20)]
    sealed = pair.sealed(*packets)
    assert pair.opened(*(sealed[number] for number in order + copies)) == [packets[number] for number in order]
    assert pair.b.drops.total() == len(copies)


def test_randomness_is_the_callers() -> None:
    sealed = [Pair(suite).sealed(*PACKETS) for suite in (CBCS[0], CBCS[0])]
    assert sealed[0] == sealed[1]
    assert random_bytes(1)(4) != random_bytes(2)(4)
