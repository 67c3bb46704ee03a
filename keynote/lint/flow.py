# SPDX-License-Identifier: ISC
"""What must be true where a test holds: sets of values for each attribute, carried through the text.

A state has for each attribute that a test narrowed the values that it can still have, each attribute by itself. Where
two ways meet, the sets unite. So a state allows for all that can be, and perhaps for more: it proves that something
cannot be, that something always is, and nothing else. A relation that compares no attribute with a constant is an
attribute of its own, true or false, known by its text.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from keynote import expressions, facts, regular_expressions
from keynote.errors import EvaluationError
from keynote.exact_text import exact_text
from keynote.facts import OPERATORS, OPPOSITE
from keynote.lint import patterns
from keynote.sets import NOTHING, Set, Value, compared, everything, only
from keynote.syntax import (
    And,
    Comparison,
    Conversion,
    Dereference,
    Match,
    Name,
    Node,
    Not,
    Or,
    Relation,
    Test,
    Truth,
    walk,
)
from keynote.values import integer

#: What has no entry can be anything. Keys are `name`, `@name`, and `?` with the text of a relation.
State: TypeAlias = Mapping[str, Set]
#: None: this place is never reached.
Reached: TypeAlias = State | None

ANYTHING: Final[State] = {}
#: Relations in one test, beyond which it is not followed.
MOST_RELATIONS: Final = 1000


@dataclass(frozen=True, slots=True, eq=False)
class Fact:
    """A comparison of an attribute with a constant of which the set of values is known: `name operator value`."""

    relation: Relation
    name: str
    operator: str
    value: Value

    @property
    def key(self) -> str:
        return self.name if isinstance(self.value, str) else f"@{self.name}"


def fact(relation: Relation, constants: Mapping[str, str]) -> Fact | None:
    """None for any other relation, one of floats and a regular expression's too."""
    found = any_fact(relation, constants)
    if found is None or isinstance(found.value, float) or found.name.startswith("_"):
        return None
    return Fact(relation, found.name, found.operator, found.value)


def any_fact(relation: Relation, constants: Mapping[str, str]) -> facts.Fact | None:
    """The same, of floats and of names that begin with an underscore too."""
    if isinstance(relation, Comparison):
        left, right = (_direct(side, constants) for side in (relation.left, relation.right))
        if left is not relation.left or right is not relation.right:
            relation = replace(relation, left=left, right=right)
    return facts.fact(relation, constants)


def _direct(node: Node, constants: Mapping[str, str]) -> Any:
    """`$"name"` as `name`, which it is."""
    if isinstance(node, Conversion):
        inner = _direct(node.operand, constants)
        return node if inner is node.operand else replace(node, operand=inner)
    name = dereferenced(node, constants)
    return node if name is None else Name(node.at, name)


def dereferenced(node: Node, constants: Mapping[str, str]) -> str | None:
    """The name that a `$` reads, if the action has no say in it."""
    if not isinstance(node, Dereference):
        return None
    try:
        name = expressions.string(node.operand, constants)
    except EvaluationError:
        return None
    return name if isinstance(name, str) else None


def attribute(node: Node, constants: Mapping[str, str]) -> str | None:
    """The attribute that an expression is, or whose number it is."""
    name = facts.attribute(_direct(node, constants), constants)
    return None if name is None or name.startswith("_") else name


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """A relation, the state in which it is met, and those that it leads to if it holds and if it fails; `negated`:
    the test wants it to fail. `fact` is what it compares, if that is an attribute with a constant."""

    relation: Relation
    fact: Fact | None
    negated: bool
    before: State
    holds: Reached
    fails: Reached


@dataclass(frozen=True, slots=True, eq=False)
class Flow:
    """The state where the test holds, None if it never does, and the passages that are ever reached."""

    holds: Reached
    passages: tuple[Passage, ...]


def follow(test: Test, start: State, constants: Mapping[str, str], schema: Mapping[str, Set]) -> Flow:
    """`schema` has the values of the attributes of which they are known."""
    if sum(isinstance(node, (Comparison, Match)) for node in walk(test)) > MOST_RELATIONS:
        return Flow(start, ())
    passages: list[Passage] = []
    # Connectives are walked on a stack of their own: tests nest by the thousand. A test takes the state it begins in
    # and leaves a pair: where it holds, where it fails; or None for one that nobody asks for (`wanted`).
    results: list[tuple[Reached, Reached]] = []
    todo: list[tuple[str, Test, bool, Reached, tuple[bool, bool]]] = [("test", test, False, start, (True, False))]
    while todo:
        step, node, negated, state, wanted = todo.pop()
        match node, step:
            case And(), "test":
                todo += [
                    ("right", node, negated, None, wanted),
                    ("test", node.left, negated, state, (True, wanted[1])),
                ]
            case Or(), "test":
                todo += [
                    ("right", node, negated, None, wanted),
                    ("test", node.left, negated, state, (wanted[0], True)),
                ]
            case ((And() | Or()), "right"):
                # A connective's right side is met where its left side did not settle the matter.
                begin = results[-1][0 if isinstance(node, And) else 1]
                todo += [("join", node, negated, None, wanted), ("test", node.right, negated, begin, wanted)]
            case And(), _:
                (right, right_fails), (_, left_fails) = results.pop(), results.pop()
                results.append((right, _joined(left_fails, right_fails) if wanted[1] else None))
            case Or(), _:
                (right, right_fails), (left, _) = results.pop(), results.pop()
                results.append((_joined(left, right) if wanted[0] else None, right_fails))
            case Not(operand=inner), "test":
                todo += [
                    ("swap", node, negated, None, wanted),
                    ("test", inner, not negated, state, (wanted[1], wanted[0])),
                ]
            case Not(), _:
                holds, fails = results.pop()
                results.append((fails, holds))
            case Truth(value=truth), _:
                results.append((state, None) if truth else (None, state))
            case ((Comparison() | Match()), _) if state is None:
                results.append((None, None))
            case ((Comparison() | Match()), _):
                assert state is not None, "the case above"
                known = fact(node, constants)
                if known is not None:
                    exits = _narrowed_both(known, state, schema)
                else:
                    exits = _exits(node, state, constants, schema)
                passages.append(Passage(node, known, negated, state, *exits))
                results.append(exits)
    return Flow(results[0][0], tuple(passages))


