# SPDX-License-Identifier: ISC
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.packets import parse
from tests.ike_auth.esp.inner import HERE4, HERE6, THERE4, THERE6, V6, icmp, ip, tcp, udp


def test_tcp_over_ipv4() -> None:
    packet = parse(tcp(b"data", tos=0xB9))
    assert (packet.version, packet.length, packet.header, packet.protocol) == (4, 56, 20, 6)
    assert (packet.source, packet.destination) == (int(HERE4), int(THERE4))
    assert (packet.source_port, packet.destination_port, packet.tos) == (1000, 80, 0xB9)
    assert (packet.dont_fragment, packet.fragment, packet.offset) == (True, False, 0)


def test_udp_over_ipv6() -> None:
    packet = parse(udp(b"data", source=HERE6, destination=THERE6, tos=0x2C))
    assert (packet.version, packet.length, packet.header, packet.protocol) == (6, 52, 40, 17)
    assert (packet.source, packet.destination) == (int(HERE6), int(THERE6))
    assert (packet.source_port, packet.destination_port, packet.tos) == (1000, 53, 0x2C)
    assert packet.dont_fragment


def test_options_move_the_transport_header() -> None:
    packet = parse(ip(HERE4, THERE4, 17, udp(b"")[20:], options=bytes(8)))
    assert (packet.header, packet.source_port) == (28, 1000)


def test_what_hides_the_length_may_follow() -> None:
    assert parse(udp(b"data") + bytes(100)).length == 32
    assert parse(udp(b"data", source=HERE6, destination=THERE6) + bytes(100)).length == 52


def test_icmp_has_type_and_code_for_ports() -> None:
    for packet in (icmp(kind=3, code=4), icmp(kind=3, code=4, source=HERE6, destination=THERE6)):
        assert (parse(packet).source_port, parse(packet).destination_port) == (3, 4)


def test_fragments_of_ipv4() -> None:
    first, later = (parse(udp(bytes(16), flags=flags)) for flags in (0x2000, 0x2002))
    assert (first.fragment, first.offset, first.source_port, first.dont_fragment) == (True, 0, 1000, False)
    assert (later.fragment, later.offset, later.source_port, later.destination_port) == (True, 16, None, None)
    assert later.protocol == 17


def test_fragments_of_ipv6() -> None:
    datagram = udp(bytes(16), source=HERE6, destination=THERE6)[40:]
    for offset, ports in ((0, (1000, 53)), (3, (None, None))):
        header = bytes((17, 0)) + (offset << 3 | 1).to_bytes(2, "big") + bytes(4)
        packet = parse(ip(HERE6, THERE6, 44, header + datagram))
        assert (packet.protocol, packet.header, packet.fragment, packet.offset) == (17, 48, True, offset * 8)
        assert (packet.source_port, packet.destination_port) == ports


def test_extension_headers_are_walked() -> None:
    hop, routing, options = bytes((43, 0)) + bytes(6), bytes((60, 1)) + bytes(14), bytes((6, 0)) + bytes(6)
    packet = parse(ip(HERE6, THERE6, 0, hop + routing + options + tcp(b"")[20:]))
    assert (packet.protocol, packet.header, packet.source_port) == (6, 72, 1000)


def test_a_later_fragment_is_not_walked_into() -> None:
    packet = parse(ip(HERE6, THERE6, 44, bytes((60, 0, 0, 9)) + bytes(4) + b"\xff" * 16))
    assert (packet.protocol, packet.header, packet.offset, packet.source_port) == (60, 48, 8, None)


def test_other_protocols_have_no_ports() -> None:
    packet = parse(ip(HERE4, THERE4, 47, bytes(8)))
    assert (packet.protocol, packet.source_port, packet.destination_port) == (47, None, None)
    assert parse(ip(HERE4, THERE4, 17, b"abc")).source_port is None


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x45",
        b"\x15" + bytes(40),
        b"\x55" + bytes(40),
        tcp(b"data")[:-1],  # cut
        udp(b"data", source=HERE6, destination=THERE6)[:-1],
        b"\x44" + tcp(b"")[1:],  # a header of 16 bytes
        b"\x4f" + ip(HERE4, THERE4, 6, b"")[1:],  # longer than the packet
        udp(bytes(100), flags=0x1FFF),  # ends behind 65535
        ip(HERE6, THERE6, 0, b""),  # an extension header that is not there
        ip(HERE6, THERE6, 60, bytes((6, 9)) + bytes(6)),  # nor all there
        ip(HERE6, THERE6, 60, bytes((60, 0)) + bytes(6) * 100),  # and no end
    ],
)
def test_malformed(data: bytes) -> None:
    with pytest.raises(Dropped) as caught:
        parse(data)
    assert caught.value.reason == Reason.MALFORMED


def test_the_walk_is_bounded() -> None:
    options = (bytes((60, 0)) + bytes(6)) * 200 + bytes((59, 0)) + bytes(6)
    with pytest.raises(Dropped):
        parse(ip(HERE6, THERE6, 60, options))


# Invariant: any bytes are parsed or Dropped, and what is parsed lies within the bytes.
@given(st.one_of(st.binary(max_size=200), st.binary(max_size=120).map(lambda data: b"\x60" + data)))
def test_parse_is_total(data: bytes) -> None:
    with suppress(Dropped):
        packet = parse(memoryview(data))
        assert packet.header <= packet.length <= len(data)


# Invariant: so is a packet with damage in one byte.
@given(st.sampled_from([tcp(b"data"), udp(b"data", **V6)]), st.data())
def test_parse_of_damaged_packets(packet: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(packet) - 1))
    changed = packet[:position] + bytes((data.draw(st.integers(0, 255)),)) + packet[position + 1 :]
    with suppress(Dropped):
        assert parse(changed).length <= len(changed)
