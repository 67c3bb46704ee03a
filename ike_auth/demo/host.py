# SPDX-License-Identifier: ISC
"""A host behind a gateway: it asks another one for an echo, again and again, and says what came back.

python -m ike_auth.demo.host ADDRESS      # root in its namespace; one JSON object a line, like a daemon's log
"""

import json
import signal
import socket
import struct
import sys
from itertools import count

from ike_auth.daemon import clock

WORDS = b"what one host says to the other"  # recognised wherever they can be read
INTERVAL, PATIENCE = 0.2, 1.0  # seconds
_ECHO, _REPLY = 8, 0  # RFC 792
_ICMP = struct.Struct("!BBHHH")
_IDENTIFIER = 0x6B6E


def echo(number: int) -> bytes:
    header = _ICMP.pack(_ECHO, 0, 0, _IDENTIFIER, number)
    total = sum(struct.unpack(f"!{(len(header) + len(WORDS) + 1) // 2}H", header + WORDS + bytes(len(WORDS) % 2)))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return _ICMP.pack(_ECHO, 0, ~total & 0xFFFF, _IDENTIFIER, number) + WORDS


def answers(packet: bytes, number: int) -> bool:
    """Whether an IPv4 packet is the answer to this echo."""
    body = packet[(packet[0] & 15) * 4 :]
    if len(body) < _ICMP.size:
        return False
    kind, _, _, identifier, found = _ICMP.unpack_from(body)
    return (kind, identifier, found) == (_REPLY, _IDENTIFIER, number)


def ask(opened: socket.socket, address: str, number: int) -> float | None:
    """Milliseconds until the answer; None if none came."""
    begin = clock.now().monotonic
    try:
        opened.sendto(echo(number), (address, 0))
        while (left := begin + PATIENCE - clock.now().monotonic) > 0:
            opened.settimeout(left)
            if answers(opened.recv(2048), number):
                return (clock.now().monotonic - begin) * 1000
    except OSError:
        pass  # no way there, or time is over
    return None


def main(address: str) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # that is how its gateway ends it
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as opened:
        for number in count(1):
            took = ask(opened, address, number & 0xFFFF)
            if took is None:
                _say("NoReply", f"no answer from {address}")
            else:
                _say("Reply", f"{address} answers in {took:.2f} ms")
            clock.pause(INTERVAL)


def _say(kind: str, event: str) -> None:
    print(json.dumps({"kind": kind, "event": event}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
