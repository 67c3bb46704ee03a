# SPDX-License-Identifier: ISC
"""Hosts that send and receive in bulk, each a process in a namespace; run as a script.

python endpoints.py receive ADDRESS PORT      # prints `ready`, then bytes and SHA-256 of what came
python endpoints.py send ADDRESS PORT SOURCE BYTES SEED KIND      # prints bytes and SHA-256 of what went
python endpoints.py sink ADDRESS PORT         # prints `ready`, then how many datagrams came
python endpoints.py flood ADDRESS PORT SOURCE SIZE RATE SECONDS      # prints how many datagrams went
"""

import socket
import sys
import time
from contextlib import suppress
from hashlib import sha256
from random import Random

_PIECE = 1 << 16
_SECONDS = 60.0  # without a byte
_END = b"end"
_TICK = 0.001  # seconds: what is due in one goes at once
_SO_RCVBUFFORCE = 33


def receive(address: str, port: int) -> None:
    digest, size = sha256(), 0
    with socket.create_server((address, port), family=_family(address)) as listening:
        print("ready", flush=True)
        listening.settimeout(_SECONDS)
        connected, _ = listening.accept()
        with connected:
            connected.settimeout(_SECONDS)
            while piece := connected.recv(_PIECE):
                digest.update(piece)
                size += len(piece)
    print(size, digest.hexdigest(), flush=True)


def send(address: str, port: int, source: str, size: int, seed: int, kind: str) -> None:
    """`kind`: `random`, or `lines`, which are many times the same."""
    digest, left, random = sha256(), size, Random(seed)
    with socket.create_connection((address, port), _SECONDS, source_address=(source, 0)) as connected:
        while left:
            piece = _lines(random) if kind == "lines" else random.randbytes(_PIECE)
            piece = piece[:left]
            connected.sendall(piece)
            digest.update(piece)
            left -= len(piece)
    print(size, digest.hexdigest(), flush=True)


def _lines(random: Random) -> bytes:
    line = random.randbytes(31).hex().encode() + b"\r\n"
    return line * (_PIECE // len(line))


def sink(address: str, port: int) -> None:
    with socket.socket(_family(address), socket.SOCK_DGRAM) as receiving:
        receiving.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 256 << 20)
        receiving.bind((address, port))
        receiving.settimeout(2 * _SECONDS)
        print("ready", flush=True)
        came = 0
        while receiving.recv(_PIECE) != _END:
            came += 1
    print(came, flush=True)


def flood(address: str, port: int, source: str, size: int, rate: int, seconds: int) -> None:
    data, went = bytes(size), 0
    with socket.socket(_family(address), socket.SOCK_DGRAM) as sending:
        sending.bind((source, 0))
        sending.connect((address, port))
        begin = time.monotonic()
        while (elapsed := time.monotonic() - begin) < seconds:
            due = min(int(elapsed * rate), went + 1000)
            for _ in range(due - went):
                sending.send(data)
            went = due
            time.sleep(_TICK)
        with suppress(ConnectionRefusedError):  # it has arrived
            for _ in range(20):
                time.sleep(0.1)
                sending.send(_END)
    print(went, flush=True)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


if __name__ == "__main__":
    what, address, port, *rest = sys.argv[1:]
    match what:
        case "receive":
            receive(address, int(port))
        case "send":
            send(address, int(port), rest[0], int(rest[1]), int(rest[2]), rest[3])
        case "sink":
            sink(address, int(port))
        case "flood":
            flood(address, int(port), rest[0], int(rest[1]), int(rest[2]), int(rest[3]))
