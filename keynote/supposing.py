# SPDX-License-Identifier: ISC
"""Actions that could be: what a program may give if some attributes have other values than they have.

An action is supposed by what is known of it. What a test reads besides may be anything, so what is found never holds
of no such action, and what is found to hold may still not: tests of one attribute are not held against each other,
unless it has a value.
"""

import re
from collections.abc import Container, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

from keynote import expressions
from keynote.compiler import FAILS, HOLDS, CompiledClause, CompiledProgram
from keynote.conditions import UNKNOWN_GROUPS, Truth, set_group_state, truth_of, value_interval
from keynote.environment import Environment, PartialEnvironment, Scale, is_group_name
from keynote.errors import EvaluationError
from keynote.examples import examples
from keynote.facts import attribute, fact
from keynote.printing import printed
from keynote.syntax import (
    Arithmetic,
    Comparison,
    Conversion,
    Dereference,
    Literal,
    Match,
    Name,
    Negation,
    Node,
    Number,
    Relation,
    walk,
)

#: Values that are tried for an attribute.
VALUES: Final = 48


class Supposed(PartialEnvironment):
    """An action of which this is known. `other` is an unknown attribute that equals nothing it is compared with, or
    ""."""

    __slots__ = ("other",)

    def __init__(self, known: Environment, unknown: Container[str], other: str = "") -> None:
        super().__init__(known, unknown)
        self.other = other

    def is_unknown(self, name: str) -> bool:
        if name in self:
            return False
        return name in self.unknown or (self.groups_unknown and is_group_name(name))


class _Everything:
    """Contains every name."""

    def __contains__(self, name: object) -> bool:
        return True


class Also:
    """Contains these names, and what another container does."""

    def __init__(self, names: Container[str], others: Container[str]) -> None:
        self._names = names
        self._others = others

    def __contains__(self, name: object) -> bool:
        return name in self._names or name in self._others


def anything(scale: Scale, name: str = "", value: str | None = None) -> Supposed:
    """Any action by any requesters; with a name those in which that attribute has this value, or if it is None, one
    that it is not compared with."""
    known = {**scale.attributes}
    if name and value is not None:
        known[name] = value
    return Supposed(known, _Everything(), name if value is None else "")


def truth_if(clause: CompiledClause, number: int, action: PartialEnvironment, constants: Mapping[str, str]) -> Truth:
    """The truth of one step's relation in such an action, whatever was matched before."""
    truth, _ = truth_of(clause, number, action, UNKNOWN_GROUPS)
    relation = clause.relations[number]
    if truth is None and always_fails(relation, constants):
        return EvaluationError("division by zero")
    if truth is None and isinstance(action, Supposed) and action.other:
        tested = fact(relation, constants)
        if tested is not None and tested.name == action.other and isinstance(tested.value, str):
            return {"==": False, "!=": True}.get(tested.operator)
    return truth


def always_fails(relation: Relation, constants: Mapping[str, str]) -> bool:
    """Whether a relation divides by a constant zero, which is a run-time error whatever is divided."""
    return any(
        isinstance(node, Arithmetic)
        and node.operator in "/%"
        and isinstance(node.right, Number)
        and not node.right.value
        for node in walk(relation)
    )


def first_failure(program: CompiledProgram, scale: Scale) -> str:
    """A relation that is a run-time error whatever the action is, in words; "" if there is none."""
    action = anything(scale)
    for clause in program.clauses[:_CLAUSES]:
        for number, relation in enumerate(clause.relations[:_CLAUSES]):
            truth = truth_if(clause, number, action, program.constants)
            if isinstance(truth, EvaluationError):
                return f"{truth} in `{printed(relation, 200)}`"
    return ""


#: Looked at for a failure.
_CLAUSES: Final = 100


def highest_if(program: CompiledProgram, action: PartialEnvironment, scale: Scale) -> int:
    """The most that a program may give, as an index into the scale."""
    best, number = 0, 0
    while number < len(program.clauses):
        clause = program.clauses[number]
        if not _may_hold(clause, action, program.constants):
            number = clause.next
            continue
        if not clause.holds_others:
            set_group_state(action, UNKNOWN_GROUPS)
            best = max(best, value_interval(clause, action, scale)[1])
        number += 1
    return best


def _may_hold(clause: CompiledClause, action: PartialEnvironment, constants: Mapping[str, str]) -> bool:
    reached = {clause.start}
    for number, (_, holds, fails) in enumerate(clause.steps):
        if number not in reached:
            continue
        truth = truth_if(clause, number, action, constants)
        if isinstance(truth, EvaluationError):
            reached.add(FAILS)
        else:
            reached |= {holds, fails} if truth is None else {holds if truth else fails}
    return HOLDS in reached


# -- values that an attribute could have -----------------------------------------------------------------------------


