# SPDX-License-Identifier: ISC
"""Hosts that send and receive in bulk, each a process in a namespace; run as a script.

python endpoints.py receive ADDRESS PORT          # prints `ready`, then bytes and SHA-256 of what came
python endpoints.py send ADDRESS PORT SOURCE BYTES SEED      # prints bytes and SHA-256 of what went
"""

import socket
import sys
from hashlib import sha256
from random import Random

_PIECE = 1 << 16
_SECONDS = 60.0  # without a byte


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


def send(address: str, port: int, source: str, size: int, seed: int) -> None:
    digest, left, random = sha256(), size, Random(seed)
    with socket.create_connection((address, port), _SECONDS, source_address=(source, 0)) as connected:
        while left:
            piece = random.randbytes(min(_PIECE, left))
            connected.sendall(piece)
            digest.update(piece)
            left -= len(piece)
    print(size, digest.hexdigest(), flush=True)


def _family(address: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in address else socket.AF_INET


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2], int(sys.argv[3]))
    else:
        send(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]), int(sys.argv[6]))