def _joined(one: Reached, other: Reached) -> Reached:
    if one is None or other is None:
        return other if one is None else one
    if one is other:
        return one
    return {key: one[key] | other[key] for key in one.keys() & other.keys()}


# -- relations -------------------------------------------------------------------------------------------------------


def _exits(
    relation: Relation, state: State, constants: Mapping[str, str], schema: Mapping[str, Set]
) -> tuple[Reached, Reached]:
    """Of a relation that is no fact."""
    if isinstance(relation, Match):
        return _matched(relation, state, constants, schema)
    truth = constant_truth(relation, constants)
    if isinstance(truth, EvaluationError):
        return None, None  # which fails the whole test, whatever stands around it
    if truth is not None:
        return (state, None) if truth else (None, state)
    name = _only_attribute(relation, constants)
    values = None if name is None else values_of(state, name, schema).values
    if name is None:
        return _opaque(relation, state)
    if values is None or len(values) > _FEW:
        return _empty_or_not(relation, name, state, constants, schema)
    return _tried(relation, name, map(str, values), state, constants, schema)


#: Values of an attribute that are tried one by one.
_FEW: Final = 64


def _only_attribute(relation: Comparison, constants: Mapping[str, str]) -> str | None:
    """The one attribute on which a relation depends."""
    if is_fleeting(relation):
        return None
    names = {node.name for node in walk(relation) if isinstance(node, Name) and node.name not in constants}
    return names.pop() if len(names) == 1 else None


def _empty_or_not(
    relation: Comparison, name: str, state: State, constants: Mapping[str, str], schema: Mapping[str, Set]
) -> tuple[Reached, Reached]:
    """Of a relation that depends on one attribute, which has many values: what it says if there is none."""
    holds, fails = _opaque(relation, state)
    left, right = (expressions.operand(side, constants) for side in (relation.left, relation.right))
    try:
        sides = [side({name: ""}) if callable(side) else side for side in (left, right)]
        truth: bool | None = OPERATORS[relation.operator](*sides)
    except EvaluationError:
        truth = None
    there = compared("!=", "")
    if truth is not True:
        holds = holds and narrowed(holds, name, there, schema)
    if truth is not False:
        fails = fails and narrowed(fails, name, there, schema)
    return holds, fails


def _tried(
    relation: Comparison,
    name: str,
    values: Iterable[str],
    state: State,
    constants: Mapping[str, str],
    schema: Mapping[str, Set],
) -> tuple[Reached, Reached]:
    """Of a relation that depends on one attribute, which has few values."""
    left, right = (expressions.operand(side, constants) for side in (relation.left, relation.right))
    good: list[str] = []
    bad: list[str] = []
    for value in values:
        environment = {name: value}
        try:
            sides = [side(environment) if callable(side) else side for side in (left, right)]
            (good if OPERATORS[relation.operator](*sides) else bad).append(value)
        except EvaluationError:
            continue  # with this value the whole test fails
    if name not in state and not (good and bad):
        return _opaque(relation, state)  # told as a mistake of its own
    return narrowed(state, name, only(good), schema), narrowed(state, name, only(bad), schema)


def constant_truth(relation: Relation, constants: Mapping[str, str]) -> bool | EvaluationError | None:
    """What a relation between constants always is; None if it depends on the action."""
    if isinstance(relation, Match):
        return None
    try:
        sides = [_constant(side, constants) for side in (relation.left, relation.right)]
    except EvaluationError as error:
        return error
    left, right = sides
    if left is None or right is None:
        return None
    return OPERATORS[relation.operator](left, right)


def _constant(node: Node, constants: Mapping[str, str]) -> Value | float | None:
    value = expressions.operand(node, constants)  # type: ignore[arg-type]
    if not callable(value):
        return value
    reads = any(
        isinstance(inner, Dereference) or (isinstance(inner, Name) and inner.name not in constants)
        for inner in walk(node)
    )
    return None if reads else value({})  # what is not constant without reading anything is an error


