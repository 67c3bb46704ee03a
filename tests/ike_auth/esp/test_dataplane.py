# SPDX-License-Identifier: ISC
"""What flows, between two data planes: bursts, superpackets, DSCP and ECN, IPv6, rekeying, peers that move."""

from dataclasses import replace
from ipaddress import ip_address
from random import Random
from typing import Any

import pytest

from ike_auth.errors import LocalError
from ike_auth.esp.dataplane import DataPlane
from ike_auth.esp.drops import Reason
from ike_auth.esp.events import PeerMoved, SaUsed
from ike_auth.esp.inbound import Read
from ike_auth.esp.limits import Counted
from ike_auth.network import Endpoint
from ike_auth.wire.identities import Selector
from ike_auth.wire.numbers import EncapsulationMode, ProtocolId
from tests.ike_auth.esp import sas
from tests.ike_auth.esp.frames import NOTHING, SIZE, super_frame
from tests.ike_auth.esp.inner import ACK, FIN, HERE4, PSH, THERE4, V6, tcp, udp
from tests.ike_auth.esp.pair import BACK_SPI, Pair, datagrams
from tests.ike_auth.esp.sas import CBCS, GCM, SPI, A, B, Suite, at_the_peer, flow, random_bytes
from tests.ike_auth.esp.test_segmentation import cut

C = Endpoint(ip_address("198.51.100.7"), 31000)
MSS = 1380


def superpacket(segments: int, **more: Any) -> bytes:
    payload = Random(1).randbytes(MSS * segments - 10)
    return tcp(payload, flags=ACK | PSH, **more)


@pytest.mark.parametrize("ends", [{}, V6], ids=["v4", "v6"])
def test_a_superpacket_becomes_bursts_and_comes_out_as_one(ends: dict[str, Any]) -> None:
    pair = Pair(**(sas.TUNNEL6 if ends else {}))
    size = MSS - 20 if ends else MSS
    frame = super_frame(superpacket(40, **ends), size)
    bursts = pair.a.outbound(frame, 1.0).bursts
    assert len(bursts) == 1
    (burst,) = bursts
    assert (burst.local, burst.remote, burst.udp, burst.tos) == (A, B, True, 0)
    assert len(datagrams(burst)) == len(cut(frame))
    assert {len(datagram) for datagram in datagrams(burst)[:-1]} == {burst.segment_size}
    incoming = pair.b.inbound(burst.data, burst.segment_size, B, A, 0, 1.0)
    assert incoming.frames == [frame]


def test_bursts_are_filled_across_frames_within_what_one_call_sends() -> None:
    pair = Pair()
    whole = tcp(bytes(MSS * 45))
    frames = [super_frame(whole, MSS)] * 3
    bursts = pair.a.outbound_batch(frames, 1.0).bursts
    assert sum(len(datagrams(burst)) for burst in bursts) == 135
    assert all(len(datagrams(burst)) <= 64 and len(burst.data) <= 65507 for burst in bursts)
    assert len(bursts) == 4, "44 of 1488 bytes fit"
    reads = [Read(memoryview(burst.data), burst.segment_size, B, A) for burst in bursts]
    assert sum(len(cut(frame)) for frame in pair.b.inbound_batch(reads, 1.0).frames) == 135


def test_small_packets_are_64_to_a_burst() -> None:
    pair = Pair()
    bursts = pair.a.outbound_batch([NOTHING + udp(b"")] * 130, 1.0).bursts
    assert [len(datagrams(burst)) for burst in bursts] == [64, 64, 2]


def test_a_shorter_packet_ends_a_burst_and_a_larger_one_begins_another() -> None:
    pair = Pair()
    packets = [udp(bytes(size)) for size in (100, 100, 60, 100, 200)]
    bursts = pair.a.outbound_batch([NOTHING + packet for packet in packets], 1.0).bursts
    assert [len(datagrams(burst)) for burst in bursts] == [3, 1, 1]
    assert pair.opened(*(d for burst in bursts for d in datagrams(burst))) == packets


def test_superpackets_go_across_reads() -> None:
    pair = Pair()
    whole = tcp(Random(2).randbytes(MSS * 20), flags=ACK | FIN)
    (burst,) = pair.a.outbound(super_frame(whole, MSS), 1.0).bursts
    assert len(pair.received(datagrams(burst)).frames) == 1
    assert len(pair.b.inbound(burst.data, burst.segment_size, B, A, 0, 1.0).frames) == 0
    assert pair.b.drops == {Reason.REPLAYED: 20}


def test_dscp_and_ecn_are_copied_to_the_outer_header() -> None:
    pair = Pair()
    bursts = pair.a.outbound_batch([NOTHING + udp(b"", tos=tos) for tos in (0xB8, 0xBA, 0xBA, 0)], 1.0).bursts
    assert [(burst.tos, len(datagrams(burst))) for burst in bursts] == [(0xB8, 1), (0xBA, 2), (0, 1)]


