# SPDX-License-Identifier: ISC
"""SAs as XFRM has them ("states"), and the messages about them: `xfrm_usersa_info` and its attributes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from struct import Struct
from typing import Protocol, TypeVar

from ike_auth.daemon.kernel.xfrm.algorithms import Algorithm, CutAlgorithm
from ike_auth.daemon.kernel.xfrm.numbers import UDP_ENCAP_ESPINUDP, Attribute, Mode, StateFlag
from ike_auth.daemon.kernel.xfrm.structures import (
    EVERYTHING,
    NOTHING_COUNTED,
    UNLIMITED,
    Counted,
    Limits,
    Mark,
    TrafficSelector,
    decode_address,
    encode_address,
    family,
)
from ike_auth.daemon.netlink_messages import MalformedNetlink, attributes, encode_attributes, unpacked
from ike_auth.network import IPAddress

_STATE = Struct("=56s16s4sB3x16s64s32s12xIIHBBB7x")
_STATE_ID = Struct("=16s4sHBx")
_RANGE = Struct("=II")
_ENCAP = Struct("=H2s2s2x16s")
_REPLAY = Struct("=6I")
_NUMBER = Struct("=I")
_LONG = Struct("=Q")
_ADDRESS = Struct("=16s")
STATE_SIZE = _STATE.size
T = TypeVar("T")


class Part(Protocol):
    def encode(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class Encapsulation:
    """`xfrm_encap_tmpl`: ESP in UDP. `original` is the peer's own address, where it tells one."""

    source_port: int
    destination_port: int
    original: IPAddress
    type: int = UDP_ENCAP_ESPINUDP

    @classmethod
    def decode(cls, data: bytes, family: int) -> Encapsulation:
        kind, source, destination, original = unpacked(_ENCAP, data)
        ports = int.from_bytes(source, "big"), int.from_bytes(destination, "big")
        return cls(*ports, decode_address(original, family), kind)

    def encode(self) -> bytes:
        ports = self.source_port.to_bytes(2, "big"), self.destination_port.to_bytes(2, "big")
        return _ENCAP.pack(self.type, *ports, encode_address(self.original))


