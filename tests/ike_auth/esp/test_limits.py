# SPDX-License-Identifier: ISC
"""Bytes and sequence numbers run out: told in time, and never overrun."""

import pytest

from ike_auth.esp import events
from ike_auth.esp.drops import Reason
from ike_auth.esp.events import Acquire, Events, HardLimit, SaUsed, SoftLimit, UnknownSpi
from tests.ike_auth.esp.frames import super_frame
from tests.ike_auth.esp.inner import tcp, udp
from tests.ike_auth.esp.pair import Pair, datagrams
from tests.ike_auth.esp.sas import HERE, SPI, THERE, A, B


def test_kilobytes() -> None:
    pair = Pair(life_kilobytes=2, soft=0.5)
    packet = udp(bytes(484))  # a quarter of it
    assert len(packet) == 512
    assert len(pair.sealed(packet)) == 1
    assert pair.a.events() == []
    assert len(pair.sealed(packet)) == 1
    assert pair.a.events() == [SoftLimit(SPI, False)]
    sealed = pair.sealed(packet, packet)
    assert len(sealed) == 2
    assert pair.a.events() == []
    assert pair.sealed(packet) == []
    assert pair.sealed(packet) == []
    assert pair.a.events() == [HardLimit(SPI, False)]
    assert pair.a.drops == {Reason.HARD_LIMIT: 2}


def test_kilobytes_inbound() -> None:
    pair = Pair(soft=0.5)
    packet = udp(bytes(484))
    limited = Pair(life_kilobytes=1, soft=0.5)
    pair.b = limited.b
    assert len(pair.opened(*pair.sealed(packet, packet, packet))) == 2
    assert pair.b.events() == [SoftLimit(SPI, True), SaUsed(SPI), HardLimit(SPI, True)]
    assert pair.b.drops == {Reason.HARD_LIMIT: 1}


@pytest.mark.parametrize(("esn", "last"), [(False, (1 << 32) - 1), (True, (1 << 64) - 1)])
def test_sequence_numbers_never_repeat(esn: bool, last: int) -> None:
    pair = Pair(esn=esn)
    (sa,) = pair.a._outbound.values()
    sa.sequence = last - 2
    pair.b._receiving.sas[SPI].window.accept(last - 2)
    packets = [udp(b"1"), udp(b"2")]
    assert pair.opened(*pair.sealed(*packets)) == packets
    assert pair.a.events() == [SoftLimit(SPI, False)]
    for _ in range(2):
        assert pair.sealed(udp(b"3")) == []
    assert pair.a.events() == [HardLimit(SPI, False)]
    assert pair.a.drops == {Reason.SEQUENCE_EXHAUSTED: 2}
    assert sa.sequence == last


def test_a_superpacket_goes_whole_or_not_at_all() -> None:
    pair = Pair()
    (sa,) = pair.a._outbound.values()
    sa.sequence = (1 << 32) - 3
    (burst,) = pair.a.outbound(super_frame(tcp(bytes(2000)), 1000), 1.0).bursts
    assert [datagram[4:8].hex() for datagram in datagrams(burst)] == ["fffffffe", "ffffffff"]
    sa.sequence -= 1
    assert pair.a.outbound(super_frame(tcp(bytes(2000)), 1000), 1.0).bursts == []
    assert pair.a.drops == {Reason.SEQUENCE_EXHAUSTED: 1}


def test_after_the_hard_limit_nothing_goes_however_small() -> None:
    pair = Pair(life_kilobytes=1)
    assert pair.sealed(udp(bytes(1100))) == []
    assert pair.sealed(udp(b"")) == []
    assert pair.a.drops == {Reason.HARD_LIMIT: 2}
    pair = Pair()
    (sa,) = pair.a._outbound.values()
    sa.sequence = (1 << 32) - 2
    assert pair.sealed(udp(b"1"), udp(b"2"))[1:] == []
    sa.sequence -= 1
    assert pair.sealed(udp(b"3")) == []


def test_extended_sequence_numbers_go_across_32_bits() -> None:
    pair = Pair(esn=True)
    (sa,) = pair.a._outbound.values()
    sa.sequence = (1 << 32) - 2
    pair.b._receiving.sas[SPI].window.accept((1 << 32) - 2)
    packets = [udp(bytes((number,))) for number in range(4)]
    sealed = pair.sealed(*packets)
    assert [datagram[4:8].hex() for datagram in sealed] == ["ffffffff", "00000000", "00000001", "00000002"]
    assert pair.opened(*sealed[1:], sealed[0]) == [*packets[1:], packets[0]]


def test_the_same_is_said_once_a_second() -> None:
    told = Events()
    acquire = Acquire(HERE, THERE)
    for now in (1.0, 1.5, 1.9, 2.0, 2.1):
        told.add_seldom(acquire, "it", now)
    assert told.drain() == [acquire] * 2
    assert told.drain() == []


def test_what_waits_and_what_is_remembered_is_bounded() -> None:
    told = Events()
    for number in range(5000):
        told.add_seldom(UnknownSpi(A, B, number.to_bytes(4, "big")), number, 1.0)
    assert len(told.drain()) == events.MAX_REMEMBERED
    told.add_seldom(UnknownSpi(A, B, b"late"), "late", 3.0)
    assert told.drain() == [UnknownSpi(A, B, b"late")]
    for _ in range(5000):
        told.add(SaUsed(SPI))
    assert len(told.drain()) == events.MAX_PENDING
