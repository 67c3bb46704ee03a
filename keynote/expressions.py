# SPDX-License-Identifier: ISC
"""String and number expressions to values, or to callables that compute them (RFC 2704 4.3.2, 4.4, 4.6.5)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, NoReturn

from keynote import values
from keynote.environment import Environment
from keynote.errors import EvaluationError
from keynote.syntax import (
    Arithmetic,
    Concatenation,
    Conversion,
    Dereference,
    Literal,
    Name,
    Negation,
    Number,
    NumberExpression,
    StringExpression,
)

Constants = Mapping[str, str]
Value = str | int | float


@dataclass(frozen=True, slots=True)
class Attribute:
    """Reads one attribute; an undefined one is empty."""

    name: str

    def __call__(self, environment: Environment) -> str:
        return environment.get(self.name, "")


def string(node: StringExpression, constants: Constants) -> str | Callable[[Environment], str]:
    """The text of an expression that depends on literals and constants only, or what computes it."""
    match node:
        case Literal(text=text):
            return text
        case Name(name=name):
            return constants[name] if name in constants else Attribute(name)
    result: str | Callable[[Environment], str] = _folded(node, constants)
    return result


def operand(
    node: StringExpression | NumberExpression, constants: Constants
) -> Value | Callable[[Environment], Value]:
    """One side of a comparison: its value if that is constant, or what computes it."""
    match node:
        case Number(value=value):
            return value
        case Literal() | Name():
            return string(node, constants)
    result: Value | Callable[[Environment], Value] = _folded(node, constants)
    return result


def _folded(node: StringExpression | NumberExpression, constants: Constants) -> Any:
    compute = _machine(_steps(node, constants))
    try:
        return compute(_NOTHING)
    except (_NotConstant, EvaluationError):
        return compute


class _NotConstant(Exception):
    """An expression reads an attribute."""


class _Nothing(Environment):
    """An environment to find out with whether an expression needs one."""

    def get(self, name: str, default: str = "") -> NoReturn:  # type: ignore[override]
        raise _NotConstant


_NOTHING: Final = _Nothing()

# -- a machine with a stack of values, because expressions may be nested more deeply than Python's own stack ---------

_Step = Callable[[list[Any], Environment], None]


def _machine(steps: tuple[_Step, ...]) -> Callable[[Environment], Any]:
    def run(environment: Environment) -> Any:
        stack: list[Any] = []
        for step in steps:
            step(stack, environment)
        return stack[0]

    return run


def _steps(node: StringExpression | NumberExpression, constants: Constants) -> tuple[_Step, ...]:
    steps: list[_Step] = []
    todo: list[StringExpression | NumberExpression | _Step] = [node]
    while todo:
        item = todo.pop()
        match item:
            case Literal(text=text):
                steps.append(_push(text))
            case Number(value=value):
                steps.append(_push(value))
            case Name(name=name):
                steps.append(_push(constants[name]) if name in constants else _push_attribute(name))
            case Dereference(operand=inner):
                todo += [_dereference(constants), inner]
            case Concatenation():
                parts = _parts(item)
                todo += [_join(len(parts)), *reversed(parts)]
            case Conversion(to=to, operand=inner):
                todo += [_apply(values.integer if to is int else values.floating), inner]
            case Negation(operand=number):
                todo += [_apply(values.negative), number]
            case Arithmetic(operator=operator, left=left, right=right, sort=sort):
                operations: Any = values.INTEGER_OPERATIONS if sort is int else values.FLOAT_OPERATIONS
                todo += [_apply_both(operations[operator]), right, left]
            case _:
                steps.append(item)
    return tuple(steps)


def _parts(node: Concatenation) -> list[StringExpression]:
    """What a chain of dots joins: `a . b . c` leans to the left, and is joined in one go."""
    backwards: list[StringExpression] = []
    left: StringExpression = node
    while isinstance(left, Concatenation):
        backwards.append(left.right)
        left = left.left
    return [left, *reversed(backwards)]


def _push(value: Value) -> _Step:
    return lambda stack, environment: stack.append(value)


def _push_attribute(name: str) -> _Step:
    return lambda stack, environment: stack.append(environment.get(name, ""))


def _dereference(constants: Constants) -> _Step:
    def step(stack: list[Any], environment: Environment) -> None:
        name = stack.pop()
        stack.append(constants[name] if name in constants else environment.get(name, ""))

    return step


def _join(count: int) -> _Step:
    def step(stack: list[Any], environment: Environment) -> None:
        stack[-count:] = [values.joined(stack[-count:])]

    return step


def _apply(function: Callable[[Any], Any]) -> _Step:
    def step(stack: list[Any], environment: Environment) -> None:
        stack[-1] = function(stack[-1])

    return step


def _apply_both(function: Callable[[Any, Any], Any]) -> _Step:
    def step(stack: list[Any], environment: Environment) -> None:
        right = stack.pop()
        stack[-1] = function(stack[-1], right)

    return step
