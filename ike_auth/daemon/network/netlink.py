# SPDX-License-Identifier: ISC
"""Questions to rtnetlink: pyroute2's message classes over a socket of our own.

pyroute2's own sockets run event loops and threads, and the daemon has a loop already. None is needed: the kernel does
what it is told within the system call that tells it, and the reply is there when that returns. So this is called from
the event loop, and never waits.
"""

import errno
import os
import socket
from contextlib import suppress
from itertools import count
from typing import Any, Self

from pyroute2.netlink.rtnl.marshal import MarshalRtnl

from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.netlink_socket import open_socket

Message = Any  # pyroute2's, which has no types; it reads and writes like a dictionary

_SOL_NETLINK, _EXT_ACK, _STRICT_CHECK = 270, 11, 12
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
REPLACE, EXCLUSIVE, CREATE = 0x100, 0x200, 0x400
_INTERRUPTED = 0x10
_ERROR, _DONE = 2, 3
_TIMEOUT = 5.0  # never reached; better than to hang if it is
_ROOM = 1 << 16
_ATTEMPTS = 10


class Refused(NetworkError):
    """The kernel's answer to a question; `errno` says which."""

    def __init__(self, code: int, said: str | None) -> None:
        super().__init__(said or os.strerror(code))
        self.errno = code


class Netlink:
    """One conversation with the network namespace in which its socket was opened, whoever uses it."""

    def __init__(self, opened: socket.socket) -> None:
        self._socket = opened
        self._socket.settimeout(_TIMEOUT)
        self._socket.setsockopt(_SOL_NETLINK, _EXT_ACK, 1)
        with suppress(OSError):  # before Linux 4.20 every dump is whole; callers look for themselves
            self._socket.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
        self._marshal = MarshalRtnl()
        self._numbers = count(1)

    @classmethod
    def open(cls) -> Self:
        """For the namespace that we are in. Raises NetworkError."""
        try:
            return cls(open_socket())
        except OSError as error:
            raise NetworkError(f"cannot speak to the kernel's routing: {error.strerror}") from None

    def change(self, kind: int, message: Message, flags: int = 0) -> None:
        """Tell the kernel to do something. Raises Refused."""
        number = self._ask(kind, message, _ACK | flags)
        while True:
            for reply in self._replies(number):
                if reply["header"]["type"] == _ERROR:
                    return

    def dump(self, kind: int, message: Message) -> list[Message]:
        """All that the kernel has of a kind; some kernels filter by what `message` says. Raises Refused."""
        for _ in range(_ATTEMPTS):
            found, complete = self._dump(kind, message)
            if complete:
                return found
        raise NetworkError("the kernel's tables change faster than they can be read")

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def _dump(self, kind: int, message: Message) -> tuple[list[Message], bool]:
        number = self._ask(kind, message, _DUMP)
        found: list[Message] = []
        complete = True
        while True:
            for reply in self._replies(number):
                header = reply["header"]
                complete = complete and not header["flags"] & _INTERRUPTED
                if header["type"] == _DONE:
                    return found, complete
                found.append(reply)

    def _ask(self, kind: int, message: Message, flags: int) -> int:
        number = next(self._numbers)
        header = message["header"]
        header["type"], header["flags"], header["sequence_number"] = kind, _REQUEST | flags, number
        message.reset()
        message.encode()
        try:
            self._socket.send(message.data)
        except OSError as error:
            raise Refused(error.errno or errno.EIO, None) from None
        return number

    def _replies(self, number: int) -> list[Message]:
        """Those in the next datagram that answer question `number`. Raises Refused."""
        try:
            data = self._socket.recv(_ROOM)
        except OSError as error:
            raise Refused(error.errno or errno.ETIMEDOUT, None) from None
        replies = [reply for reply in self._marshal.parse(data) if reply["header"]["sequence_number"] == number]
        for reply in replies:
            if reply["header"]["type"] == _ERROR and reply["error"]:
                raise Refused(-reply["error"], reply.get_attr("NLMSGERR_ATTR_MSG"))
        return replies
