# SPDX-License-Identifier: ISC
"""The client side of vici, charon's control protocol (strongSwan's README of libcharon/plugins/vici).

A packet is a 32-bit length, a type, for some types a name, and a message: nested sections, lists and values.
swanctl speaks the same, but what it prints cannot be parsed without guessing where a value ends.
"""

import socket
import struct
from collections.abc import Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Self, TypeAlias

Value: TypeAlias = "str | bytes | Sequence[str | bytes] | Mapping[str, Value]"
Section: TypeAlias = "dict[str, str | list[str] | Section]"


class Packet(IntEnum):
    REQUEST = 0
    RESPONSE = 1
    UNKNOWN_REQUEST = 2
    REGISTER = 3
    UNREGISTER = 4
    CONFIRM = 5
    UNKNOWN_EVENT = 6
    EVENT = 7


class Element(IntEnum):
    SECTION_START = 1
    SECTION_END = 2
    KEY_VALUE = 3
    LIST_START = 4
    LIST_ITEM = 5
    LIST_END = 6


class ViciError(Exception):
    """charon refused a command, or closed the connection."""


class Vici:
    """One connection to a charon; commands are answered in order. To be used as a context manager."""

    def __init__(self, path: Path, seconds: float) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(seconds)
            self._socket.connect(str(path))
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def request(self, command: str, message: Mapping[str, Value] | None = None) -> Section:
        """charon's answer; ViciError if it says `success = no`."""
        self._send(Packet.REQUEST, command, message)
        return _succeeded(command, self._receive(Packet.RESPONSE)[1])

    def stream(self, command: str, event: str) -> list[Section]:
        """The `event` messages that charon sends before it answers `command`."""
        self._send(Packet.REGISTER, event)
        self._receive(Packet.CONFIRM)
        self._send(Packet.REQUEST, command)
        messages: list[Section] = []
        while True:
            kind, message = self._receive(Packet.EVENT, Packet.RESPONSE)
            if kind == Packet.RESPONSE:
                _succeeded(command, message)
                return messages
            messages.append(message)

    def _send(self, kind: Packet, name: str, message: Mapping[str, Value] | None = None) -> None:
        packet = bytes([kind]) + _short(name) + encode(message or {})
        self._socket.sendall(struct.pack("!I", len(packet)) + packet)

    def _receive(self, *expected: Packet) -> tuple[Packet, Section]:
        (length,) = struct.unpack("!I", self._exactly(4))
        packet = self._exactly(length)
        kind = Packet(packet[0])
        if kind not in expected:
            raise ViciError(f"got {kind.name}, expected {' or '.join(e.name for e in expected)}")
        start = 2 + packet[1] if kind == Packet.EVENT else 1
        return kind, decode(packet[start:])

    def _exactly(self, length: int) -> bytes:
        data = b""
        while len(data) < length:
            more = self._socket.recv(length - len(data))
            if not more:
                raise ViciError("charon closed the connection")
            data += more
        return data


def _succeeded(command: str, answer: Section) -> Section:
    if answer.get("success", "yes") != "yes":
        raise ViciError(f"{command}: {answer.get('errmsg', answer)}")
    return answer


def encode(message: Mapping[str, Value]) -> bytes:
    return b"".join(_encode_element(name, value) for name, value in message.items())


def _encode_element(name: str, value: Value) -> bytes:
    match value:
        case str() | bytes():
            return bytes([Element.KEY_VALUE]) + _short(name) + _long(value)
        case Mapping():
            return bytes([Element.SECTION_START]) + _short(name) + encode(value) + bytes([Element.SECTION_END])
        case _:
            items = b"".join(bytes([Element.LIST_ITEM]) + _long(item) for item in value)
            return bytes([Element.LIST_START]) + _short(name) + items + bytes([Element.LIST_END])


def _short(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


def _long(value: str | bytes) -> bytes:
    data = value.encode() if isinstance(value, str) else value
    return struct.pack("!H", len(data)) + data


def decode(data: bytes) -> Section:
    """The message in `data`; ValueError where it is none."""
    reader = _Reader(data + bytes([Element.SECTION_END]))  # so that the message is a section like the others
    message = _decode_section(reader)
    if reader.left:
        raise ValueError("a section ends that never started")
    return message


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> int:
        return len(self._data) - self._at

    def take(self, length: int) -> bytes:
        if length > self.left:
            raise ValueError("a length leads past the end of the message")
        self._at += length
        return self._data[self._at - length : self._at]

    def element(self) -> Element:
        return Element(self.take(1)[0])

    def name(self) -> str:
        return self.take(self.take(1)[0]).decode()

    def value(self) -> str:
        (length,) = struct.unpack("!H", self.take(2))
        return self.take(length).decode(errors="replace")


def _decode_section(reader: _Reader) -> Section:
    """Everything up to the section's end."""
    section: Section = {}
    while (element := reader.element()) != Element.SECTION_END:
        name = reader.name()
        match element:
            case Element.SECTION_START:
                section[name] = _decode_section(reader)
            case Element.KEY_VALUE:
                section[name] = reader.value()
            case Element.LIST_START:
                section[name] = _decode_list(reader)
            case _:
                raise ValueError(f"{element.name} outside a list")
    return section


def _decode_list(reader: _Reader) -> list[str]:
    items = []
    while reader.element() == Element.LIST_ITEM:
        items.append(reader.value())
    return items
