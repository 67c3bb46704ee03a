# SPDX-License-Identifier: ISC
"""Fill and line of each state. Marks in the text say the same to whoever sees no difference."""

from collections.abc import Mapping
from typing import Final

from keynote.graph.model import State

FILL: Final[Mapping[State, str]] = {
    State.NOT_ASKED: "#f7f7f7",
    State.HOLDS: "#d5f0d8",
    State.MAY_HOLD: "#fff3c4",
    State.TOGETHER: "#d9e8fb",
    State.STOPS: "#fbd9d6",
    State.NONE: "#eeeeee",
    State.SET_ASIDE: "#f3e3f5",
}
LINE: Final[Mapping[State, str]] = {
    State.NOT_ASKED: "#555555",
    State.HOLDS: "#1b7a2b",
    State.MAY_HOLD: "#9a7400",
    State.TOGETHER: "#2a62b0",
    State.STOPS: "#b3261e",
    State.NONE: "#999999",
    State.SET_ASIDE: "#7b3f8c",
}
