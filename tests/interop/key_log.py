# SPDX-License-Identifier: ISC
"""What charon says of its keys when its log level is 4: each octet string with its label, in order."""

import re
from collections.abc import Iterator

Trace = list[tuple[str, str]]  # label, hexadecimal

LABEL = re.compile(r"\d\d\[(IKE|ENC|CHD)\] (\S.*) => \d+ bytes @ \S+")
DUMP = re.compile(r"\d\d\[...\] +\d+: ((?:[0-9A-F]{2} )+) ")
NOISE = re.compile("parsing payload from|generated data|generating ")  # charon's way through its own codec


def values_in(log: str) -> Iterator[tuple[str, str]]:
    """Each labelled octet string in a log of level 4, in order."""
    label, value = "", bytearray()
    for line in log.splitlines():
        if dump := DUMP.match(line):
            value += bytes.fromhex(dump[1])
            continue
        if label:
            yield label, value.hex()
        found = LABEL.match(line)
        label, value = (found[2] if found and not NOISE.search(line) else ""), bytearray()
    if label:
        yield label, value.hex()


NONCE_SIZE = 32  # charon's


def ipsec_keys(trace: Trace) -> list[dict[str, str]]:
    """KEYMAT of the tunnel's SAs as the responder sees them; charon names them after who sends."""
    values = dict(trace)
    return [
        {
            "protocol": "esp",
            "spi": _spi(values[f"{sender} SA seed"]),
            "direction": direction,
            "keymat": values[f"encryption {sender} key"] + values.get(f"integrity {sender} key", ""),
        }
        for sender, direction in (("responder", "out"), ("initiator", "in"))
        if f"{sender} SA seed" in values
    ]


def _spi(seed: str) -> str:
    """RFC 2409 5.5: [ g(qm)^xy | ] protocol | SPI | Ni_b | Nr_b."""
    return bytes.fromhex(seed)[: -2 * NONCE_SIZE][-4:].hex()
