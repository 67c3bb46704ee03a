# SPDX-License-Identifier: ISC
"""A tree as KeyNote text on one line, for messages. Passphrases are hidden; nothing here recurses."""

from collections.abc import Callable
from decimal import Decimal
from itertools import groupby
from typing import Final

from keynote import literals
from keynote.facts import reads_requesters
from keynote.redaction import HIDDEN_TEXT, may_be_part_of_key, redacted, redacted_piece
from keynote.syntax import (
    AllOf,
    And,
    AnyOf,
    Arithmetic,
    Assignment,
    Clause,
    Comparison,
    Concatenation,
    Conversion,
    Dereference,
    Literal,
    Match,
    Name,
    Negation,
    Nobody,
    Node,
    Not,
    Number,
    Or,
    Program,
    Threshold,
    Truth,
)

# What may stand beside an operator without parentheses: everything that binds more tightly than it.
_PRECEDENCE = {"||": 1, "&&": 2, "!": 3, "==": 4, "+": 5, "-": 5, ".": 5, "*": 6, "/": 6, "%": 6, "^": 7, "$": 8}
_ATOM = 9


def printed(node: Node, limit: int = 2000) -> str:
    """KeyNote text of which `node` is the tree, cut after about `limit` characters."""
    pieces: list[str] = []
    length = 0
    todo: list[Node | str] = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, str):
            pieces.append(item)
            length += len(item)
            if length > limit:
                return "".join(pieces)[:limit] + "…"
        else:
            todo.extend(reversed(_parts(item)))
    return "".join(pieces)


def _parts(node: Node) -> list[Node | str]:
    match node:
        case Literal(text=text):
            return [_quoted(text)]
        case Name(name=name):
            return [name]
        case Number(value=value):
            return [number_text(value)]
        case Truth(value=truth):
            return ["true" if truth else "false"]
        case Dereference(operand=operand):
            return ["$", *_within(operand, "$")]
        case Conversion(to=to, operand=operand):
            return ["@" if to is int else "&", *_within(operand, "$")]
        case Negation(operand=operand):
            return ["-", *_within(operand, "$")]
        case Not(operand=operand):
            return ["!", *_within(operand, "$")]
        case Concatenation():
            return _joined(node)
        case Match(subject=subject, pattern=pattern):
            return _relation(subject, "~=", pattern)
        case Comparison(operator=operator, left=left, right=right):
            return _relation(left, operator, right)
        case Arithmetic(operator=operator, left=left, right=right):
            return _binary(left, operator, right)
        case And(left=left, right=right) | AllOf(left=left, right=right):
            return _binary(left, "&&", right)
        case Or(left=left, right=right) | AnyOf(left=left, right=right):
            return _binary(left, "||", right)
        case Threshold(k=k, principals=principals):
            return [f"{k}-of(", *_separated(principals, ", "), ")"]
        case Clause(test=test, value=None):
            return [test, ";"]
        case Clause(test=test, value=Program() as program):
            return [test, " -> { ", program, " };"]
        case Clause(test=test, value=value) if value is not None:
            return [test, " -> ", value, ";"]
        case Program(clauses=clauses):
            return _separated(clauses, " ")
        case Assignment(name=name, text=text):
            return [f"{name}={_quoted(text)}"]
        case Nobody():
            return []
    return [f"<{type(node).__name__}>"]


def number_text(number: int | float) -> str:
    """A number as the language writes it, without an exponent, and no longer than it has to be."""
    if isinstance(number, int):
        return str(number)
    text = format(Decimal(repr(number)), "f")
    return text if "." in text else f"{text}.0"


def _quoted(text: str) -> str:
    """A literal with its passphrase hidden, and otherwise of the same value."""
    text = redacted(text)
    if text.isascii() and text.isprintable():
        return literals.encode(text)
    try:
        chars = text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return _literal(text, lambda char: char.isascii())
    return _literal(chars, lambda char: True)


