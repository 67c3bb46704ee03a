# SPDX-License-Identifier: ISC
"""Conditions to callables, once, at load.

A test becomes a list of steps: a relation and two exits, where to go on if it holds and where if it does not. `&&`,
`||`, `!` and parentheses are nothing but exits, so a test of any depth runs in one loop, short-circuits in the order
of the text, and can be followed along both exits at once when an attribute is unknown. Exits only lead forward.

The clauses of a program stand in one list too, each with the place to go on at if its test fails, which is past the
clauses nested in it. Local constants are known here and compiled in.
"""

import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from keynote import expressions, regular_expressions
from keynote.environment import Environment, is_group_name, set_groups
from keynote.errors import EvaluationError
from keynote.expressions import Attribute
from keynote.generated import CompiledRelation, Decide, Predicate, one_function
from keynote.syntax import (
    And,
    Arithmetic,
    Clause,
    Comparison,
    Concatenation,
    Conversion,
    Dereference,
    Match,
    Name,
    Node,
    Not,
    Or,
    Program,
    Relation,
    Test,
    Truth,
    walk,
)

#: The exits that leave a test.
HOLDS: Final = -1
FAILS: Final = -2


@dataclass(frozen=True, slots=True, eq=False)
class CompiledClause:
    """One clause. `start` is the index of the first step, or an exit if the test is constant.

    `decide` does in one go what the steps do; it is None for tests that are too large. `relations` are the steps'
    nodes; `fallible` says which may end in a run-time error for some attributes, and `attributes` has the name of the
    attribute for those that compare just one with a constant.
    `value` is the compliance value's text or what computes it; None is _MAX_TRUST. A clause that `holds_others` has
    no value of its own. `parent` is the index of the clause this one is nested in, or -1.
    """

    node: Clause
    start: int
    steps: tuple[tuple[Predicate, int, int], ...]
    decide: Decide | None
    relations: tuple[Relation, ...]
    fallible: tuple[bool, ...]
    attributes: tuple[str | None, ...]
    value: str | Callable[[Environment], str] | None
    holds_others: bool
    parent: int
    next: int


@dataclass(frozen=True, slots=True, eq=False)
class CompiledProgram:
    """A Conditions field. `reads_groups`: its tests may read `_1` and so on, so what a match leaves behind counts."""

    clauses: tuple[CompiledClause, ...]
    reads_groups: bool


def compile_program(program: Program, constants: Mapping[str, str]) -> CompiledProgram:
    names = names_read(program)
    reads_groups = names is None or any(map(is_group_name, names))
    compiler = _Compiler(constants, reads_groups)
    return CompiledProgram(tuple(compiler.clauses(program)), reads_groups)


def names_read(program: Program) -> frozenset[str] | None:
    """The attributes and constants that a program names, or None if it computes a name, with `$`."""
    found = set()
    for node in walk(program):
        if isinstance(node, Dereference):
            return None
        if isinstance(node, Name):
            found.add(node.name)
    return frozenset(found)


class _Compiler:
    def __init__(self, constants: Mapping[str, str], reads_groups: bool) -> None:
        self._constants = constants
        self._reads_groups = reads_groups

    # -- clauses -----------------------------------------------------------------------------------------------------

    def clauses(self, program: Program) -> list[CompiledClause]:
        """The clauses in the order of the text, nested ones after the one they are nested in."""
        flat: list[tuple[Clause, int]] = []
        ends: dict[int, int] = {}
        todo: list[tuple[Clause, int] | int] = [(clause, -1) for clause in reversed(program.clauses)]
        while todo:
            item = todo.pop()
            if isinstance(item, int):
                ends[item] = len(flat)
                continue
            clause, number = item[0], len(flat)
            flat.append(item)
            todo.append(number)
            if isinstance(clause.value, Program):
                todo += [(nested, number) for nested in reversed(clause.value.clauses)]
        return [self._clause(clause, parent, ends[number]) for number, (clause, parent) in enumerate(flat)]

    def _clause(self, clause: Clause, parent: int, following: int) -> CompiledClause:
        start, steps = _steps(clause.test)
        relations = {relation: self._relation(relation) for relation, _, _ in steps}
        value: str | Callable[[Environment], str] | None = None
        if clause.value is not None and not isinstance(clause.value, Program):
            value = expressions.string(clause.value, self._constants)
        return CompiledClause(
            node=clause,
            start=start,
            steps=tuple((relations[relation].predicate, holds, fails) for relation, holds, fails in steps),
            decide=one_function(clause.test, relations),
            relations=tuple(relations),
            fallible=tuple(compiled.fallible for compiled in relations.values()),
            attributes=tuple(compiled.attribute for compiled in relations.values()),
            value=value,
            holds_others=isinstance(clause.value, Program),
            parent=parent,
            next=following,
        )

    # -- relations ---------------------------------------------------------------------------------------------------

    def _relation(self, relation: Relation) -> CompiledRelation:
        if isinstance(relation, Match):
            return self._match(relation)
        left = expressions.operand(relation.left, self._constants)
        right = expressions.operand(relation.right, self._constants)
        if isinstance(left, Attribute) and isinstance(right, str):
            return _attribute_comparison(left.name, relation.operator, right)
        if isinstance(right, Attribute) and isinstance(left, str):
            return _attribute_comparison(right.name, _MIRRORED[relation.operator], left)
        predicate = _comparison(_OPERATORS[relation.operator], _callable(left), _callable(right))
        fallible = _may_fail(left, relation.left) or _may_fail(right, relation.right)
        return CompiledRelation(predicate, fallible)

    def _match(self, relation: Match) -> CompiledRelation:
        subject = expressions.string(relation.subject, self._constants)
        pattern = expressions.string(relation.pattern, self._constants)
        compiled, certain = _pattern(pattern)
        predicate = (_match_with_groups if self._reads_groups else _match)(compiled, _callable(subject))
        return CompiledRelation(predicate, not certain or _may_fail(subject, relation.subject))


