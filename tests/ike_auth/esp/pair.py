# SPDX-License-Identifier: ISC
"""Two data planes with a tunnel between them, and a network that the test is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from ike_auth.esp.bursts import Burst
from ike_auth.esp.dataplane import DataPlane
from ike_auth.esp.inbound import Incoming, Read
from ike_auth.esp.transforms import transform
from ike_auth.network import Endpoint
from ike_auth.sa import IpsecSa
from tests.ike_auth.esp.frames import NOTHING, SIZE
from tests.ike_auth.esp.sas import GCM, A, B, Suite, at_the_peer, flow, ipsec_sa, random_bytes

BACK_SPI = b"\x05\x06\x07\x08"


def datagrams(burst: Burst) -> list[bytes]:
    size = burst.segment_size
    return [burst.data[offset : offset + size] for offset in range(0, len(burst.data), size)]


class Pair:
    """`a` is behind 192.0.2.1 with 10.1.0.0/16, `b` behind 192.0.2.2 with 10.2.0.0/16."""

    def __init__(self, suite: Suite = GCM, *, soft: float = 0.9, **changes: Any) -> None:
        """`changes` are those of the SA from a to b."""
        self.a, self.b = DataPlane(random_bytes(1)), DataPlane(random_bytes(2))
        self.there = ipsec_sa(suite, **changes)
        ends: dict[str, Any] = {"source": B, "destination": A, "local": self.there.remote, "remote": self.there.local}
        self.back = replace(self.there, spi=BACK_SPI, **ends)
        for sa in (self.there, self.back):
            sender, receiver = (self.a, self.b) if sa is self.there else (self.b, self.a)
            sender.add_sa(sa, soft=soft)
            sender.add_flow(flow(sa))
            receiver.add_sa(at_the_peer(sa), soft=soft)

    def sealed(self, *packets: bytes, now: float = 1.0) -> list[bytes]:
        """What a sends for packets that come off its TUN device."""
        frames = [NOTHING + packet for packet in packets]
        return [d for burst in self.a.outbound_batch(frames, now).bursts for d in datagrams(burst)]

    def opened(self, *payloads: bytes, tos: int = 0, now: float = 1.0, remote: Endpoint = A) -> list[bytes]:
        """The packets that b delivers for these datagrams; each comes by itself."""
        incoming = self.received(payloads, tos=tos, now=now, remote=remote)
        assert not incoming.ike
        return [frame[SIZE:] for frame in incoming.frames]

    def received(
        self, payloads: Iterable[bytes], *, tos: int = 0, now: float = 1.0, remote: Endpoint = A
    ) -> Incoming:
        return self.b.inbound_batch([Read(memoryview(payload), 0, B, remote, tos) for payload in payloads], now)


def crafted(sa: IpsecSa, text: bytes, sequence: int = 1) -> bytes:
    """An authentic packet with any text, as only the peer can make it."""
    return transform(sa, random_bytes(3)).seal(sequence, [text])[0]