def test_congestion_on_the_way_is_told_inside() -> None:
    """RFC 6040 4.2; the outer DSCP is nobody's inside."""
    pair = Pair()
    capable, incapable = pair.sealed(udp(b"", tos=0xBA), udp(b"", tos=0xB8))
    assert pair.opened(capable, tos=0x03) == [udp(b"", tos=0xBB)]
    assert pair.opened(incapable, tos=0x03) == []
    assert pair.b.drops == {Reason.CONGESTION: 1}


def test_marked_segments_are_merged_among_themselves() -> None:
    pair = Pair()
    whole = tcp(bytes(MSS * 4), tos=2)
    (burst,) = pair.a.outbound(super_frame(whole, MSS), 1.0).bursts
    parts = datagrams(burst)
    reads = [Read(memoryview(parts[number]), 0, B, A, tos) for number, tos in ((0, 2), (1, 3), (2, 3), (3, 2))]
    frames = pair.b.inbound_batch(reads, 1.0).frames
    assert [[packet[1] for packet in cut(frame)] for frame in frames] == [[2], [3, 3], [2]]


def test_ipv6_in_ipv4_and_ipv4_in_ipv6() -> None:
    a6, b6 = Endpoint(ip_address("2001:db8::1"), 4500), Endpoint(ip_address("2001:db8::2"), 4500)
    for packet, changes in (
        (udp(b"data", **V6), sas.TUNNEL6),
        (udp(b"data"), {"source": a6, "destination": b6}),
    ):
        pair = Pair(**changes)
        assert pair.opened(*pair.sealed(packet)) == [packet]
        assert pair.a.drops == pair.b.drops == {}


def test_plain_esp() -> None:
    parameters = replace(sas.ipsec_sa().parameters, encapsulation=EncapsulationMode.TUNNEL)
    pair = Pair(parameters=parameters)
    (burst,) = pair.a.outbound(NOTHING + udp(b"data"), 1.0).bursts
    assert not burst.udp
    anywhere = Endpoint(A.host, 0)
    assert pair.opened(burst.data, remote=anywhere) == [udp(b"data")]
    assert pair.b.events() == [SaUsed(SPI)], "where there are no ports, none has changed"


def test_rekeying_loses_nothing() -> None:
    pair = Pair()
    old = pair.sealed(udp(b"old"))
    new = replace(pair.there, spi=b"next")
    pair.b.add_sa(at_the_peer(new))
    pair.a.add_sa(new)
    sealed = pair.sealed(udp(b"new"))
    assert sealed[0][:4] == b"next"
    pair.a.remove_sa(pair.there)
    assert pair.opened(*sealed, *old) == [udp(b"new"), udp(b"old")]
    assert pair.b.events() == [SaUsed(b"next"), SaUsed(SPI)]
    pair.b.remove_sa(at_the_peer(pair.there))
    assert pair.opened(*old) == []
    assert pair.b.drops == {Reason.UNKNOWN_SPI: 1}


def test_the_older_sa_carries_on_when_the_newer_one_goes() -> None:
    pair = Pair()
    new = replace(pair.there, spi=b"next")
    pair.a.add_sa(new)
    pair.a.remove_sa(new)
    assert pair.sealed(udp(b""))[0][:4] == SPI


def test_both_directions() -> None:
    pair = Pair()
    (burst,) = pair.b.outbound(NOTHING + udp(b"back", source=THERE4, destination=HERE4), 1.0).bursts
    assert (burst.local, burst.remote, burst.data[:4]) == (B, A, BACK_SPI)
    assert pair.a.inbound(burst.data, 0, A, B, 0, 1.0).frames == [
        NOTHING + udp(b"back", source=THERE4, destination=HERE4)
    ]


def test_a_peer_moves_only_when_told() -> None:
    pair = Pair()
    first, second, third, fourth = pair.sealed(*[udp(bytes((number,))) for number in range(4)])
    assert len(pair.opened(first, second, remote=C)) == 2
    assert pair.b.events() == [SaUsed(SPI), PeerMoved(SPI, B, C)]
    back = pair.b.outbound(NOTHING + udp(b"", source=THERE4, destination=HERE4), 1.0).bursts[0]
    assert back.remote == A
    pair.b.move(pair.back, B, C)
    pair.b.move(at_the_peer(pair.there), B, C)
    back = pair.b.outbound(NOTHING + udp(b"", source=THERE4, destination=HERE4), 1.0).bursts[0]
    assert back.remote == C
    assert len(pair.opened(third, remote=C)) == 1
    assert pair.b.events() == []
    assert len(pair.opened(fourth, remote=A)) == 1
    assert pair.b.events() == [PeerMoved(SPI, B, A)]


