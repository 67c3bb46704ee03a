# SPDX-License-Identifier: ISC
from ipaddress import ip_address, ip_network
from typing import Any

from ike_auth.esp.packets import parse
from ike_auth.esp.traffic import Traffic
from ike_auth.wire.identities import Selector
from tests.ike_auth.esp.inner import HERE4, HERE6, THERE4, THERE6, icmp, ip, tcp, udp

HERE, THERE = Selector.of(ip_network("10.1.0.0/16")), Selector.of(ip_network("10.2.0.0/16"))


def out(traffic: Traffic, packet: bytes) -> bool:
    return traffic.outgoing(parse(packet))


def test_addresses_have_a_direction() -> None:
    traffic = Traffic(HERE, THERE)
    back = tcp(b"", source=THERE4, destination=HERE4)
    assert out(traffic, tcp(b""))
    assert not traffic.incoming(parse(tcp(b"")))
    assert not out(traffic, back)
    assert traffic.incoming(parse(back))


def test_ranges_end_where_they_say() -> None:
    low, high = ip_address("10.1.0.5"), ip_address("10.1.0.7")
    traffic = Traffic(Selector(low, high), THERE)
    inside = [out(traffic, tcp(b"", source=low + offset)) for offset in (-1, 0, 2, 3)]
    assert inside == [False, True, True, False]


def test_versions_are_not_mixed() -> None:
    all4, all6 = Selector.of(ip_network("0.0.0.0/0")), Selector.of(ip_network("::/0"))
    low6: dict[str, Any] = {"source": ip_address("::a01:1"), "destination": ip_address("::a02:1")}
    assert not out(Traffic(all4, all4), udp(b"", **low6))
    assert out(Traffic(all6, all6), udp(b"", source=HERE6, destination=THERE6))
    assert not out(Traffic(all4, all6), udp(b""))


def test_protocol_and_ports() -> None:
    web = Traffic(Selector(HERE.low, HERE.high, 6), Selector(THERE.low, THERE.high, 6, 80))
    assert out(web, tcp(b"", ports=(1000, 80)))
    assert not out(web, tcp(b"", ports=(80, 1000)))
    assert not out(web, udp(b"", ports=(1000, 80)))
    assert web.incoming(parse(tcp(b"", source=THERE4, destination=HERE4, ports=(80, 1000))))


def test_a_later_fragment_fits_no_port() -> None:
    any_port = Traffic(Selector(HERE.low, HERE.high, 17), Selector(THERE.low, THERE.high, 17))
    one_port = Traffic(Selector(HERE.low, HERE.high, 17), Selector(THERE.low, THERE.high, 17, 53))
    first, later = udp(bytes(16), flags=0x2000), udp(bytes(16), flags=0x0002)
    assert (out(any_port, first), out(any_port, later)) == (True, True)
    assert (out(one_port, first), out(one_port, later)) == (True, False)


def test_without_ports_none_fits() -> None:
    gre = Traffic(Selector(HERE.low, HERE.high, 47, 5), THERE)
    assert not out(gre, ip(HERE4, THERE4, 47, bytes(8)))


def test_types_of_icmp_stand_for_ports() -> None:
    echo = Traffic(Selector(HERE.low, HERE.high, 1, 8), Selector(THERE.low, THERE.high, 1))
    assert out(echo, icmp(kind=8))
    assert not out(echo, icmp(kind=13))


def test_breadth_orders_by_addresses_then_protocol_then_ports() -> None:
    host = Selector.of(HERE4)
    ordered = [
        Traffic(host, Selector(THERE.low, THERE.high, 6, 80)),
        Traffic(host, Selector(THERE.low, THERE.high, 6)),
        Traffic(host, THERE),
        Traffic(HERE, Selector(THERE.low, THERE.high, 6, 80)),
        Traffic(HERE, THERE),
        Traffic(HERE, Selector.of(ip_network("0.0.0.0/0"))),
    ]
    mixed = ordered[::2] + ordered[1::2]
    assert sorted(mixed, key=lambda traffic: traffic.breadth) == ordered