def _literal(text: str, readable: Callable[[str], bool]) -> str:
    pieces = []
    for char in text:
        if char in _ESCAPES:
            pieces.append(_ESCAPES[char])
        elif char.isprintable() and readable(char):
            pieces.append(char)
        else:
            pieces += [f"\\{byte:03o}" for byte in char.encode("utf-8" if readable(char) else "latin-1")]
    return f'"{"".join(pieces)}"'


_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r"}


def _joined(node: Concatenation) -> list[Node | str]:
    """A key may be put together of literals, none of which tells that it is a piece of one: so they are hidden where
    what stands side by side has a secret in it, and where one may be a piece of a known key."""
    leaves: list[Node] = []
    todo: list[Node] = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, Concatenation):
            todo += [item.right, item.left]
        else:
            leaves.append(item)
    parts: list[list[Node | str]] = []
    hidden = False
    for together, group in groupby(leaves, lambda leaf: isinstance(leaf, Literal)):
        if not together:
            parts += [_within(leaf, ".") for leaf in group]
            continue
        texts = [leaf.text for leaf in group if isinstance(leaf, Literal)]
        text = "".join(texts)
        found = redacted(text)
        if found == text and any(map(may_be_part_of_key, (text, *texts))):
            found = HIDDEN_TEXT
        hidden |= found != text
        parts += [[_quoted(found)]] if found != text else [[_quoted(text)] for text in texts]
    if not hidden:
        return _as_nested(node)
    return [piece for number, part in enumerate(parts) for piece in ([" . "] if number else []) + part]


def _as_nested(node: Concatenation) -> list[Node | str]:
    """All of it at once: leaf by leaf it would be looked at again for each of its leaves."""
    parts: list[Node | str] = []
    todo: list[Node | str] = [node]
    while todo:
        item = todo.pop()
        if isinstance(item, Concatenation):
            todo += reversed(_binary(item.left, ".", item.right))
        else:
            parts.append(item)
    return parts


def _binary(left: Node, operator: str, right: Node) -> list[Node | str]:
    # Operators are left-associative, so an equal on the right needs its parentheses.
    return [*_within(left, operator), f" {operator} ", *_within(right, operator, strictly=True)]


def _relation(left: Node, operator: str, right: Node) -> list[Node | str]:
    """Of what is compared with the requesters' names, or with a piece of them, a part of a key tells as well."""
    parts = _binary(left, operator, right)
    if parts[0] is left and isinstance(left, Literal) and reads_requesters(right, {}):
        parts[0] = _quoted_piece(left.text)
    if parts[-1] is right and isinstance(right, Literal) and reads_requesters(left, {}):
        parts[-1] = _quoted_piece(right.text)
    return parts


def _quoted_piece(text: str) -> str:
    return _quoted(redacted_piece(text))


def _within(node: Node, operator: str, *, strictly: bool = False) -> list[Node | str]:
    outer = _PRECEDENCE.get(operator, _PRECEDENCE["=="])
    inner = _precedence(node)
    return ["(", node, ")"] if inner < outer or (strictly and inner == outer) else [node]


def _precedence(node: Node) -> int:
    match node:
        case Or() | AnyOf():
            return _PRECEDENCE["||"]
        case And() | AllOf():
            return _PRECEDENCE["&&"]
        case Not():
            return _PRECEDENCE["!"]
        case Comparison() | Match():
            return _PRECEDENCE["=="]
        case Concatenation():
            return _PRECEDENCE["."]
        case Arithmetic(operator=operator):
            return _PRECEDENCE[operator]
        case Negation() | Conversion() | Dereference():
            return _PRECEDENCE["$"]
    return _ATOM


def _separated(nodes: tuple[Node, ...], separator: str) -> list[Node | str]:
    parts: list[Node | str] = []
    for node in nodes:
        parts += [separator, node] if parts else [node]
    return parts
