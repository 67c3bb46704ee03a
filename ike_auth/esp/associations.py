# SPDX-License-Identifier: ISC
"""The SAs of the data plane: one direction each, with transform, sequence numbers and counters."""

from __future__ import annotations

from functools import partial

from ike_auth.errors import LocalError
from ike_auth.esp import mtu
from ike_auth.esp.drops import Dropped, Reason
from ike_auth.esp.events import Events, SaUsed
from ike_auth.esp.limits import Limits
from ike_auth.esp.packets import Packet
from ike_auth.esp.padding import payload_size
from ike_auth.esp.replay import Window
from ike_auth.esp.traffic import Traffic
from ike_auth.esp.transforms import Random, transform
from ike_auth.network import Endpoint
from ike_auth.sa import IpsecSa
from ike_auth.suites import describe
from ike_auth.wire.numbers import IN_UDP, EncapsulationMode, ProtocolId

_TUNNEL = {EncapsulationMode.TUNNEL, EncapsulationMode.UDP_TUNNEL, EncapsulationMode.UDP_TUNNEL_DRAFT}


class Association:
    """What both directions share: `local` and `remote` are the ends of the tunnel, wherever they are by now."""

    def __init__(self, sa: IpsecSa, soft: float, random: Random, events: Events) -> None:
        """Raises LocalError for what this data plane doesn't do."""
        if sa.protocol != ProtocolId.ESP:
            raise LocalError(f"{describe(sa.parameters)}: userspace has ESP and IPCOMP only")
        if sa.parameters.encapsulation not in _TUNNEL:
            raise LocalError(f"{describe(sa.parameters)}: userspace has tunnel mode only")
        if len(sa.spi) != 4 or sa.spi == bytes(4):
            raise LocalError(f"`{sa.spi.hex()}` is no SPI of ESP")
        self.sa = sa
        self.transform = transform(sa, random)
        self.limits = Limits(sa, soft, events)
        self.udp = sa.parameters.encapsulation in IN_UDP
        self.local, self.remote = (sa.destination, sa.source) if sa.inbound else (sa.source, sa.destination)
        self.inner_mtu = 0
        self.set_mtu(mtu.DEFAULT_MTU)

    def set_mtu(self, outer: int) -> None:
        self.inner_mtu = mtu.inner_mtu(
            outer, self.remote.host, self.udp, self.transform.overhead, self.transform.alignment
        )


class OutboundSa(Association):
    sequence = 0  # the last one that was used

    def seal(self, texts: list[bytes], size: int, now: float) -> list[bytes]:
        """ESP packets with the next sequence numbers. `size`: bytes of the inner packets together.

        Raises Dropped: HARD_LIMIT, SEQUENCE_EXHAUSTED.
        """
        first = self.sequence + 1
        last = self.sequence + len(texts)
        self.limits.spend(len(texts), size, last, now)
        self.sequence = last
        return self.transform.seal(first, texts)


class InboundSa(Association):
    def __init__(self, sa: IpsecSa, soft: float, random: Random, events: Events) -> None:
        super().__init__(sa, soft, random, events)
        self.window = Window(sa.replay_window, sa.esn)
        several = tuple(Traffic(*sides) for sides in sa.traffic)
        self.takes = several[0].incoming if len(several) == 1 else partial(_one_takes, several)
        self.heard = 0  # number of the read that brought its last packet
        self.moved: tuple[Endpoint, Endpoint] | None = None  # the other ends that were last told of
        self._shortest = self.transform.overhead + self.transform.alignment
        self._events = events

    def open(self, packet: memoryview, low: int, now: float) -> tuple[bytes, int]:
        """The text of an authentic packet that was not here before, and how much of it is payload.

        `low`: the sequence number in it.

        Raises Dropped: TRUNCATED, REPLAYED, TOO_OLD, BAD_ICV, BAD_PADDING, HARD_LIMIT, SEQUENCE_EXHAUSTED.
        """
        if len(packet) < self._shortest:
            raise Dropped(Reason.TRUNCATED)
        window = self.window
        sequence = window.sequence(low)
        window.check(sequence)
        text = self.transform.open(packet, sequence)
        window.accept(sequence)
        size = payload_size(text)
        first = self.limits.first_used is None
        self.limits.spend(1, size, sequence, now)
        if first:
            self._events.add(SaUsed(self.sa.spi))
        return text, size


def _one_takes(several: tuple[Traffic, ...], packet: Packet) -> bool:
    return any(traffic.incoming(packet) for traffic in several)
