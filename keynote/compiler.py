# SPDX-License-Identifier: ISC
"""Conditions to callables, once, when a query first reaches them.

A test becomes a list of steps: a relation and two exits, where to go on if it holds and where if it does not. `&&`,
`||`, `!` and parentheses are nothing but exits, so a test of any depth runs in one loop, short-circuits in the order
of the text, and can be followed along both exits at once when an attribute is unknown. Exits only lead forward.

The clauses of a program stand in one list too, each with the place to go on at if its test fails, which is past the
clauses nested in it. Local constants are known here and compiled in.

That is how explanations and interval queries see a program. Where everything is known and no match leaves groups
behind, one generated function gives the same value faster (`keynote.generated`).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NoReturn

from keynote import expressions, regular_expressions
from keynote.environment import Environment, is_group_name, set_groups
from keynote.errors import EvaluationError
from keynote.expressions import Attribute
from keynote.facts import MIRRORED, OPERATORS
from keynote.generated import CompiledRelation, Generated, Predicate, one_function
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
    StringExpression,
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

    `relations` are the steps' nodes; `fallible` says which may end in a run-time error for some attributes, and
    `attributes` has the name of the attribute for those that compare just one with a constant.
    `value` is the compliance value's text or what computes it; None is _MAX_TRUST. A clause that `holds_others` has
    no value of its own. `parent` is the index of the clause this one is nested in, or -1.
    """

    node: Clause
    start: int
    steps: tuple[tuple[Predicate, int, int], ...]
    relations: tuple[Relation, ...]
    fallible: tuple[bool, ...]
    attributes: tuple[str | None, ...]
    value: str | Callable[[Environment], str] | None
    holds_others: bool
    parent: int
    next: int


@dataclass(frozen=True, eq=False)
class CompiledProgram:
    """A Conditions field, which most queries never reach: so it is compiled when one does."""

    program: Program
    constants: Mapping[str, str]

    @cached_property
    def reads_groups(self) -> bool:
        """Whether its tests may read `_1` and so on, so that what a match leaves behind counts."""
        names = names_read(self.program)
        return names is None or any(map(is_group_name, names))

    @cached_property
    def clauses(self) -> tuple[CompiledClause, ...]:
        """The clauses in the order of the text, nested ones after the one they are nested in."""
        return tuple(_Compiler(self.constants, self.reads_groups).clauses(self.program))

    @cached_property
    def generated(self) -> Generated | None:
        """What gives the value in one call, from the action's attributes alone. None if the program is too large for
        it, or reads what only the query knows: special attributes, groups, or anything, by `$`."""
        compiler = _Compiler(self.constants, False)
        relations: dict[Relation, CompiledRelation] = {}
        values: dict[Clause, str | None] = {}
        maximum: set[Node] = set()
        for node in walk(self.program):
            match node:
                case Dereference():
                    return None
                case Name(name=name) if name.startswith("_") and node not in maximum:
                    return None
                case Comparison() | Match():
                    relations[node] = compiler.relation(node)
                case Clause(value=value) if not isinstance(value, Program):
                    computed = compiler.value(value)
                    if callable(computed):
                        return None
                    values[node] = computed
                    if computed is None and value is not None:
                        maximum.add(value)
        return one_function(self.program, relations, values)


def compile_program(program: Program, constants: Mapping[str, str]) -> CompiledProgram:
    """A program that stands beside these local constants. Work is put off until its result is needed."""
    return CompiledProgram(program, constants)


def names_read(root: Node) -> frozenset[str] | None:
    """The attributes and constants that a node names, or None if it computes a name, with `$`."""
    found = set()
    for node in walk(root):
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
        compiled = tuple(self.relation(relation) for relation, _, _ in steps)
        return CompiledClause(
            node=clause,
            start=start,
            steps=tuple(
                (relation.predicate, holds, fails)
                for relation, (_, holds, fails) in zip(compiled, steps, strict=True)
            ),
            relations=tuple(relation for relation, _, _ in steps),
            fallible=tuple(relation.fallible for relation in compiled),
            attributes=tuple(relation.attribute for relation in compiled),
            value=self.value(clause.value),
            holds_others=isinstance(clause.value, Program),
            parent=parent,
            next=following,
        )

    def value(self, value: StringExpression | Program | None) -> str | Callable[[Environment], str] | None:
        if value is None or isinstance(value, Program):
            return None
        if isinstance(value, Name) and value.name == "_MAX_TRUST":
            return None
        return expressions.string(value, self._constants)

    # -- relations ---------------------------------------------------------------------------------------------------

    def relation(self, relation: Relation) -> CompiledRelation:
        if isinstance(relation, Match):
            return self._match(relation)
        left = expressions.operand(relation.left, self._constants)
        right = expressions.operand(relation.right, self._constants)
        if isinstance(left, Attribute) and isinstance(right, str):
            return _attribute_comparison(left.name, relation.operator, right)
        if isinstance(right, Attribute) and isinstance(left, str):
            return _attribute_comparison(right.name, MIRRORED[relation.operator], left)
        predicate = _comparison(OPERATORS[relation.operator], _callable(left), _callable(right))
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
