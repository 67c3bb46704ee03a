# SPDX-License-Identifier: ISC
"""Conditions texts of one form: equal but for what stands in their string literals, as those of many peers are.

The grammar does not look into string literals, so it would read such texts to trees that differ in these and in the
places of nodes only. So only the first text of a form is parsed, and of its tree a copy is made for each of the
others, in a third of the time. A text with a comment or a backslash is always parsed: there a quote need not begin a
literal.
"""

import re
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import Any

from keynote import grammar
from keynote.syntax import Literal, Node, Program, walk

_LITERAL = re.compile(r'"([^"\\\r\n\0]*)"')
_NOT_PLAIN = re.compile(r'["#\\]')

#: Makes one node, from those made before, the shifts of places, and the literals' texts.
_Step = Callable[[list[Node], list[int], list[str]], Node]


def conditions(text: str) -> Program:
    """As `grammar.conditions`."""
    pieces = _LITERAL.split(text)
    texts, frame = pieces[1::2], tuple(pieces[::2])
    if _NOT_PLAIN.search("".join(frame)):
        return grammar.conditions(text)
    form = _form(frame)
    if form.recipe is not None:
        return form.recipe.copy(texts)
    program = grammar.conditions(text)
    places = [match.start() for match in _LITERAL.finditer(text)]
    form.recipe = _Recipe(list(map(len, texts)), tuple(_steps(program, places)))
    return program


@dataclass(slots=True)
class _Form:
    recipe: "_Recipe | None" = None


# Texts from the network must not fill the memory: so few forms, and no long ones (see `keynote.assertions`).
@lru_cache(maxsize=128)
def _form(frame: tuple[str, ...]) -> _Form:
    return _Form()


@dataclass(frozen=True, slots=True)
class _Recipe:
    """How to make a tree of a form; `lengths` are those of the literals in the text that was parsed."""

    lengths: list[int]
    steps: tuple[_Step, ...]

    def copy(self, texts: list[str]) -> Program:
        grown = [len(text) - length for text, length in zip(texts, self.lengths, strict=True)]
        shifts = list(accumulate(grown, initial=0))
        made: list[Node] = []
        for step in self.steps:
            made.append(step(made, shifts, texts))
        program = made[-1]
        assert isinstance(program, Program)
        return program


def _steps(program: Program, literals: list[int]) -> list[_Step]:
    """What makes a copy of a tree, leaves first. `literals` has the place of each literal in the text."""
    steps: list[_Step] = []
    made: dict[Node, int] = {}
    for node in reversed(list(walk(program))):  # a walk comes to a node before it comes to its children
        made[node] = len(steps)
        before = bisect_left(literals, node.at)
        if isinstance(node, Literal):
            steps.append(_literal(node.at, before))
        else:
            values = [getattr(node, field.name) for field in fields(node)[1:]]
            steps.append(_node(type(node), node.at, before, [_value(value, made) for value in values]))
    return steps


def _literal(at: int, number: int) -> _Step:
    return lambda made, shifts, texts: Literal(at + shifts[number], texts[number])


def _node(kind: Callable[..., Node], at: int, before: int, values: list[Callable[[list[Node]], Any]]) -> _Step:
    return lambda made, shifts, texts: kind(at + shifts[before], *[value(made) for value in values])


def _value(value: object, made: dict[Node, int]) -> Callable[[list[Node]], Any]:
    if isinstance(value, Node):
        return itemgetter(made[value])
    if isinstance(value, tuple):
        numbers = [made[child] for child in value]
        return lambda done: tuple([done[number] for number in numbers])
    return lambda done: value