def test_without_a_replay_window_nobody_moves() -> None:
    """A copy from elsewhere would be accepted, and believed."""
    pair = Pair(replay_window=0)
    sealed = pair.sealed(udp(b""))
    assert len(pair.opened(*sealed, remote=C)) == 1
    assert pair.b.events() == [SaUsed(SPI)]


def test_what_is_late_or_not_authentic_moves_nobody() -> None:
    pair = Pair()
    first, second = pair.sealed(udp(b"1"), udp(b"2"))
    pair.opened(second)
    pair.b.events()
    assert pair.opened(first, remote=C) == [udp(b"1")]
    assert pair.opened(second, remote=C) == []
    assert pair.opened(second[:-1] + b"\0", remote=C) == []
    assert pair.b.events() == []


def test_status() -> None:
    pair = Pair()
    pair.opened(*pair.sealed(udp(b"12345678"), udp(b""), now=5.0), now=6.0)
    pair.opened(*pair.sealed(udp(b""), now=7.0), now=8.0)
    (sent,) = [sa for sa in pair.a.sas() if not sa.sa.inbound]
    (received,) = [sa for sa in pair.b.sas() if sa.sa.inbound]
    assert (sent.sa, sent.local, sent.remote, sent.sequence) == (pair.there, A, B, 3)
    assert (received.local, received.remote, received.sequence) == (B, A, 3)
    assert sent.counted == Counted(3, 28 * 3 + 8, 5.0, 7.0)
    assert received.counted == Counted(3, 28 * 3 + 8, 6.0, 8.0)
    assert pair.a.flows() == [(flow(pair.there), False)]


def test_adding_again_begins_anew() -> None:
    pair = Pair()
    sealed = pair.sealed(udp(b""))
    pair.opened(*sealed)
    pair.a.add_sa(pair.there)
    pair.b.add_sa(at_the_peer(pair.there))
    assert [datagram[4:8] for datagram in pair.sealed(udp(b""))] == [b"\0\0\0\1"]
    assert len(pair.opened(*sealed)) == 1
    pair.a.remove_sa(pair.there)
    pair.a.remove_sa(pair.there)
    assert pair.sealed(udp(b"")) == []


@pytest.mark.parametrize("suite", [GCM, CBCS[0]], ids=str)
@pytest.mark.parametrize("header_size", [10, 12])
def test_both_sizes_of_virtio_headers(suite: Suite, header_size: int) -> None:
    a, b = DataPlane(random_bytes(1), header_size=header_size), DataPlane(random_bytes(2), header_size=header_size)
    sa = sas.ipsec_sa(suite)
    a.add_flow(flow(sa))
    a.add_sa(sa)
    b.add_sa(at_the_peer(sa))
    frame = super_frame(tcp(bytes(3000)), 1000)
    frame = frame[:SIZE] + bytes(header_size - SIZE) + frame[SIZE:]
    (burst,) = a.outbound(bytearray(frame), 1.0).bursts
    assert b.inbound(bytearray(burst.data), burst.segment_size, B, A, 0, 1.0).frames == [frame]


def test_what_is_not_done_here_is_refused() -> None:
    plane, sa = DataPlane(random_bytes()), sas.ipsec_sa()
    for changes, why in (
        ({"encapsulation": EncapsulationMode.TRANSPORT}, "tunnel mode only"),
        ({"encapsulation": EncapsulationMode.UDP_TRANSPORT}, "tunnel mode only"),
        ({"protocol": ProtocolId.AH}, "ESP and IPCOMP only"),
    ):
        parameters = replace(sa.parameters, **changes)
        with pytest.raises(LocalError, match=why):
            plane.add_sa(replace(sa, parameters=parameters))
        if parameters.protocol == ProtocolId.AH:
            with pytest.raises(LocalError, match=why):
                plane.add_flow(replace(flow(sa), parameters=(parameters,)))
    for spi in (bytes(4), b"123"):
        with pytest.raises(LocalError, match="no SPI"):
            plane.add_sa(replace(sa, spi=spi))
    assert plane.sas() == []


def test_peers_may_choose_the_same_spi() -> None:
    pair = Pair()
    other = replace(
        pair.there,
        destination=C,
        remote=Selector.of(ip_address("10.3.0.1")),
    )
    pair.a.add_sa(other)
    pair.a.add_flow(flow(other))
    bursts = pair.a.outbound_batch(
        [NOTHING + udp(b""), NOTHING + udp(b"", destination=ip_address("10.3.0.1"))], 1.0
    ).bursts
    assert [burst.remote for burst in bursts] == [B, C]
    pair.a.remove_sa(other)
    assert len(pair.sealed(udp(b""))) == 1
