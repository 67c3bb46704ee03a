# SPDX-License-Identifier: ISC
"""Path MTU, fragments, MSS and compression, through the whole data plane."""

from dataclasses import replace
from typing import Any

import pytest

from ike_auth.esp.drops import Reason
from ike_auth.esp.padding import trailer
from ike_auth.esp.transforms import transform
from ike_auth.sa import IpsecSa
from ike_auth.wire.numbers import EncapsulationMode
from tests.ike_auth.esp import sas
from tests.ike_auth.esp.frames import NOTHING, SIZE, super_frame
from tests.ike_auth.esp.inner import ACK, HERE4, HERE6, SYN, THERE4, THERE6, V6, sums_hold, tcp, udp
from tests.ike_auth.esp.pair import Pair, crafted, datagrams
from tests.ike_auth.esp.sas import GCM, SUITES, A, B, Suite, at_the_peer, flow, random_bytes
from tests.ike_auth.esp.test_ipcomp import ipcomp_sa, raw_deflate

MSS_1460 = b"\2\4\5\xb4"


def inner_mtu(pair: Pair) -> int:
    (sa,) = [sa for sa in pair.a.sas() if not sa.sa.inbound]
    return sa.inner_mtu


@pytest.mark.parametrize("suite", SUITES, ids=str)
@pytest.mark.parametrize("outer", [1500, 1499, 1400, 9000])
def test_the_inner_mtu_is_the_largest_that_fits(suite: Suite, outer: int) -> None:
    pair = Pair(suite)
    pair.a.set_mtu(B.host, outer)
    largest = inner_mtu(pair)
    (datagram,) = pair.sealed(udp(bytes(largest - 28)))
    assert 20 + 8 + len(datagram) <= outer
    assert pair.sealed(udp(bytes(largest - 27))) == []
    alignment = transform(pair.there, random_bytes()).alignment
    next_larger = bytes(largest + alignment) + trailer(4, 0)
    assert 20 + 8 + len(crafted(pair.there, next_larger)) > outer


def test_the_mtu_of_plain_esp_and_of_ipv6() -> None:
    plain = replace(sas.ipsec_sa().parameters, encapsulation=EncapsulationMode.TUNNEL)
    assert inner_mtu(Pair()) == 1500 - 28 - 32 - 2
    assert inner_mtu(Pair(parameters=plain)) == 1500 - 20 - 32 - 2
    ends: dict[str, Any] = {"source": A._replace(host=HERE6), "destination": B._replace(host=THERE6)}
    assert inner_mtu(Pair(**ends)) == 1500 - 48 - 32 - 2


def test_the_mtu_is_kept_for_later_sas_and_has_a_bottom() -> None:
    pair = Pair()
    pair.a.set_mtu(B.host, 10)
    assert inner_mtu(pair) == 576 - 28 - 32 - 2
    new = replace(pair.there, spi=b"next")
    pair.a.add_sa(new)
    assert {sa.inner_mtu for sa in pair.a.sas()} == {514}


@pytest.mark.parametrize("ends", [{}, V6], ids=["v4", "v6"])
def test_who_may_not_be_fragmented_is_told(ends: dict[str, Any]) -> None:
    pair = Pair(**(sas.TUNNEL6 if ends else {}))
    packet = udp(bytes(1460), **ends)
    outgoing = pair.a.outbound(NOTHING + packet, 1.0)
    assert outgoing.bursts == []
    (frame,) = outgoing.frames
    assert frame[:SIZE] == NOTHING
    message = frame[SIZE:]
    assert sums_hold(message)
    told = message[26:28] if not ends else message[46:48]
    assert int.from_bytes(told, "big") == inner_mtu(pair)
    assert pair.a.drops == {Reason.TOO_LARGE: 1}


@pytest.mark.parametrize("ends", [{}, V6], ids=["v4", "v6"])
def test_a_superpacket_of_too_large_segments(ends: dict[str, Any]) -> None:
    pair = Pair(**(sas.TUNNEL6 if ends else {}))
    outgoing = pair.a.outbound(super_frame(tcp(bytes(9000), **ends), 1448), 1.0)
    assert outgoing.bursts == []
    message = outgoing.frames[0][SIZE:]
    quoted = message[28:] if not ends else message[48:]
    whole = tcp(bytes(1448), **ends)
    assert whole.startswith(quoted)


def test_icmp_is_rate_limited() -> None:
    pair = Pair()
    frames = [NOTHING + udp(bytes(1460))] * 150
    assert len(pair.a.outbound_batch(frames, 1.0).frames) == 100
    assert len(pair.a.outbound_batch(frames, 1.9).frames) == 0
    assert len(pair.a.outbound_batch(frames, 2.0).frames) == 100


def test_who_may_be_fragmented_is() -> None:
    pair = Pair()
    packet = udp(bytes(range(250)) * 12, flags=0)
    delivered = pair.opened(*pair.sealed(packet))
    assert len(delivered) == 3
    assert all(len(fragment) <= inner_mtu(pair) for fragment in delivered)
    assert b"".join(fragment[20:] for fragment in delivered) == packet[20:]
    assert pair.a.drops == pair.b.drops == {}


