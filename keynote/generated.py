# SPDX-License-Identifier: ISC
"""A Conditions field as one Python function, for speed: calls are most of what a query costs.

The source is put together from a few fixed words and numbered names; attribute names, texts and predicates are handed
over as values of those names. So no word of a policy ever becomes Python, and fields of the same shape share one code
object. docs/decisions/0104 has the reasons and the figures.

What stands in the function are comparisons of an attribute with a constant, each as it has to turn out for the test
to hold: a negation is moved down to them. So the more of them hold, the higher the value, and an interval query can
call the same function with an attribute that every comparison holds of, or that none does.
"""

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from keynote.environment import Environment
from keynote.errors import EvaluationError
from keynote.facts import OPPOSITE
from keynote.syntax import And, Clause, Not, Or, Program, Relation, Test, Truth

Predicate = Callable[[Environment], bool]
#: Called with an environment, its `get`, and of a scale the `get` of its index and its top: the Conditions value.
Function = Callable[[Environment, Callable[[str, str], str], Callable[[str, int], int], int], int]

# Programs beyond these are left to the steps of `keynote.compiler`, which know no limit.
_DEPTH: Final = 12
_PARTS: Final = 300


@dataclass(frozen=True, slots=True, eq=False)
class CompiledRelation:
    """What decides a relation. `fallible`: it may end in a run-time error, for some attributes. `attribute`,
    `operator` and `text` are given if it compares an attribute with a constant string."""

    predicate: Predicate
    fallible: bool
    attribute: str | None = None
    operator: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Generated:
    """`attributes` has all that the function reads, if it only compares attributes with constants."""

    function: Function
    attributes: frozenset[str] | None


def one_function(
    program: Program, relations: Mapping[Relation, CompiledRelation], values: Mapping[Clause, str | None]
) -> Generated | None:
    """A function that gives the value of a program, or None if the program is too large for one.

    `values` has the value of each clause that has one, all of them constant; None is _MAX_TRUST. No relation may read
    special attributes, the groups of a match among them.
    """
    if len(relations) + len(values) > _PARTS:
        return None
    generator = _Generator(relations, values)
    try:
        body = generator.body(program)
    except _TooDeep:
        return None
    bind = _code(body, len(generator.constants))
    simple = all(relation.attribute is not None for relation in relations.values())
    attributes = frozenset(str(relation.attribute) for relation in relations.values()) if simple else None
    return Generated(bind(*generator.constants), attributes)


class _TooDeep(Exception):
    pass


@functools.lru_cache(maxsize=256)
def _code(body: str, constants: int) -> Callable[..., Function]:
    """What makes a function of this shape, given its constants."""
    names = ", ".join(f"c{number}" for number in range(constants))
    source = f"""\
def bind({names}):
  def conditions(environment, get, rank, top):
{body}
  return conditions
"""
    namespace: dict[str, Any] = {"__builtins__": {}, "EvaluationError": EvaluationError}
    exec(compile(source, "<keynote conditions>", "exec"), namespace)
    bind: Callable[..., Function] = namespace["bind"]
    return bind


class _Generator:
    def __init__(self, relations: Mapping[Relation, CompiledRelation], values: Mapping[Clause, str | None]) -> None:
        self._relations = relations
        self._values = values
        self.constants: list[object] = []
        self._lines: list[str] = []

    def body(self, program: Program) -> str:
        if len(program.clauses) == 1 and program.clauses[0] in self._values:
            test, fallible = self._test(program.clauses[0].test, False, 0)
            if not fallible:  # nearly all are like this
                return f"    return {self._value(program.clauses[0])} if {test} else 0"
            self.constants.clear()
        self._program(program, 0)
        return "\n".join(["    best = 0", *self._lines, "    return best"])

    def _program(self, program: Program, depth: int) -> None:
        if depth > _DEPTH:
            raise _TooDeep
        for clause in program.clauses:
            self._clause(clause, depth)

    def _clause(self, clause: Clause, depth: int) -> None:
        indent = "    " + " " * depth
        test, fallible = self._test(clause.test, False, 0)
        if fallible:
            # RFC 2704 5.3.4: a run-time error makes the test false, whatever stands around it.
            self._lines += [f"{indent}try: holds = {test}", f"{indent}except EvaluationError: holds = False"]
            test = "holds"
        self._lines.append(f"{indent}if {test}:")
        if isinstance(clause.value, Program):
            self._lines.append(f"{indent} pass")
            self._program(clause.value, depth + 1)
            return
        self._lines += [
            f"{indent} value = {self._value(clause)}",
            f"{indent} if value > best:",
            f"{indent}  if value == top: return value",
            f"{indent}  best = value",
        ]

    def _value(self, clause: Clause) -> str:
        value = self._values[clause]
        return "top" if value is None else f"rank({self._constant(value)}, 0)"

    def _test(self, test: Test, negated: bool, depth: int) -> tuple[str, bool]:
        """The source of a test or of its opposite, and whether it may end in a run-time error."""
        if depth > _DEPTH:
            raise _TooDeep
        match test:
            case And() | Or():
                connective = type(test)
                parts = [self._test(part, negated, depth + 1) for part in _chain(test, connective)]
                word = " and " if (connective is And) != negated else " or "
                return word.join(f"({source})" for source, _ in parts), any(fallible for _, fallible in parts)
            case Not(operand=operand):
                return self._test(operand, not negated, depth + 1)
            case Truth(value=value):
                return str(value != negated), False
        return self._relation(self._relations[test], negated)

    def _relation(self, relation: CompiledRelation, negated: bool) -> tuple[str, bool]:
        if relation.attribute is None:
            call = f"{self._constant(relation.predicate)}(environment)"
            return f"not {call}" if negated else call, relation.fallible
        name, text = self._constant(relation.attribute), self._constant(relation.text)
        operator = OPPOSITE[relation.operator] if negated else relation.operator
        return f"get({name}, '') {operator} {text}", False

    def _constant(self, value: object) -> str:
        self.constants.append(value)
        return f"c{len(self.constants) - 1}"


def _chain(test: And | Or, connective: type[And] | type[Or]) -> list[Test]:
    """The operands of a chain such as `a && b && c`, which leans to the left."""
    backwards: list[Test] = []
    node: Test = test
    while isinstance(node, connective):
        backwards.append(node.right)
        node = node.left
    return [node, *reversed(backwards)]
