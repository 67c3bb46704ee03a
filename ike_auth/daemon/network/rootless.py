# SPDX-License-Identifier: ISC
"""A TUN without privileges: in a network namespace of our own, with a command that runs in it.

The daemon stays outside with its sockets, and so does everything that it asks of the network, such as a registry.
Inside there is nothing but the TUN, so what the command sends goes through tunnels or nowhere. The command is root
there, which is who started the daemon, seen from outside.

`Inside.open` may be called at any time, threads or not: the namespace is entered by a process that has just begun.
"""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from typing import Self

from ike_auth.daemon.network import NetworkError, links
from ike_auth.daemon.network.inside import FAILED, GO, READY
from ike_auth.daemon.network.netlink import Netlink
from ike_auth.daemon.network.tun import Tun

_FROM_KEYBOARD = (signal.SIGINT, signal.SIGQUIT)
_ROOM = 4096
_PATIENCE = 5.0  # seconds from SIGTERM to SIGKILL


class Inside:
    """A namespace and its command, which waits for `start`. `tun` and `netlink` are the namespace's, for us."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", channel: socket.socket, tun: Tun, netlink: Netlink
    ) -> None:
        self._process = process
        self._channel = channel
        self.tun = tun
        self.netlink = netlink
        self._ended = -1

    @classmethod
    def open(cls, command: Sequence[str], name: str = "esp%d") -> Self:
        """Make the namespace with a TUN in it. The command gets our standard input, output and error.

        Raises NetworkError, which names the setting that forbids it.
        """
        channel, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            start = [sys.executable, "-m", "ike_auth.daemon.network.inside", str(theirs.fileno()), str(os.getpid())]
            try:
                process = subprocess.Popen([*start, name, *command], pass_fds=[theirs.fileno()])
            except OSError as error:
                channel.close()
                raise NetworkError(f"cannot run `{sys.executable}`: {error.strerror}") from None
        with ExitStack() as undo:
            undo.callback(process.wait)
            undo.callback(channel.close)
            said, descriptors, _, _ = socket.recv_fds(channel, _ROOM, 2)
            for descriptor in descriptors:
                os.set_inheritable(descriptor, False)
            if said != READY or len(descriptors) != 2:
                raise NetworkError(_complaint(said) or "the process for a namespace of our own has ended at once")
            netlink = Netlink(socket.socket(fileno=descriptors[1]))
            undo.callback(netlink.close)
            tun = Tun.adopt(descriptors[0])
            undo.callback(tun.close)
            links.set_up(netlink, links.index(netlink, "lo"))
            undo.pop_all()
        return cls(process, channel, tun, netlink)

    def start(self) -> None:
        """Let the command run. Raises NetworkError if it cannot be."""
        try:
            self._channel.send(GO)
            said = self._channel.recv(_ROOM)  # nothing: the socket was closed because the command runs
        except OSError:
            raise NetworkError("the command's process was ended before the command could run") from None
        complaint = _complaint(said)
        if complaint:
            raise NetworkError(complaint)

    def ended(self) -> int:
        """A file descriptor that becomes readable when the command ends, for an event loop. Ours to close."""
        if self._ended < 0:
            self._ended = os.pidfd_open(self._process.pid)
        return self._ended

    def status(self) -> int | None:
        """As a shell would say it, 128 and the signal's number included; None while it runs."""
        code = self._process.poll()
        return 128 - code if code is not None and code < 0 else code

    def forward(self, number: int) -> None:
        """Pass a signal of ours on, unless the command had it already from the keyboard."""
        if number in _FROM_KEYBOARD and _in_foreground():
            return
        if self._process.poll() is None:
            self._process.send_signal(number)

    def close(self) -> None:
        """End the command if it still runs, and the namespace with it."""
        self._channel.close()
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_PATIENCE)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        if self._ended >= 0:
            os.close(self._ended)
            self._ended = -1
        self.netlink.close()
        self.tun.close()


def _complaint(said: bytes) -> str:
    return said.removeprefix(FAILED).decode(errors="replace") if said.startswith(FAILED) else ""


def _in_foreground() -> bool:
    """Whether the keyboard's signals go to our process group, to which the command belongs too."""
    try:
        terminal = os.open("/dev/tty", os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        return os.tcgetpgrp(terminal) == os.getpgrp()
    except OSError:
        return False
    finally:
        os.close(terminal)
