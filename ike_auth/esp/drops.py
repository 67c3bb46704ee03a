# SPDX-License-Identifier: ISC
"""Why a packet goes no further. Whatever is dropped is counted under one of these, and nothing of it is delivered."""

from enum import StrEnum

from ike_auth.errors import IkeError


class Reason(StrEnum):
    # off the network
    TRUNCATED = "truncated"
    UNKNOWN_SPI = "unknown SPI"
    REPLAYED = "replayed"
    TOO_OLD = "too old for the replay window"
    BAD_ICV = "bad ICV"
    BAD_PADDING = "bad padding"
    DUMMY = "dummy"
    NEXT_HEADER = "next header"
    UNKNOWN_CPI = "unknown CPI"
    BAD_COMPRESSION = "bad compression"
    SELECTORS = "selectors"
    CONGESTION = "congestion experienced"
    # off the TUN device
    BAD_FRAME = "bad frame"
    NO_FLOW = "no flow"
    GUARDED = "guarded"
    NO_SA = "no SA"
    TOO_LARGE = "too large"
    # either way
    MALFORMED = "malformed inner packet"
    SEQUENCE_EXHAUSTED = "sequence exhausted"
    HARD_LIMIT = "hard limit"


class Dropped(IkeError):
    """This packet goes no further; `reason` is what it is counted as."""

    def __init__(self, reason: Reason) -> None:
        super().__init__(reason.value)
        self.reason = reason
