# SPDX-License-Identifier: ISC
"""The syntax tree: frozen nodes, each with its offset in the text of its field.

`Assertion.where(node)` in `keynote.assertions` turns an offset into a Location. Nodes know nothing of the assertion
they stand in, so fields with equal text share one tree.

A tree is as deep as its text is nested, thousands of levels if need be. So nothing may walk it by recursion:
equality is identity, and `repr` goes through `keynote.printing`, which keeps its own stack.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, TypeVar


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Node:
    at: int

    def __repr__(self) -> str:
        from keynote.printing import printed  # the printer imports the nodes

        return f"<{type(self).__name__} {printed(self)}>"


# -- string expressions, RFC 2704 4.3.2 ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Literal(Node):
    """`"text"`, decoded."""

    text: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Name(Node):
    """An attribute or local constant. Where a test is wanted, the names `true` and `false` become a Truth."""

    name: str


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Dereference(Node):
    """`$operand`: the attribute that the operand names."""

    operand: "StringExpression"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Concatenation(Node):
    """`left . right`."""

    left: "StringExpression"
    right: "StringExpression"


StringExpression = Literal | Name | Dereference | Concatenation

# -- number expressions, RFC 2704 4.6.5 ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Number(Node):
    """A literal: an int is an integer, a float a floating-point number, and the two never mix."""

    value: int | float


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Conversion(Node):
    """`@operand` (to int) or `&operand` (to float)."""

    to: type[int] | type[float]
    operand: StringExpression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Negation(Node):
    """`-operand`."""

    operand: "NumberExpression"
    sort: type[int] | type[float]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Arithmetic(Node):
    """`left operator right`, the operator one of `+ - * / % ^`."""

    operator: str
    left: "NumberExpression"
    right: "NumberExpression"
    sort: type[int] | type[float]


NumberExpression = Number | Conversion | Negation | Arithmetic

# -- tests -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Truth(Node):
    """`true` or `false`."""

    value: bool


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Comparison(Node):
    """`left operator right`, the operator one of `== != < > <= >=`, both sides of one sort."""

    operator: str
    left: StringExpression | NumberExpression
    right: StringExpression | NumberExpression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Match(Node):
    """`subject ~= pattern`."""

    subject: StringExpression
    pattern: StringExpression


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class And(Node):
    left: "Test"
    right: "Test"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Or(Node):
    left: "Test"
    right: "Test"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Not(Node):
    operand: "Test"


Relation = Comparison | Match
Test = Truth | Relation | And | Or | Not


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Clause(Node):
    """`test;`, `test -> value;` or `test -> { clauses };`. Without a value the clause gives _MAX_TRUST."""

    test: Test
    value: "StringExpression | Program | None"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Program(Node):
    """The clauses of a Conditions field, or those between two braces."""

    clauses: tuple[Clause, ...]


# -- licensees, RFC 2704 4.6.4; a principal is a string expression ---------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AllOf(Node):
    """`left && right`."""

    left: "Licensees"
    right: "Licensees"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class AnyOf(Node):
    """`left || right`."""

    left: "Licensees"
    right: "Licensees"


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Threshold(Node):
    """`k-of(principals)`."""

    k: int
    principals: tuple[StringExpression, ...]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Nobody(Node):
    """A Licensees field that is there, and empty."""


Licensees = StringExpression | AllOf | AnyOf | Threshold | Nobody

# -- Local-Constants, RFC 2704 4.6.2 ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Assignment(Node):
    """`name = "text"`."""

    name: str
    text: str


_CHILDREN: Final[dict[type[Node], Callable[[Any], Iterable["Node | None"]]]] = {
    Program: lambda node: node.clauses,
    Threshold: lambda node: node.principals,
    Clause: lambda node: (node.test, node.value),
    **dict.fromkeys((Not, Negation, Conversion, Dereference), lambda node: (node.operand,)),
    **dict.fromkeys((And, Or, AllOf, AnyOf, Comparison, Arithmetic, Concatenation), attrgetter("left", "right")),
    Match: lambda node: (node.subject, node.pattern),
}


def walk(root: Node) -> Iterator[Node]:
    """`root` and all nodes below it, each before those below itself."""
    todo: list[Node | None] = [root]
    while todo:
        node = todo.pop()
        if node is None:
            continue
        yield node
        children = _CHILDREN.get(type(node))
        if children is not None:
            todo += children(node)


_N = TypeVar("_N", bound=Node)


def joined(
    root: _N, operator: type[And] | type[Or] | type[AllOf] | type[AnyOf] | type[Concatenation]
) -> Iterator[_N]:
    """What an operator joins, in the order of the text, however its uses are nested; `root` if it is another node."""
    todo: list[Any] = [root]
    while todo:
        node = todo.pop()
        if isinstance(node, operator):
            todo += (node.right, node.left)
        else:
            yield node


def leftmost(node: Node) -> Node:
    """The part of an expression whose text comes first. An operator's own place is in the middle of its text."""
    while True:
        match node:
            case Match(subject=left):
                node = left
            case And(left=left) | Or(left=left) | AllOf(left=left) | AnyOf(left=left):
                node = left
            case Comparison(left=left) | Arithmetic(left=left) | Concatenation(left=left):
                node = left
            case Clause(test=test):
                node = test
            case _:
                return node


# -- what a mistake leaves in the place of a node, so that the rest of the field is still read -----------------------


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Broken(Node):
    """Never part of a finished tree."""
