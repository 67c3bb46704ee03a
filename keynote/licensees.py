# SPDX-License-Identifier: ISC
"""The Licensees compliance value of an assertion (RFC 2704 5.3.5).

The field is compiled to a list of steps on a stack of values, as an expression may be nested more deeply than
Python's own stack. Most are a single principal, and need no steps.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from keynote import expressions, principals
from keynote.environment import Environment
from keynote.syntax import (
    AllOf,
    AnyOf,
    Concatenation,
    Dereference,
    Licensees,
    Literal,
    Name,
    Nobody,
    Node,
    StringExpression,
    Threshold,
)

Values = dict[str, int]
#: A principal's canonical text, or what computes the text from the action.
Principal = str | Callable[[Environment], str]

_Step = Callable[[list[int], Values], None]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CompiledLicensees:
    """`principals` has every principal named, in the order of the text and without repetition."""

    principals: tuple[str, ...]
    steps: tuple[_Step, ...]

    @property
    def only(self) -> str | None:
        """The principal of a field that is one principal."""
        return self.principals[0] if self.principals and not self.steps else None

    def value(self, values: Values) -> int:
        """The field's value, given the principals' values; a principal without one has the lowest."""
        if not self.steps:
            return values.get(self.principals[0], 0) if self.principals else 0
        stack: list[int] = []
        for step in self.steps:
            step(stack, values)
        return stack[0]


NOBODY: Final = CompiledLicensees((), ())


def single(principal: str) -> CompiledLicensees:
    return CompiledLicensees((principal,), ())


def principal_nodes(tree: Licensees) -> Iterable[StringExpression]:
    """The principals of a Licensees field, in the order of the text."""
    return (tree,) if isinstance(tree, (Literal, Name)) else _principal_nodes(tree)


def _principal_nodes(tree: Licensees) -> Iterator[StringExpression]:
    todo: list[Licensees] = [tree]
    while todo:
        node = todo.pop()
        match node:
            case AllOf(left=left, right=right) | AnyOf(left=left, right=right):
                todo += [right, left]
            case Threshold(principals=members):
                todo += reversed(members)
            case Literal() | Name() | Dereference() | Concatenation():
                yield node


def resolve(tree: Licensees, constants: Mapping[str, str]) -> dict[StringExpression, Principal]:
    """The canonical principal of each node, or what computes its text. Raises UndecodableKey."""
    resolved: dict[StringExpression, Principal] = {}
    for node in principal_nodes(tree):
        text = expressions.string(node, constants)
        resolved[node] = principals.canonical(text) if isinstance(text, str) else text
    return resolved


def compile_licensees(tree: Licensees, names: Mapping[StringExpression, str]) -> CompiledLicensees:
    """`names` has the canonical principal of each node of the tree that names one."""
    distinct = tuple(dict.fromkeys(names.values()))
    if isinstance(tree, Nobody):
        return NOBODY
    if not isinstance(tree, (AllOf, AnyOf, Threshold)):
        return single(names[tree])
    steps: list[_Step] = []
    todo: list[Licensees | _Step] = [tree]
    while todo:
        item = todo.pop()
        match item:
            case AllOf(left=left, right=right):
                todo += [_combine(min), right, left]
            case AnyOf(left=left, right=right):
                todo += [_combine(max), right, left]
            case Threshold(k=k, principals=members):
                steps.append(_threshold(k, tuple(names[member] for member in members)))
            case Nobody():
                raise AssertionError("an empty field has no operators")
            case Node():
                steps.append(_push(names[item]))
            case _:
                steps.append(item)
    return CompiledLicensees(distinct, tuple(steps))


def _push(principal: str) -> _Step:
    return lambda stack, values: stack.append(values.get(principal, 0))


def _combine(choose: Callable[[int, int], int]) -> _Step:
    def step(stack: list[int], values: Values) -> None:
        right = stack.pop()
        stack[-1] = choose(stack[-1], right)

    return step


def _threshold(k: int, members: tuple[str, ...]) -> _Step:
    """The k-th highest value; one that occurs several times counts as often."""

    def step(stack: list[int], values: Values) -> None:
        stack.append(sorted((values.get(member, 0) for member in members), reverse=True)[k - 1])

    return step
