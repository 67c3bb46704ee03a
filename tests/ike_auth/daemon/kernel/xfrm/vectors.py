# SPDX-License-Identifier: ISC
"""What was recorded: tests/vectors/xfrm/README.md."""

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from ike_auth.daemon.netlink_messages import Message, messages

_FOLDER = Path(__file__).parents[4] / "vectors" / "xfrm"


@dataclass(frozen=True)
class Recorded:
    sent: tuple[Message, ...]
    received: tuple[Message, ...]
    datagrams: tuple[bytes, ...]  # all of them
    shown: str


@cache
def recorded(file: str) -> dict[str, Recorded]:
    found = json.loads((_FOLDER / f"{file}.json").read_text())["recorded"]
    return {name: _recorded(one) for name, one in found.items()}


def _recorded(one: dict[str, list[str]]) -> Recorded:
    sent, received = ([bytes.fromhex(data) for data in one.get(key, [])] for key in ("sent", "received"))
    return Recorded(
        tuple(m for data in sent for m in messages(data)),
        tuple(m for data in received for m in messages(data)),
        (*sent, *received),
        "\n".join(one["shown"]),
    )
