# SPDX-License-Identifier: ISC
"""The text of a tree, whole and exact: two trees have one text if they are the same.

Unlike `keynote.printing` it hides nothing and cuts nothing off, so it is for comparing, never for showing.
"""

from dataclasses import fields
from typing import Any, Final

from keynote.syntax import Node


def exact_text(node: Node) -> str:
    """A text that equal trees share, wherever they stand, and others do not."""
    pieces: list[str] = []
    todo: list[Any] = [node]
    while todo:
        item = todo.pop()
        match item:
            case _End():
                pieces.append(")")
            case tuple():
                pieces.append("(")
                todo += [_End(), *reversed(item)]
            case Node():
                pieces.append(type(item).__name__)
                todo.append(tuple(getattr(item, name) for name in _parts(type(item).__name__, type(item))))
            case _:
                pieces.append(f"{item!r},")
    return "".join(pieces)


class _End:
    """Where a list of parts ends."""


def _parts(name: str, kind: Any) -> tuple[str, ...]:
    if name not in _PARTS:
        _PARTS[name] = tuple(field.name for field in fields(kind) if field.name != "at")
    return _PARTS[name]


#: The fields of each kind of node.
_PARTS: Final[dict[str, tuple[str, ...]]] = {}
