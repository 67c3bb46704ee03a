# SPDX-License-Identifier: ISC
"""Tests of one attribute against constant strings that cannot hold together: `x == "1" && x == "2"`."""

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from keynote.syntax import Comparison, Literal, Name, Test

_HOLDS: Final[dict[str, Callable[[str, str], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}


@dataclass(frozen=True, slots=True)
class Constraint:
    """An attribute, compared with a text."""

    name: str
    operator: str
    text: str


def constraint(test: Test) -> Constraint | None:
    """What a test says of one attribute, if it is a comparison with a constant string."""
    match test:
        case Comparison(operator=comparison, left=Name(name=name), right=Literal(text=text)):
            pass
        case Comparison(operator=other, left=Literal(text=text), right=Name(name=name)):
            comparison = _MIRRORED[other]
        case _:
            return None
    # `_1` is something else in each test.
    return None if name.startswith("_") else Constraint(name, comparison, text)


def contradictory(constraints: Iterable[Constraint]) -> bool:
    """Whether no values can meet them all. A doubt is no contradiction."""
    by_name: dict[str, list[Constraint]] = {}
    for one in constraints:
        by_name.setdefault(one.name, []).append(one)
    return any(len(of_one) > 1 and _cannot_be(of_one) for of_one in by_name.values())


def _cannot_be(constraints: list[Constraint]) -> bool:
    """Whether no text can be above all lower bounds and below all upper ones, or else be what it has to equal."""
    for one in constraints:
        if one.operator == "==":
            return not all(_HOLDS[other.operator](one.text, other.text) for other in constraints)
    lower = [one for one in constraints if one.operator in (">", ">=")]
    upper = [one for one in constraints if one.operator in ("<", "<=")]
    if not lower or not upper:
        return False
    low, high = max(one.text for one in lower), min(one.text for one in upper)
    strict = any(one.operator in "<>" and one.text in (low, high) for one in constraints)
    return low > high or (low == high and strict)
