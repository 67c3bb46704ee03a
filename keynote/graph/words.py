# SPDX-License-Identifier: ISC
"""The lines of text that stand in a node, whatever draws it."""

from typing import Final

from keynote.graph.model import Node, State
from keynote.redaction import one_line

_MARKS: Final = {
    State.HOLDS: "✓ ",
    State.MAY_HOLD: "? ",
    State.TOGETHER: "+ ",
    State.STOPS: "✗ ",
    State.SET_ASIDE: "✗ ",
}
_WIDTH: Final = 44
_MOST_LINES: Final = 4


def lines(node: Node) -> list[str]:
    """Nothing in them needs more than the escapes of a format's own characters."""
    found = [part for text in node.label for part in _wrapped(text)]
    if not node.is_principal:
        found += _wrapped(node.text)
    if node.note:
        found += _wrapped(_MARKS.get(node.state, "") + node.note)
    return found


def _wrapped(text: str) -> list[str]:
    """Broken between words where that can be, and cut after a few lines."""
    rest, found = one_line(text), []
    while len(rest) > _WIDTH:
        at = rest.rfind(" ", 0, _WIDTH + 1)
        at = at if at > _WIDTH // 4 else _WIDTH
        found.append(rest[:at].rstrip())
        rest = rest[at:].lstrip()
    found.append(rest)
    return found if len(found) <= _MOST_LINES else [*found[: _MOST_LINES - 1], found[_MOST_LINES - 1][:-1] + "…"]