@dataclass(frozen=True, slots=True)
class Replay:
    """`xfrm_replay_state_esn`: sequence numbers of 64 bits, and which of the last `window` have come.

    `seen` has a bit for each packet, in words of 32 bits; it may be left out if there was none yet.
    """

    window: int  # packets
    words: int
    seen: tuple[int, ...] = ()
    sent: int = 0
    received: int = 0

    @classmethod
    def of(cls, window: int) -> Replay:
        """An empty one."""
        return cls(window, -(-window // 32))

    @classmethod
    def decode(cls, data: bytes) -> Replay:
        words, sent, received, sent_high, received_high, window = unpacked(_REPLAY, data)
        size = len(data) - _REPLAY.size
        if size not in (0, 4 * words):
            raise MalformedNetlink(f"{words} words in {size} bytes")
        seen = Struct(f"={size // 4}I").unpack_from(data, _REPLAY.size)
        return cls(window, words, seen, sent_high << 32 | sent, received_high << 32 | received)

    def encode(self) -> bytes:
        low = 0xFFFFFFFF
        head = _REPLAY.pack(
            self.words, self.sent & low, self.received & low, self.sent >> 32, self.received >> 32, self.window
        )
        return head + Struct(f"={len(self.seen)}I").pack(*self.seen)


@dataclass(frozen=True, slots=True)
class State:
    """One SA. `request` (reqid) is what it has in common with the templates of policies."""

    spi: bytes
    protocol: int
    source: IPAddress
    destination: IPAddress
    mode: int = Mode.TUNNEL
    request: int = 0
    selector: TrafficSelector = EVERYTHING
    limits: Limits = UNLIMITED
    counted: Counted = NOTHING_COUNTED
    flags: StateFlag = StateFlag.NONE
    replay_window: int = 0  # packets, up to 32; `replay` takes its place
    sequence: int = 0  # of the ACQUIRE that it answers
    aead: CutAlgorithm | None = None
    encryption: Algorithm | None = None
    integrity: CutAlgorithm | None = None
    compression: Algorithm | None = None
    encapsulation: Encapsulation | None = None
    replay: Replay | None = None
    mark: Mark | None = None
    extra_flags: int | None = None
    output_mark: Mark | None = None  # that packets get when they leave
    if_id: int | None = None  # of the xfrm interface that it belongs to
    last_used: int | None = None  # seconds since 1970

    @property
    def id(self) -> StateId:
        return StateId(self.destination, self.spi, self.protocol, mark=self.mark)

    @classmethod
    def decode(cls, data: bytes) -> State:
        """Raises MalformedNetlink."""
        (selector, destination, spi, protocol, source, limits, counted, sequence, request, family, mode, window,
         flags) = unpacked(_STATE, data)  # fmt: skip
        found = dict(attributes(data[STATE_SIZE:]))
        return cls(
            spi,
            protocol,
            decode_address(source, family),
            decode_address(destination, family),
            mode,
            request,
            TrafficSelector.decode(selector, otherwise=family),
            Limits.decode(limits),
            Counted.decode(counted),
            StateFlag(flags),
            window,
            sequence,
            aead=_read(CutAlgorithm.decode, found, Attribute.ALG_AEAD),
            encryption=_read(Algorithm.decode, found, Attribute.ALG_CRYPT),
            integrity=_read(CutAlgorithm.decode, found, Attribute.ALG_AUTH_TRUNC),
            compression=_read(Algorithm.decode, found, Attribute.ALG_COMP),
            encapsulation=_read(partial(Encapsulation.decode, family=family), found, Attribute.ENCAP),
            replay=_read(Replay.decode, found, Attribute.REPLAY_ESN_VAL),
            mark=_read(Mark.decode, found, Attribute.MARK),
            extra_flags=_read(_number, found, Attribute.SA_EXTRA_FLAGS),
            output_mark=_output_mark(found),
            if_id=_read(_number, found, Attribute.IF_ID),
            last_used=_read(_long, found, Attribute.LASTUSED),
        )

    def encode(self) -> bytes:
        """The attributes stand in iproute2's order."""
        output = self.output_mark
        parts: tuple[tuple[int, bytes | None], ...] = (
            (Attribute.ALG_AEAD, _encoded(self.aead)),
            (Attribute.ALG_CRYPT, _encoded(self.encryption)),
            (Attribute.ALG_AUTH_TRUNC, _encoded(self.integrity)),
            (Attribute.ALG_COMP, _encoded(self.compression)),
            (Attribute.ENCAP, _encoded(self.encapsulation)),
            (Attribute.SA_EXTRA_FLAGS, None if self.extra_flags is None else _NUMBER.pack(self.extra_flags)),
            (Attribute.REPLAY_ESN_VAL, _encoded(self.replay)),
            (Attribute.MARK, _encoded(self.mark)),
            (Attribute.IF_ID, None if self.if_id is None else _NUMBER.pack(self.if_id)),
            (Attribute.SET_MARK, None if output is None else _NUMBER.pack(output.value)),
            (Attribute.SET_MARK_MASK, None if output is None else _NUMBER.pack(output.mask)),
            (Attribute.LASTUSED, None if self.last_used is None else _LONG.pack(self.last_used)),
        )
        return self.encode_fixed() + encode_attributes((kind, value) for kind, value in parts if value is not None)

    def encode_fixed(self) -> bytes:
        """Without attributes."""
        return _STATE.pack(
            self.selector.encode(),
            encode_address(self.destination),
            self.spi,
            self.protocol,
            encode_address(self.source),
            self.limits.encode(),
            self.counted.encode(),
            self.sequence,
            self.request,
            family(self.destination),
            self.mode,
            self.replay_window,
            self.flags,
        )


@dataclass(frozen=True, slots=True)
class StateId:
    """`xfrm_usersa_id`: what finds an SA, to get or to delete it."""

    destination: IPAddress
    spi: bytes
    protocol: int
    source: IPAddress | None = None
    mark: Mark | None = None

    @classmethod
    def decode(cls, data: bytes) -> StateId:
        """Raises MalformedNetlink."""
        destination, spi, family, protocol = unpacked(_STATE_ID, data)
        found = dict(attributes(data[_STATE_ID.size :]))
        source = _read(_padded, found, Attribute.SRCADDR)
        return cls(
            decode_address(destination, family),
            spi,
            protocol,
            None if source is None else decode_address(source, family),
            _read(Mark.decode, found, Attribute.MARK),
        )

    def encode(self) -> bytes:
        fixed = _STATE_ID.pack(encode_address(self.destination), self.spi, family(self.destination), self.protocol)
        parts = (
            (Attribute.SRCADDR, None if self.source is None else encode_address(self.source)),
            (Attribute.MARK, _encoded(self.mark)),
        )
        return fixed + encode_attributes((kind, value) for kind, value in parts if value is not None)


@dataclass(frozen=True, slots=True)
class SpiRequest:
    """`xfrm_userspi_info`: an SA that has an SPI and nothing else as yet; one from `low` to `high`."""

    state: State
    low: int = 0
    high: int = 0

    @classmethod
    def decode(cls, data: bytes) -> SpiRequest:
        """Raises MalformedNetlink."""
        low, high = unpacked(_RANGE, data, STATE_SIZE)
        return cls(State.decode(data[:STATE_SIZE] + data[STATE_SIZE + _RANGE.size :]), low, high)

    def encode(self) -> bytes:
        whole = self.state.encode()
        return whole[:STATE_SIZE] + _RANGE.pack(self.low, self.high) + whole[STATE_SIZE:]


def _read(decode: Callable[[bytes], T], found: Mapping[int, bytes], kind: Attribute) -> T | None:
    value = found.get(kind)
    return None if value is None else decode(value)


def _encoded(part: Part | None) -> bytes | None:
    return None if part is None else part.encode()


def _number(data: bytes) -> int:
    return int(unpacked(_NUMBER, data)[0])


def _long(data: bytes) -> int:
    return int(unpacked(_LONG, data)[0])


def _padded(data: bytes) -> bytes:
    return bytes(unpacked(_ADDRESS, data)[0])


def _output_mark(found: Mapping[int, bytes]) -> Mark | None:
    value, mask = _read(_number, found, Attribute.SET_MARK), _read(_number, found, Attribute.SET_MARK_MASK)
    return None if value is None else Mark(value, 0xFFFFFFFF if mask is None else mask)
