# SPDX-License-Identifier: ISC
"""Which expressions go together: the typing of RFC 2704 4.6.5, checked node by node as the parser builds them.

The RFC's grammar has one production per sort (IntRelExpr, FloatRelExpr, StringRelExpr), which accepts the same
texts but can only say "syntax error" to `a < 5`. Here the grammar has one sort of expression, and the functions of
this module make the node, or raise Mismatch with the words that help. docs/decisions/0101 has the reasons.
"""

import math

from keynote import limits
from keynote.errors import KeynoteError
from keynote.syntax import (
    AllOf,
    And,
    AnyOf,
    Arithmetic,
    Clause,
    Comparison,
    Concatenation,
    Conversion,
    Dereference,
    Licensees,
    Literal,
    Match,
    Name,
    Negation,
    Nobody,
    Node,
    Not,
    Number,
    NumberExpression,
    Or,
    Program,
    StringExpression,
    Test,
    Threshold,
    Truth,
)


class Mismatch(KeynoteError):
    """An expression stands where one of another sort is wanted."""

    def __init__(self, at: int, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.at, self.message, self.hint = at, message, hint


_STRINGS = (Literal, Name, Dereference, Concatenation)
_NUMBERS = (Number, Conversion, Negation, Arithmetic)
_EXPRESSIONS = (*_STRINGS, *_NUMBERS)
_TESTS = (Truth, Comparison, Match, And, Or, Not)
_SORT_NAMES = {int: "an integer", float: "a floating-point number", str: "a string", bool: "a test"}


def sort(node: Node) -> type[int] | type[float] | type[str] | type[bool] | None:
    """int, float, str, bool for a test, or None for what is no expression of Conditions."""
    match node:
        case Number(value=value):
            return int if isinstance(value, int) else float
        case Conversion(to=found) | Negation(sort=found) | Arithmetic(sort=found):
            return found
    if isinstance(node, _STRINGS):
        return str
    return bool if isinstance(node, _TESTS) else None


def described(node: Node) -> str:
    found = sort(node)
    return "a licensee expression" if found is None else _SORT_NAMES[found]


# -- what a place wants ----------------------------------------------------------------------------------------------


def string(node: Node) -> StringExpression:
    if not isinstance(node, _STRINGS):
        raise Mismatch(node.at, f"{described(node)} where a string is wanted")
    return node


def test(node: Node) -> Test:
    match node:
        # RFC 2704 4.6.5: the two words are not reserved, so only their place makes them truth values.
        case Name(name=name) if name.lower() in ("true", "false"):
            return Truth(node.at, name.lower() == "true")
    if isinstance(node, _TESTS):
        return node
    raise Mismatch(node.at, f"{described(node)} where a test is wanted", 'a test compares, as in `name == "value"`')


def licensees(node: Node) -> Licensees:
    if isinstance(node, (*_STRINGS, AllOf, AnyOf, Threshold, Nobody)):
        return node
    raise Mismatch(node.at, f"{described(node)} where a principal is wanted")


# -- nodes -----------------------------------------------------------------------------------------------------------


def concatenation(at: int, left: Node, right: Node) -> Concatenation:
    return Concatenation(at, string(left), string(right))


def dereference(at: int, operand: Node) -> Dereference:
    return Dereference(at, string(operand))


def conversion(at: int, operator: str, operand: Node) -> Conversion:
    return Conversion(at, int if operator == "@" else float, string(operand))


def number(at: int, text: str) -> Number:
    if len(text) > limits.DIGITS:
        raise Mismatch(at, f"a number of more than {limits.DIGITS} digits")
    if "." not in text:
        return Number(at, int(text))
    value = float(text)
    if value == math.inf:
        raise Mismatch(at, "a floating-point number beyond the range of a double")
    return Number(at, value)


def negation(at: int, operand: Node) -> Negation:
    if isinstance(operand, Threshold):
        raise Mismatch(at, f"`-{operand.k}-of` is no threshold", "a threshold is written `2-of(…)`, from 1 upwards")
    return Negation(at, _number(operand), _number_sort(operand))


def arithmetic(at: int, operator: str, left: Node, right: Node) -> Arithmetic:
    first, second = _number(left), _number(right)
    sort = _number_sort(first)
    if sort is not _number_sort(second):
        raise Mismatch(at, f"`{operator}` between {described(left)} and {described(right)}", _MIXED)
    if operator == "%" and sort is float:
        raise Mismatch(at, "`%` between floating-point numbers", "`%` is for integers")
    return Arithmetic(at, operator, first, second, sort)


def comparison(at: int, operator: str, left: Node, right: Node) -> Comparison:
    if sort(left) is not sort(right):
        raise Mismatch(at, f"{described(left)} compared with {described(right)}", _remedy(left, right))
    if sort(left) is float and operator in ("==", "!="):
        raise Mismatch(at, f"`{operator}` between floating-point numbers", "use `<`, `>`, `<=` or `>=`")
    if isinstance(left, _EXPRESSIONS) and isinstance(right, _EXPRESSIONS):
        return Comparison(at, operator, left, right)
    raise Mismatch(at, f"{described(left)} compared with {described(right)}")


def match(at: int, subject: Node, pattern: Node) -> Match:
    return Match(at, string(subject), string(pattern))


def both(at: int, left: Node, right: Node) -> And:
    return And(at, test(left), test(right))


def either(at: int, left: Node, right: Node) -> Or:
    return Or(at, test(left), test(right))


def inverse(at: int, operand: Node) -> Test:
    inner = test(operand)
    return inner.operand if isinstance(inner, Not) else Not(at, inner)


def clause(at: int, condition: Node, value: Node | None) -> Clause:
    if value is None or isinstance(value, Program):
        return Clause(at, test(condition), value)
    return Clause(at, test(condition), string(value))


def all_of(at: int, left: Node, right: Node) -> AllOf:
    return AllOf(at, licensees(left), licensees(right))


def any_of(at: int, left: Node, right: Node) -> AnyOf:
    return AnyOf(at, licensees(left), licensees(right))


def several_authorizers(sign: str, at: int, left: Node, right: Node) -> Node:
    """An assertion has one authorizer (RFC 2704 4.6.3)."""
    hint = "write one assertion for each"
    raise Mismatch(at, f"`{sign}` in Authorizer, which is one principal", hint)


def threshold(at: int, token: str, principals: list[Node]) -> Threshold:
    digits = token[: token.index("-")]
    names = tuple(string(principal) for principal in principals)
    if len(digits) > limits.DIGITS or int(digits) > len(names):
        raise Mismatch(at, f"threshold greater than the number of its principals, {len(names)}")
    return Threshold(at, int(digits), names)


# -- words -----------------------------------------------------------------------------------------------------------

_MIXED = "integers and floating-point numbers do not mix; `&name` and `1.0` are floating-point"


def _number(node: Node) -> NumberExpression:
    if isinstance(node, _NUMBERS):
        return node
    if isinstance(node, _STRINGS):
        hint = "`@name` is its integer value, `&name` its floating-point one"
        raise Mismatch(node.at, "a string where a number is wanted", hint)
    raise Mismatch(node.at, f"{described(node)} where a number is wanted")


def _number_sort(node: Node) -> type[int] | type[float]:
    return float if sort(node) is float else int


def _remedy(left: Node, right: Node) -> str:
    sorts = {sort(left), sort(right)}
    if sorts == {str, int}:
        return "`@name` is a string's integer value"
    if sorts == {str, float}:
        return "`&name` is a string's floating-point value"
    return _MIXED if sorts == {int, float} else ""
