# SPDX-License-Identifier: ISC
"""A test as one Python function, for speed: a call for each relation is most of what a query costs.

The source is put together from a few fixed words and numbered names; attribute names, texts and predicates are handed
over as values of those names. So no word of a policy ever becomes Python, and tests of the same shape share one code
object. docs/decisions/0104 has the reasons and the figures.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import CodeType
from typing import Any, Final

from keynote.environment import Environment
from keynote.syntax import And, Not, Or, Relation, Test, Truth

Predicate = Callable[[Environment], bool]
#: Called with an environment and its `get`.
Decide = Callable[[Environment, Callable[[str, str], str]], bool]

# Tests beyond these are left to the steps of `keynote.compiler`, which know no limit.
_DEPTH: Final = 12
_RELATIONS: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRelation:
    """What decides a relation. `fallible`: it may end in a run-time error, for some attributes. `attribute`,
    `operator` and `text` are given if it compares an attribute with a constant string."""

    predicate: Predicate
    fallible: bool
    attribute: str | None = None
    operator: str = ""
    text: str = ""


def one_function(test: Test, relations: Mapping[Relation, CompiledRelation]) -> Decide | None:
    """A function that decides the test, or None if the test is too large for one."""
    if len(relations) > _RELATIONS:
        return None
    generator = _Generator(relations)
    try:
        source = generator.expression(test, 0)
    except _TooDeep:
        return None
    function: Decide = eval(_code(f"lambda environment, get: {source}"), generator.names)
    return function


class _TooDeep(Exception):
    pass


@functools.lru_cache(maxsize=512)
def _code(source: str) -> CodeType:
    return compile(source, "<keynote test>", "eval")


class _Generator:
    def __init__(self, relations: Mapping[Relation, CompiledRelation]) -> None:
        self._relations = relations
        self.names: dict[str, Any] = {"__builtins__": {}}

    def expression(self, test: Test, depth: int) -> str:
        if depth > _DEPTH:
            raise _TooDeep
        match test:
            case And():
                return " and ".join(f"({self.expression(part, depth + 1)})" for part in _chain(test, And))
            case Or():
                return " or ".join(f"({self.expression(part, depth + 1)})" for part in _chain(test, Or))
            case Not(operand=operand):
                return f"not ({self.expression(operand, depth + 1)})"
            case Truth(value=value):
                return "True" if value else "False"
        return self._relation(self._relations[test])

    def _relation(self, relation: CompiledRelation) -> str:
        number = len(self.names)
        if relation.attribute is None:
            self.names[f"predicate{number}"] = relation.predicate
            return f"predicate{number}(environment)"
        self.names[f"name{number}"] = relation.attribute
        self.names[f"text{number}"] = relation.text
        return f"get(name{number}, '') {relation.operator} text{number}"


def _chain(test: And | Or, connective: type[And] | type[Or]) -> list[Test]:
    """The operands of a chain such as `a && b && c`, which leans to the left."""
    backwards: list[Test] = []
    node: Test = test
    while isinstance(node, connective):
        backwards.append(node.right)
        node = node.left
    return [node, *reversed(backwards)]
