# SPDX-License-Identifier: ISC
"""Comparisons of one attribute with a constant, which is what most tests are, read with the attribute on the left."""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from keynote import expressions
from keynote.syntax import Conversion, Match, Name, Node, Relation

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
    for side, other, comparison in (
        (relation.left, relation.right, relation.operator),
        (relation.right, relation.left, MIRRORED[relation.operator]),
    ):
        name = attribute(side, constants)
        value = expressions.operand(other, constants) if name is not None else None
        if name is not None and isinstance(value, (str, int, float)):
            return Fact(relation, name, comparison, value)
    return None


def attribute(node: Node, constants: Mapping[str, str]) -> str | None:
    """The attribute that an expression is, or whose number it is; `_1` and so on are names, too."""
    if isinstance(node, Conversion):
        node = node.operand
    return node.name if isinstance(node, Name) and node.name not in constants else None
