# SPDX-License-Identifier: ISC
"""The process that `rootless` starts, and that becomes the command: `python -m …inside SOCKET PARENT TUN COMMAND…`.

It is a process of its own because a user namespace can only be entered by a process without threads, and because the
daemon has to stay outside, where its peers are. It hands out the TUN and a netlink socket of the namespace: both stay
what they are wherever they are used.
"""

import os
import signal
import socket
import sys
from collections.abc import Sequence

from ike_auth.daemon.network import NetworkError
from ike_auth.daemon.network.netlink_socket import open_socket
from ike_auth.daemon.network.tun import Tun
from ike_auth.daemon.network.unshare import end_with_parent, enter_new

READY, GO, FAILED = b"ready", b"go", b"failed "
NOT_FOUND, NOT_EXECUTABLE = 127, 126  # as a shell's


def main(arguments: Sequence[str]) -> int:
    number, parent, name, *command = arguments
    for interruption in (signal.SIGINT, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(interruption, signal.SIG_DFL)  # Python's ways with them are not the command's
    with socket.socket(fileno=int(number)) as outside:
        outside.set_inheritable(False)  # its end tells the parent that the command runs
        try:
            enter_new()
            end_with_parent(int(parent))
            tun = Tun.open(name)
            with open_socket() as netlink:
                socket.send_fds(outside, [READY], [tun.fileno(), netlink.fileno()])
            tun.close()
        except (NetworkError, OSError) as error:
            outside.send(FAILED + str(error).encode())
            return 1
        if outside.recv(len(GO)) != GO:
            return 1  # the parent has changed its mind, or is gone
        try:
            os.execvp(command[0], command)
        except OSError as error:
            outside.send(FAILED + f"cannot run `{command[0]}`: {(error.strerror or '').lower()}".encode())
            return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_EXECUTABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