def _steps(test: Test) -> tuple[int, list[tuple[Relation, int, int]]]:
    """The relations of a test with their exits, and which comes first.

    Built from the end, because an exit can be named only when what it leads to has its place: a connective's right
    side comes first, and its beginning is an exit of the left side.
    """
    backwards: list[tuple[Relation, int, int]] = []
    todo: list[tuple[Test, int, int] | And | Or] = [(test, HOLDS, FAILS)]
    outer: list[tuple[int, int]] = []
    entry = FAILS
    while todo:
        item = todo.pop()
        if isinstance(item, (And, Or)):  # its right side is done, and begins at `entry`
            holds, fails = outer.pop()
            todo.append((item.left, entry, fails) if isinstance(item, And) else (item.left, holds, entry))
            continue
        node, holds, fails = item
        match node:
            case And() | Or():
                outer.append((holds, fails))
                todo += [node, (node.right, holds, fails)]
            case Not(operand=inner):
                todo.append((inner, fails, holds))
            case Truth(value=value):
                entry = holds if value else fails
            case Comparison() | Match():
                entry = len(backwards)
                backwards.append((node, holds, fails))
    last = len(backwards) - 1

    def place(number: int) -> int:
        return number if number < 0 else last - number

    return place(entry), [(relation, place(holds), place(fails)) for relation, holds, fails in reversed(backwards)]


# -- comparisons -----------------------------------------------------------------------------------------------------

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    ">": operator.gt,
    "<=": operator.le,
    ">=": operator.ge,
}
_MIRRORED: Final = {"==": "==", "!=": "!=", "<": ">", ">": "<", "<=": ">=", ">=": "<="}

# What most tests are, an attribute against a constant, without a call more than needed.
_WITH_ATTRIBUTE: Final[dict[str, Callable[[str, str], Predicate]]] = {
    "==": lambda name, text: lambda environment: environment.get(name, "") == text,
    "!=": lambda name, text: lambda environment: environment.get(name, "") != text,
    "<": lambda name, text: lambda environment: environment.get(name, "") < text,
    ">": lambda name, text: lambda environment: environment.get(name, "") > text,
    "<=": lambda name, text: lambda environment: environment.get(name, "") <= text,
    ">=": lambda name, text: lambda environment: environment.get(name, "") >= text,
}


def _attribute_comparison(name: str, operator: str, text: str) -> CompiledRelation:
    return CompiledRelation(_WITH_ATTRIBUTE[operator](name, text), False, name, operator, text)


def _comparison(
    compare: Callable[[Any, Any], bool], left: Callable[[Environment], Any], right: Callable[[Environment], Any]
) -> Predicate:
    return lambda environment: compare(left(environment), right(environment))


def _callable(value: Any) -> Callable[[Environment], Any]:
    return value if callable(value) else lambda environment: value


def _may_fail(operand: object, node: Node) -> bool:
    """Whether computing an operand may be a run-time error: numbers and strings have limits, and zero divides."""
    return callable(operand) and any(
        isinstance(inner, (Arithmetic, Conversion, Concatenation)) for inner in walk(node)
    )


# -- regular expressions ---------------------------------------------------------------------------------------------


def _pattern(pattern: str | Callable[[Environment], str]) -> tuple[Callable[[Environment], Any], bool]:
    """What gives the compiled pattern, and whether it is certain to be one."""
    if callable(pattern):
        computed = pattern
        return lambda environment: regular_expressions.computed(computed(environment)), False
    constant = pattern
    try:
        compiled = regular_expressions.compiled(constant)
    except EvaluationError as error:
        # RFC 2704 5.3.4: an invalid one is a run-time error of the test, each time.
        return _failing(str(error)), False
    return lambda environment: compiled, True


def _failing(message: str) -> Callable[[Environment], Any]:
    def fail(environment: Environment) -> NoReturn:
        raise EvaluationError(message)

    return fail


def _match(compiled: Callable[[Environment], Any], subject: Callable[[Environment], str]) -> Predicate:
    return lambda environment: compiled(environment).search(subject(environment).encode("latin-1")) is not None


def _match_with_groups(compiled: Callable[[Environment], Any], subject: Callable[[Environment], str]) -> Predicate:
    def matches(environment: Environment) -> bool:
        groups = regular_expressions.groups(compiled(environment), subject(environment))
        if groups is None:
            return False  # and what an earlier match left stays
        set_groups(environment, groups)
        return True

    return matches