def _narrowed_both(known: Fact, state: State, schema: Mapping[str, Set]) -> tuple[Reached, Reached]:
    domain = schema.get(known.name)
    if domain is not None and isinstance(known.value, str) and known.value not in domain:
        # A value that the attribute never has is told as such; what follows from it is no news.
        return _opaque(known.relation, state)
    return (
        narrowed(state, known.name, compared(known.operator, known.value), schema),
        narrowed(state, known.name, compared(OPPOSITE[known.operator], known.value), schema),
    )


def narrowed(state: State, name: str, values: Set, schema: Mapping[str, Set]) -> Reached:
    """The state in which the attribute is one of these strings, or the number that it is one of these integers."""
    if not values:
        return None
    if isinstance(values.cuts[-1][1], int):
        return _narrowed_number(state, name, values)
    left = _with_number(values_of(state, name, schema) & values, state.get(f"@{name}"))
    return {**state, name: left} if left else None


def _narrowed_number(state: State, name: str, values: Set) -> Reached:
    left = state.get(f"@{name}", everything(int)) & values
    if not left:
        return None
    state = {**state, f"@{name}": left}
    if name in state:
        texts = _with_number(state[name], left)
        if not texts:
            return None
        state = {**state, name: texts}
    # What is empty is 0 as a number.
    return state if 0 in left else narrowed(state, name, compared("!=", ""), {})


def _with_number(texts: Set, numbers: Set | None) -> Set:
    """Those of a few texts whose numbers are among these."""
    values = None if numbers is None else texts.values
    if values is None or numbers is None or len(values) > _FEW:
        return texts
    try:
        return only([text for text in values if integer(str(text)) in numbers])
    except EvaluationError:
        return texts


def values_of(state: State, name: str, schema: Mapping[str, Set]) -> Set:
    found = state.get(name)
    return found if found is not None else schema.get(name, everything(str))


def _matched(
    relation: Match, state: State, constants: Mapping[str, str], schema: Mapping[str, Set]
) -> tuple[Reached, Reached]:
    pattern = expressions.string(relation.pattern, constants)
    if callable(pattern):
        return _opaque(relation, state)
    try:
        compiled = regular_expressions.compiled(pattern)
    except EvaluationError:
        return None, None
    subject = expressions.string(relation.subject, constants)
    if isinstance(subject, str):
        matches = compiled.search(subject.encode("latin-1")) is not None
        return (state, None) if matches else (None, state)
    name = attribute(relation.subject, constants)
    if name is None:
        return _opaque(relation, state)
    values = values_of(state, name, schema).values
    if values is not None:
        good = [value for value in values if compiled.search(str(value).encode("latin-1")) is not None]
        bad = [value for value in values if value not in good]
        if not good and name not in state:
            return _opaque(relation, state)  # a pattern for values that the attribute never has
        return narrowed(state, name, only(good), schema), narrowed(state, name, only(bad), schema)
    exact = patterns.words(pattern)
    if exact is not None:
        other = everything(str)
        for word in exact:
            other = other & compared("!=", word)
        return narrowed(state, name, only(exact), schema), narrowed(state, name, other, schema)
    holds, fails = _opaque(relation, state)
    of_empty = compiled.search(b"") is not None
    if of_empty:
        fails = fails and narrowed(fails, name, compared("!=", ""), schema)
    else:
        holds = holds and narrowed(holds, name, compared("!=", ""), schema)
    found = patterns.beginnings(pattern)
    if found is not None:
        begun = NOTHING
        for text in found:
            following = text[:-1] + chr(ord(text[-1]) + 1)
            begun |= compared(">=", text) & compared("<", following)
        holds = holds and narrowed(holds, name, begun, schema)
    return holds, fails


def _opaque_key(relation: Relation) -> str:
    return f"?{exact_text(relation)}"


def _opaque(relation: Relation, state: State) -> tuple[Reached, Reached]:
    """A relation of which nothing is known, but that it is the same each time."""
    if is_fleeting(relation):
        return state, state
    key = _opaque_key(relation)
    found = state.get(key, _EITHER)
    holds, fails = found & _TRUE, found & _FALSE
    return ({**state, key: holds} if holds else None), ({**state, key: fails} if fails else None)


def must_match(state: State, relation: Relation, name: str, value: str, constants: Mapping[str, str]) -> bool:
    """Whether an attribute matches a pattern wherever the state is, and this value of it does."""
    if not isinstance(relation, Match) or state.get(_opaque_key(relation)) != _TRUE:
        return False
    if attribute(relation.subject, constants) != name:
        return False
    return _matched(relation, {name: only([value])}, constants, {})[0] is not None


def is_fleeting(node: Node) -> bool:
    """Whether an expression may read `_1`, which another match changes."""
    return any(
        isinstance(inner, Dereference) or (isinstance(inner, Name) and inner.name.startswith("_"))
        for inner in walk(node)
    )


_TRUE: Final = only(["true"])
_FALSE: Final = only(["false"])
_EITHER: Final = _TRUE | _FALSE
