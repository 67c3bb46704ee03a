# SPDX-License-Identifier: ISC
"""Comparisons of one attribute with a constant, which is what most tests are, read with the attribute on the left."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from keynote import expressions
from keynote.environment import is_group_name
from keynote.syntax import Conversion, Dereference, Match, Name, Node, Relation, walk

#: The attribute that has the names of all who request the action, passphrases too.
REQUESTERS: Final = "_ACTION_AUTHORIZERS"

OPERATORS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
#: The operator that says the same with the sides exchanged, and the one that says the contrary.
MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}
OPPOSITE: Final = {"==": "!=", "!=": "==", "<": ">=", ">=": "<", ">": "<=", "<=": ">"}


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """A relation that compares an attribute, or the number that it is, with a constant: `name operator value`."""

    relation: Relation
    name: str
    operator: str
    value: str | int | float


def fact(relation: Relation, constants: Mapping[str, str]) -> Fact | None:
    """None for any other relation, a regular expression's too."""
    if isinstance(relation, Match):
        return None
    for side, other in ((relation.left, relation.right), (relation.right, relation.left)):
        name = attribute(side, constants)
        if name is not None and isinstance(value := expressions.operand(other, constants), (str, int, float)):
            comparison = relation.operator if side is relation.left else MIRRORED[relation.operator]
            return Fact(relation, name, comparison, value)
    return None


def attribute(node: Node, constants: Mapping[str, str]) -> str | None:
    """The attribute that an expression is, or whose number it is; `_1` and so on are names, too."""
    if isinstance(node, Conversion):
        node = node.operand
    return node.name if isinstance(node, Name) and node.name not in constants else None


def reads_requesters(node: Node, constants: Mapping[str, str]) -> bool:
    """Whether an expression may have the requesters' names in it, or a piece of them."""
    return any(
        isinstance(part, Dereference)
        or (isinstance(part, Name) and part.name not in constants and is_piece(part.name))
        for part in walk(node)
    )


def is_piece(name: str) -> bool:
    """Whether an attribute has the requesters' names, or may have a piece of them: a group of a match."""
    return name == REQUESTERS or is_group_name(name)
