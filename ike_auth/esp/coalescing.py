# SPDX-License-Identifier: ISC
"""Consecutive TCP segments of one connection become one superpacket for the kernel, as GRO would make it.

Merged are segments that differ in nothing but what `segments` would make different again: the identification and
length of IP, sequence number, checksum, and PSH or FIN of the last one. All but the last are of one size. A segment
whose checksum is wrong stays single, so that the kernel sees it and it is not cured on the way. Everything else
passes as it is.
"""

from __future__ import annotations

from struct import Struct

from ike_auth.esp.checksums import checksum, pseudo_header, word_sum
from ike_auth.esp.packets import TCP, Packet
from ike_auth.esp.segmentation import FIN_PSH
from ike_auth.esp.virtio import NEEDS_CHECKSUM, Gso, VirtioHeader

_MAX_PACKET = 0xFFFF
_ACK = 0x10
_ECE = 0x40
_V4 = Struct("!2sHH4s2x12sI5sB2s")
_V6 = Struct("!4sH2s36sI5sB2s")
_V4_HEADER, _V6_HEADER = 20, 40
_TCP_CHECKSUM = 16
_DONT_FRAGMENT = 0x40


class _Run:
    """Segments that belong together so far. `texts` are decrypted; the packets are their first `full` (`last`)
    bytes.
    """

    __slots__ = ("constant", "flags", "full", "header", "identification", "last", "next", "options", "payload",
    "room",
                 "texts")  # fmt: skip

    def __init__(self, text: bytes, size: int, header: int, constant: tuple[object, ...]) -> None:
        self.texts = [text]
        self.header = header  # of IP; `payload` is where it ends for TCP too
        self.payload = header + (text[header + 12] >> 4) * 4
        self.options = text[header + 20 : self.payload]
        self.full = self.last = size  # bytes of all packets but the last; of the last
        self.constant = constant  # what is the same in all
        self.flags = text[header + 13]
        self.next = int.from_bytes(text[header + 4 : header + 8], "big") + size - self.payload & 0xFFFFFFFF
        # None: any will do, as it means nothing where fragmentation is forbidden (RFC 6864 4.1).
        atomic = header == _V6_HEADER or text[6] & _DONT_FRAGMENT
        self.identification = None if atomic else int.from_bytes(text[4:6], "big")
        self.room = _MAX_PACKET - size