def tried(relations: Iterable[tuple[Relation, Mapping[str, str]]], name: str) -> list[str]:
    """Values of an attribute with which these relations, each with its local constants, turn out otherwise, few: the
    constants that it is compared with, their neighbours, and texts that match."""
    first: dict[str, None] = {}
    neighbours: dict[str, None] = {}
    for relation, constants in relations:
        if len(first) >= VALUES:
            break
        tested = fact(relation, constants)
        if tested is None:
            if reads(relation, name, constants):
                first.update(dict.fromkeys(islice(_texts(relation, name, constants), VALUES)))
        elif tested.name == name:
            text, *others = _values(tested.value)
            first[text] = None
            neighbours.update(dict.fromkeys(others))
    found = dict.fromkeys([*first, *neighbours])
    return list(islice((value for value in found if "\0" not in value), VALUES))


def reads(relation: Relation, name: str, constants: Mapping[str, str]) -> bool:
    """Whether a relation reads an attribute, or may, where `$` names it."""
    return name not in constants and any(
        isinstance(node, Dereference) or (isinstance(node, Name) and node.name == name) for node in walk(relation)
    )


def near(text: str) -> Iterator[str]:
    """What an attribute has, and what comes next to it, as a text and as a number."""
    yield from (text, text + " ")
    if _INTEGER.fullmatch(text):
        yield from _values(int(text))


_INTEGER: Final = re.compile("-?[0-9]{1,18}")


def _values(value: str | int | float) -> Iterator[str]:
    if isinstance(value, str):
        yield from (value, value + " ", value[:-1], "")
    elif isinstance(value, int):
        with_limits = (str(number) for number in (value, value + 1, value - 1))
        yield from with_limits if abs(value) < _LARGE else ("0",)
    else:
        yield from (f"{value:f}", f"{value + 1:f}", f"{value - 1:f}")


#: Numbers beyond are of no use to anybody, and take time to write.
_LARGE: Final = 10**30


def _texts(relation: Relation, name: str, constants: Mapping[str, str]) -> Iterator[str]:
    """For a relation that is no comparison with a constant: what matches, and what stands in it."""
    if isinstance(relation, Match):
        pattern = expressions.string(relation.pattern, constants)
        if isinstance(pattern, str) and attribute(relation.subject, constants) == name:
            yield from examples(pattern)
            yield ""
            return
    if isinstance(relation, Comparison):
        yield from _computed(relation, name, constants)
    for node in walk(relation):
        if isinstance(node, Literal) and len(node.text) <= _LONG:
            yield from (node.text, "")
        elif isinstance(node, Number) or (isinstance(node, Conversion) and node.to is float):
            number = node.value if isinstance(node, Number) else 0
            yield from (*_values(number), "1", "0")
        elif isinstance(node, Name) and node.name in constants:
            yield constants[node.name]


def _computed(relation: Comparison, name: str, constants: Mapping[str, str]) -> Iterator[str]:
    """Values with which a number that is computed from an attribute is about the constant that it is compared with,
    found by computing backwards."""
    for side, other in ((relation.left, relation.right), (relation.right, relation.left)):
        wanted = expressions.operand(other, constants)
        if isinstance(wanted, (int, float)) and reads_name(side, name, constants):
            for start in (wanted, wanted + 1, wanted - 1):
                value = _backwards(side, start, name, constants)
                if value is not None and abs(value) < _LARGE:
                    yield str(value) if isinstance(value, int) else f"{value:f}"


def _backwards(node: Node, value: int | float, name: str, constants: Mapping[str, str]) -> int | float | None:
    """The number that an attribute has to be for an expression to have about this value, or None."""
    for _ in range(_DEEP):
        if isinstance(node, Conversion):
            return value if attribute(node, constants) == name else None
        if isinstance(node, Negation):
            node, value = node.operand, -value
            continue
        if not isinstance(node, Arithmetic):
            return None
        on_the_left = reads_name(node.left, name, constants)
        known = expressions.operand(node.right if on_the_left else node.left, constants)
        if not isinstance(known, (int, float)):
            return None
        match node.operator, on_the_left:
            case "+", _:
                value -= known
            case "-", True:
                value += known
            case "-", False:
                value = known - value
            case "/", True:
                value *= known
            case "/", False if value:
                value = _quotient(known, value)
            case "*", _ if known:
                value = _quotient(value, known)
            case "%", True:
                pass
            case _:
                return None
        if not abs(value) < _LARGE:
            return None
        node = node.left if on_the_left else node.right
    return None


def _quotient(dividend: int | float, divisor: int | float) -> int | float:
    whole = isinstance(dividend, int) and isinstance(divisor, int)
    return dividend // divisor if whole else dividend / divisor


def reads_name(root: Node, name: str, constants: Mapping[str, str]) -> bool:
    return name not in constants and any(isinstance(it, Name) and it.name == name for it in walk(root))


_LONG: Final = 10_000
#: Operators that are computed backwards.
_DEEP: Final = 8
