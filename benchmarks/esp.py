# SPDX-License-Identifier: ISC
"""ESP: what a segment costs on its way through the data plane, against its encryption and one sum of its bytes."""

import os
from collections.abc import Callable
from statistics import median
from time import process_time
from typing import TypeVar

from benchmarks.table import Row
from ike_auth.esp.bursts import Burst
from ike_auth.esp.inbound import Read
from ike_auth.esp.transforms import transform
from tests.ike_auth.esp.frames import NOTHING, super_frame
from tests.ike_auth.esp.inner import tcp, udp
from tests.ike_auth.esp.pair import Pair
from tests.ike_auth.esp.sas import CBCS, GCM, SUITES, A, B, Suite, ipsec_sa

SEGMENTS, MSS = 45, 1350  # of one superpacket
ROUNDS, BATCH = 15, 40
SMALL = 64  # packets in one batch
T = TypeVar("T")


def run() -> list[Row]:
    cbc = next(suite for suite in CBCS if suite.key_length == 256)
    rows = [row for suite in (GCM, cbc, SUITES[3]) for row in superpackets(suite)]
    return [*rows, *small_packets()]


def superpackets(suite: Suite) -> list[Row]:
    """TCP segments of 1400 bytes: cut and sealed; opened and merged."""
    frame = super_frame(tcp(os.urandom(MSS * SEGMENTS)), MSS)
    pair = Pair(suite)
    text = os.urandom(1404 - 1404 % 16)
    sealing = transform(ipsec_sa(suite), os.urandom)
    (sealed,) = sealing.seal(1, [text])

    def seal_and_sum() -> tuple[object, int]:
        return sealing.seal(1, [text]), int.from_bytes(text) % 65535

    def open_and_sum() -> tuple[object, int]:
        return sealing.open(memoryview(sealed), 1), int.from_bytes(text) % 65535

    out, into, out_parts, into_parts = [], [], [], []
    for _ in range(ROUNDS):
        bursts: list[list[Burst]] = []
        out.append(_cpu(lambda: pair.a.outbound(frame, 1.0).bursts, BATCH, bursts) / SEGMENTS)
        out_parts.append(_cpu(seal_and_sum, BATCH * SEGMENTS))
        into.append(_cpu(_receiver(pair, bursts), BATCH) / SEGMENTS)
        into_parts.append(_cpu(open_and_sum, BATCH * SEGMENTS))
    return [
        _row(f"{suite}: a segment out", out, out_parts),
        _row(f"{suite}: a segment in", into, into_parts),
    ]


def small_packets() -> list[Row]:
    """Datagrams of 64 bytes, of which nothing can be merged."""
    pair, frames = Pair(), [NOTHING + udp(bytes(64))] * SMALL
    out, into = [], []
    for _ in range(ROUNDS):
        bursts: list[list[Burst]] = []
        out.append(_cpu(lambda: pair.a.outbound_batch(frames, 1.0).bursts, BATCH, bursts) / SMALL)
        into.append(_cpu(_receiver(pair, bursts), BATCH) / SMALL)
    return [
        Row("esp", f"{GCM}: a small packet {way}", f"{median(times) * 1e6:.1f} µs CPU")
        for way, times in (("out", out), ("in", into))
    ]


def _row(what: str, whole: list[float], parts: list[float]) -> Row:
    ratio = median(a / b for a, b in zip(whole, parts, strict=True))
    figure = f"{median(whole) * 1e6:.1f} µs CPU, {ratio:.2f} of its encryption and one sum"
    return Row("esp", what, figure, "at most 1.6", ratio <= 1.6)


def _receiver(pair: Pair, bursts: list[list[Burst]]) -> Callable[[], object]:
    """What receives the next of them each time."""
    reads = iter([[Read(memoryview(b.data), b.segment_size, B, A) for b in together] for together in bursts])
    return lambda: pair.b.inbound_batch(next(reads), 1.0)


def _cpu(work: Callable[[], T], times: int, results: list[T] | None = None) -> float:
    """Seconds of CPU for one of `times`; what it returned is put into `results`."""
    start = process_time()
    for _ in range(times):
        result = work()
        if results is not None:
            results.append(result)
    return (process_time() - start) / times
