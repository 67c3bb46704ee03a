# SPDX-License-Identifier: ISC
"""Why nothing of a peer's offer was taken."""

from collections.abc import Sequence

MOST = 8  # reasons in one line of the log: a stranger may offer hundreds of transforms


def listed(refusals: Sequence[str]) -> str:
    more = len(refusals) - MOST
    return "; ".join(refusals[:MOST]) + (f"; and {more} more" if more > 0 else "")
