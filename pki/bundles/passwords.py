# SPDX-License-Identifier: ISC
"""Passwords of what is handed over: made here, never chosen, long enough for any way to seal a file, and of what can
be typed on a telephone and told by telephone."""

import secrets
from typing import Final

_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # without i, l, o, 0, 1
_GROUPS, _GROUP = 4, 6  # 118 bits


def generate() -> str:
    """`xxxxxx-xxxxxx-xxxxxx-xxxxxx`."""
    return "-".join("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