class Coalescer:
    """Packets of one batch, in order. First `extend`; what that doesn't take is checked, and then `add`ed."""

    def __init__(self, header_size: int) -> None:
        """`header_size`: bytes of the virtio header."""
        self._header_size = header_size
        self._single = VirtioHeader().encode(header_size)
        self._out: list[bytes | _Run] = []
        self._runs: dict[bytes, _Run] = {}  # that may go on, by addresses and ports

    def extend(self, owner: object, text: bytes, size: int) -> bool:
        """Whether the first `size` bytes of `text` are the next segment after one that was added under the same
        owner.

        Then it is taken, and differs from that one in nothing that selectors or ECN are about.
        """
        if size < 40:
            return False
        first = text[0]
        if first == 0x45:
            head, length, identification, middle, key, sequence, acknowledged, flags, window = _V4.unpack_from(text)
            header = _V4_HEADER
        elif first >> 4 == 6 and size >= 60:
            head, length, middle, key, sequence, acknowledged, flags, window = _V6.unpack_from(text)
            header, identification = _V6_HEADER, None
            length += _V6_HEADER
        else:
            return False
        run = self._runs.get(key)
        if run is None:
            return False
        payload = size - run.payload
        if (
            sequence == run.next
            and length == size <= run.full
            and 0 < payload <= run.room
            and flags & ~FIN_PSH == run.flags
            and (owner, head, middle, acknowledged, window) == run.constant
            and text[header + 20 : run.payload] == run.options
            and (run.identification is None or run.identification + len(run.texts) & 0xFFFF == identification)
        ):
            run.texts.append(text)
            run.next = sequence + payload & 0xFFFFFFFF
            run.room -= payload
            run.last = size
            if size < run.full or flags & FIN_PSH:
                del self._runs[key]
            return True
        del self._runs[key]  # nothing may overtake the packet that comes now
        return False

    def add(self, owner: object, text: bytes, size: int, packet: Packet) -> None:
        """Take the first `size` bytes of `text`, as which `packet` was parsed; others may follow by `extend`."""
        header = packet.header
        plain = _V4_HEADER if packet.version == 4 else _V6_HEADER
        if packet.protocol == TCP and header == plain and not packet.fragment and header + 20 < size:
            start, flags = header + (text[header + 12] >> 4) * 4, text[header + 13]
            if header + 20 <= start < size and flags & ~_ECE == _ACK:
                if header == _V4_HEADER:
                    head, _, _, middle, key, _, acknowledged, _, window = _V4.unpack_from(text)
                else:
                    head, _, middle, key, _, acknowledged, _, window = _V6.unpack_from(text)
                run = _Run(text, size, header, (owner, head, middle, acknowledged, window))
                self._runs[key] = run
                self._out.append(run)
                return
        self._out.append(self._single + text[:size])

    def take(self) -> list[bytes]:
        """Frames, with their virtio headers."""
        frames: list[bytes] = []
        for item in self._out:
            if isinstance(item, bytes):
                frames.append(item)
            elif len(item.texts) > 1 and _sums_hold(item):
                frames.append(self._superpacket(item))
            else:
                frames += [self._single + text[: item.full] for text in item.texts[:-1]]
                frames.append(self._single + item.texts[-1][: item.last])
        self._out, self._runs = [], {}
        return frames

    def _superpacket(self, run: _Run) -> bytes:
        header, start, full, last = run.header, run.payload, run.full, run.texts[-1]
        size = full * (len(run.texts) - 1) + run.last - start * (len(run.texts) - 1)
        head = bytearray(run.texts[0][:start])
        head[header + 13] = last[header + 13]
        if header == _V4_HEADER:
            gso, addresses = Gso.TCPV4, head[12:20]
            head[2:4], head[10:12] = size.to_bytes(2, "big"), b"\0\0"
            head[10:12] = checksum(head[:header]).to_bytes(2, "big")
        else:
            gso, addresses = Gso.TCPV6, head[8:40]
            head[4:6] = (size - header).to_bytes(2, "big")
        pseudo = pseudo_header(addresses, TCP, size - header)
        head[header + _TCP_CHECKSUM : header + _TCP_CHECKSUM + 2] = pseudo.to_bytes(2, "big")
        virtio = VirtioHeader(NEEDS_CHECKSUM, gso, start, full - start, header, _TCP_CHECKSUM)
        payloads = [text[start:full] for text in run.texts[:-1]]
        return b"".join([virtio.encode(self._header_size), head, *payloads, last[start : run.last]])


def _sums_hold(run: _Run) -> bool:
    """Whether the checksums of all segments hold, added up and divided once.

    As likely as that one damaged segment passes its own checksum is that several make up for each other: 1 in 65535.
    """
    texts, full, header = run.texts, run.full, run.header
    whole = sum(map(int.from_bytes, [text[:full] for text in texts[:-1]])) % 65535
    total = (whole * 256 if full & 1 else whole) + word_sum(texts[-1][: run.last])
    count, sizes = len(texts), full * (len(texts) - 1) + run.last
    head = texts[0][:header]
    # Of each: header of IP and segment of TCP were added up; header and pseudo header are what the rest has to
    # cancel.
    if header == _V4_HEADER:  # whose own checksum makes it zero
        pseudo = count * pseudo_header(head[12:20], TCP, -header) + sizes
    else:
        pseudo = count * (pseudo_header(head[8:40], TCP, 0) - word_sum(head[:4]) - word_sum(head[6:]))
    return (total + pseudo) % 65535 == 0
