# SPDX-License-Identifier: ISC
from ipaddress import ip_address

import pytest

from ike_auth.esp.icmp import too_large
from ike_auth.esp.packets import parse
from tests.ike_auth.esp.inner import HERE4, HERE6, THERE4, THERE6, V6, icmp, sums_hold, udp


def answer(packet: bytes, mtu: int = 1400) -> bytes | None:
    return too_large(packet, parse(packet), mtu)


def test_fragmentation_needed() -> None:
    """RFC 1191 4; not more than 576 bytes (RFC 1812 4.3.2.3)."""
    packet = udp(bytes(1472))
    message = answer(packet)
    assert message is not None
    assert sums_hold(message)
    assert message[12:20] == THERE4.packed + HERE4.packed
    assert message[9] == 1
    assert message[20:22] == b"\3\4"
    assert message[24:28] == b"\0\0" + (1400).to_bytes(2, "big")
    assert message[28:] == packet[:548]


def test_packet_too_big() -> None:
    """RFC 4443 3.2; not more than 1280 bytes."""
    packet = udp(bytes(1472), **V6)
    message = answer(packet)
    assert message is not None
    assert sums_hold(message)
    assert message[8:40] == THERE6.packed + HERE6.packed
    assert message[40:42] == b"\2\0"
    assert message[44:48] == (1400).to_bytes(4, "big")
    assert message[48:] == packet[:1232]
    small = answer(packet, 600)
    assert small is not None
    assert small[44:48] == (1280).to_bytes(4, "big")


@pytest.mark.parametrize(
    "packet",
    [
        icmp(bytes(1400), kind=3),
        icmp(bytes(1400), kind=1, **V6),
        udp(bytes(1400), flags=5),
        udp(bytes(1400), destination=ip_address("224.0.0.1")),
        udp(bytes(1400), source=ip_address("0.0.0.0")),
        udp(bytes(1400), source=HERE6, destination=ip_address("ff02::1")),
        udp(bytes(1400), source=ip_address("::"), destination=THERE6),
    ],
)
def test_about_some_packets_nobody_is_told(packet: bytes) -> None:
    assert answer(packet) is None


@pytest.mark.parametrize("packet", [icmp(bytes(1400)), icmp(bytes(1400), kind=128, **V6)])
def test_pings_are_told(packet: bytes) -> None:
    assert answer(packet) is not None