def test_segments_without_df_are_fragmented_too() -> None:
    pair = Pair()
    outgoing = pair.a.outbound(super_frame(tcp(bytes(2896), fragment_flags=0), 1448), 1.0)
    sizes = [burst.segment_size for burst in outgoing.bursts]
    assert outgoing.frames == []
    assert len(sizes) >= 2


def test_ipv6_of_1280_bytes_goes_through_anything() -> None:
    pair = Pair(**sas.TUNNEL6)
    pair.a.set_mtu(B.host, 1280)
    assert len(pair.sealed(udp(bytes(1232), **V6))) == 1
    assert pair.sealed(udp(bytes(1233), **V6)) == []


@pytest.mark.parametrize(("ends", "expected"), [({}, 1438 - 40), (V6, 1438 - 60)], ids=["v4", "v6"])
def test_mss_is_clamped_in_both_directions(ends: dict[str, Any], expected: int) -> None:
    pair = Pair(**(sas.TUNNEL6 if ends else {}))
    syn = tcp(b"", flags=SYN, options=MSS_1460, **ends)
    clamped = tcp(b"", flags=SYN, options=b"\2\4" + expected.to_bytes(2, "big"), **ends)
    assert pair.opened(*pair.sealed(syn)) == [clamped]
    assert pair.opened(crafted(pair.there, syn + trailer(41 if ends else 4, 2), 9)) == [clamped]


def test_mss_of_the_way_back() -> None:
    pair = Pair()
    pair.b.set_mtu(A.host, 1000)
    syn = tcp(b"", flags=SYN | ACK, options=MSS_1460)
    (delivered,) = pair.opened(crafted(pair.there, syn + trailer(4, 2)))
    assert delivered == tcp(b"", flags=SYN | ACK, options=b"\2\4" + (938 - 40).to_bytes(2, "big"))


def with_compression(pair: Pair) -> IpsecSa:
    there = replace(ipcomp_sa(), local=pair.there.local, remote=pair.there.remote)
    pair.a.add_sa(there)
    pair.b.add_sa(at_the_peer(there))
    return there


def test_compression() -> None:
    pair = Pair()
    there = with_compression(pair)
    packets = [udp(bytes(1000)), udp(b"too short"), tcp(bytes(500))]
    sealed = pair.sealed(*packets)
    assert all(len(datagram) < 200 for datagram in sealed)
    assert pair.opened(*sealed) == packets
    pair.a.remove_sa(there)
    (datagram,) = pair.sealed(packets[0])
    assert len(datagram) > 1000
    assert pair.opened(datagram) == [packets[0]]


def test_two_tunnels_may_have_one_cpi() -> None:
    pair = Pair()
    with_compression(pair)
    there = with_compression(pair)
    for end, sa in ((pair.a, there), (pair.b, at_the_peer(there))):
        end.remove_sa(sa)
    packet = udp(bytes(1000))
    (datagram,) = pair.sealed(packet)
    assert len(datagram) < 200
    assert pair.opened(datagram) == [packet]
    for end, sa in ((pair.a, there), (pair.b, at_the_peer(there))):
        end.remove_sa(sa)
        end.remove_sa(sa)
    (datagram,) = pair.sealed(packet)
    assert len(datagram) > 1000


def test_compressed_segments_are_merged_again() -> None:
    pair = Pair()
    with_compression(pair)
    frame = super_frame(tcp(bytes(13000)), 1300)
    payloads = [datagram for burst in pair.a.outbound(frame, 1.0).bursts for datagram in datagrams(burst)]
    assert sum(map(len, payloads)) < 2000
    assert pair.received(payloads).frames == [frame]


def test_compression_that_was_not_agreed_on() -> None:
    pair = Pair()
    text = b"\4\0\x12\x34" + raw_deflate(udp(bytes(100)))
    text += trailer(108, -(len(text) + 2) % 4)
    assert pair.opened(crafted(pair.there, text)) == []
    with_compression(pair)
    assert pair.opened(crafted(pair.there, text, 2)) == [udp(bytes(100))]
    assert pair.b.drops == {Reason.UNKNOWN_CPI: 1}


def test_compression_hides_nothing_from_selectors() -> None:
    pair = Pair()
    with_compression(pair)
    text = b"\4\0\x12\x34" + raw_deflate(udp(bytes(100), source=THERE4, destination=HERE4))
    text += trailer(108, -(len(text) + 2) % 4)
    assert pair.opened(crafted(pair.there, text)) == []
    assert pair.b.drops == {Reason.SELECTORS: 1}


def test_a_flow_names_both_protocols() -> None:
    pair = Pair(GCM)
    both = replace(flow(pair.there), parameters=(ipcomp_sa().parameters, pair.there.parameters))
    pair.a.remove_flow(flow(pair.there))
    pair.a.add_flow(both)
    with_compression(pair)
    (datagram,) = pair.sealed(udp(bytes(1000)))
    assert len(datagram) < 200
