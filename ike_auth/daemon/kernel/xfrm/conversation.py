# SPDX-License-Identifier: ISC
"""Netlink sockets for XFRM: questions with answers, and what the kernel tells of its own accord.

The kernel does what it is told within the system call that tells it, and the answer is there when that returns: no
question waits. Everything is about the network namespace that we were in when the socket was opened.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import suppress
from itertools import count
from typing import Protocol, Self

from ike_auth.daemon.kernel import KernelError
from ike_auth.daemon.kernel.xfrm.numbers import NETLINK_XFRM, Group, MessageType
from ike_auth.daemon.netlink_messages import DONE, ERROR, Flag, MalformedNetlink, Message, Refusal, messages

_AF_NETLINK = 16
_SOL_NETLINK, _ADD_MEMBERSHIP, _CAPPED_ACKS, _EXTENDED_ACKS = 270, 1, 10, 11
_ROOM = 1 << 16
_TIMEOUT = 5.0  # seconds; never reached
_ATTEMPTS = 10
_BATCH = 64  # datagrams, before others have their turn


class Refused(KernelError):
    """What the kernel answered. `errno` says it in a number."""

    def __init__(self, number: int, text: str) -> None:
        super().__init__(text or os.strerror(number).lower())
        self.errno = number


class Lost(KernelError):
    """The kernel had more to tell than there was room for."""


class Questions(Protocol):
    """What `Conversation` does. Every method but `close` raises KernelError; Refused is what the kernel refuses."""

    def tell(self, kind: MessageType, body: bytes) -> None:
        """Have something done."""

    def ask(self, kind: MessageType, body: bytes) -> Message:
        """A question with one answer."""

    def dump(self, kind: MessageType) -> list[Message]:
        """All that there is of a kind."""

    def close(self) -> None: ...


class Conversation:
    """Questions, one after the other, over a socket."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._socket.settimeout(_TIMEOUT)
        self._numbers = count(1)

    @classmethod
    def open(cls) -> Self:
        return cls(_open())

    def tell(self, kind: MessageType, body: bytes) -> None:
        next(self._answers(self._send(kind, body, Flag.ACK)))

    def ask(self, kind: MessageType, body: bytes) -> Message:
        number = self._send(kind, body, Flag.NONE)
        return next(self._answers(number))

    def dump(self, kind: MessageType) -> list[Message]:
        for _ in range(_ATTEMPTS):
            found: list[Message] = []
            whole = True
            for message in self._answers(self._send(kind, b"", Flag.DUMP)):
                whole = whole and not message.flags & Flag.DUMP_INTERRUPTED
                if message.type == DONE:
                    break
                found.append(message)
            if whole:
                return found
        raise KernelError("the kernel's SAs and policies change faster than they can be read")

    def close(self) -> None:
        self._socket.close()

    def _send(self, kind: MessageType, body: bytes, flags: Flag) -> int:
        number = next(self._numbers) & 0xFFFFFFFF
        try:
            self._socket.send(Message(kind, Flag.REQUEST | flags, body, number).encode())
        except OSError as error:
            raise _refused(error) from None
        return number

    def _answers(self, number: int) -> Iterator[Message]:
        """Without end: who asks knows when he has heard enough."""
        while True:
            for message in _receive(self._socket):
                if message.sequence != number:
                    continue  # to a question whose asker has not heard it out
                if message.type == ERROR:
                    refusal = Refusal.decode(message)
                    if refusal.errno:
                        raise Refused(refusal.errno, refusal.text)
                yield message


class Listener:
    """What the kernel tells of its own accord."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._socket.setblocking(False)

    @classmethod
    def open(cls, groups: Iterable[Group] = tuple(Group)) -> Self:
        """Raises KernelError."""
        opened = _open()
        try:
            for group in groups:
                opened.setsockopt(_SOL_NETLINK, _ADD_MEMBERSHIP, group)
        except OSError as error:
            opened.close()
            raise _refused(error) from None
        return cls(opened)

    def fileno(self) -> int:
        return self._socket.fileno()

    def heard(self) -> Iterator[Message]:
        """What has come by now. Raises Lost, after which more may be there."""
        for _ in range(_BATCH):
            try:
                yield from _receive(self._socket)
            except Refused as error:
                if error.errno == errno.EAGAIN:
                    return
                if error.errno == errno.ENOBUFS:
                    raise Lost("the kernel had more to tell than there was room for") from None
                raise

    def close(self) -> None:
        self._socket.close()


def _open() -> socket.socket:
    try:
        opened = socket.socket(_AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, NETLINK_XFRM)
    except OSError as error:
        raise KernelError(f"the kernel has no XFRM: {os.strerror(error.errno or 0).lower()}") from None
    try:
        opened.bind((0, 0))
        for option in (_CAPPED_ACKS, _EXTENDED_ACKS):
            with suppress(OSError):  # before Linux 4.3 and 4.12 refusals have no words
                opened.setsockopt(_SOL_NETLINK, option, 1)
    except OSError as error:
        opened.close()
        raise _refused(error) from None
    return opened


def _receive(opened: socket.socket) -> Iterator[Message]:
    """The messages of one datagram, unless somebody else than the kernel has sent it."""
    try:
        data, sender = opened.recvfrom(_ROOM)
    except OSError as error:
        raise _refused(error) from None
    if isinstance(sender, tuple) and sender[0] != 0:
        return
    try:
        yield from messages(data)
    except MalformedNetlink as error:
        raise KernelError(f"the kernel's message is not understood: {error}") from None


def _refused(error: OSError) -> Refused:
    return Refused(error.errno or errno.ETIMEDOUT, "")
