# SPDX-License-Identifier: ISC
"""The tokens of a field as a stream of words, groups and places where a line may end.

A clause that does not fit on a line is broken at its outermost `||`, or else at its outermost `&&`, one operand a
line; an operand that does not fit, within its parentheses.
"""

from typing import Final

from keynote.layout.printer import Comment, Item, Mark
from keynote.layout.tokens import Token

#: What a sign or a conversion follows, and an operand does not end with.
_BEFORE_OPERAND: Final = frozenset(["(", "{", ",", ";", "!", "@", "&", "$", "->"])
_BINARY: Final = frozenset(
    ["==", "!=", "<=", ">=", "<", ">", "~=", "+", "-", "*", "/", "%", "^", ".", "=", "&&", "||", "->"]
)
_BEGIN_OPERAND: Final = (Mark.BEGIN, Mark.BEGIN)
_END_OPERAND: Final = (Mark.END, Mark.END)


def expression(tokens: list[Token]) -> list[Item]:
    """A principal, licensees, the clauses of Conditions, or a version."""
    return _Stream(tokens).items()


def assignments(tokens: list[Token]) -> list[Item]:
    """The constants of Local-Constants, one a line if there are several."""
    items: list[Item] = []
    for number in range(0, len(tokens), 3):
        if number:
            items.append(Mark.BREAK)
        for position, token in enumerate(tokens[number : number + 3]):
            _with_comments(items, token, " " if position else "")
    return items


def _with_comments(items: list[Item], token: Token, space: str = "") -> None:
    items += [Comment(comment, True) for comment in token.before]
    if space and not token.before:
        items.append(space)
    items.append(token.text)
    if token.after:
        items.append(Comment(token.after, False))


class _Stream:
    def __init__(self, tokens: list[Token]) -> None:
        self._tokens = tokens
        self._alternatives = _alternatives(tokens)
        self._items: list[Item] = []
        # For each open operand (one for each bracket) whether it is one of several alternatives.
        self._open: list[bool] = []

    def items(self) -> list[Item]:
        if not self._tokens:
            return []
        self._begin(0)
        before: Token | None = None
        for number, token in enumerate(self._tokens):
            self._token(number, token, before)
            before = token
        if self._open:
            self._end()
        return self._items

    def _begin(self, number: int) -> None:
        """An operand of brackets, of a list, or a clause begins with the token of this number."""
        several = number in self._alternatives
        self._open.append(several)
        self._items += _BEGIN_OPERAND
        if several:
            self._items.append(Mark.IN)

    def _end(self) -> None:
        if self._open.pop():
            self._items.append(Mark.OUT)
        self._items += _END_OPERAND

    def _token(self, number: int, token: Token, before: Token | None) -> None:
        items = self._items
        match token.text:
            case "(":
                self._write(token, before)
                items += [Mark.BEGIN, Mark.IN, Mark.NOTHING]
                self._begin(number + 1)
            case ")":
                self._end()
                items += [Mark.OUT, Mark.NOTHING]
                self._write(token, before)
                items.append(Mark.END)
            case ",":
                self._end()
                self._write(token, before)
                items.append(Mark.SPACE)
                self._begin(number + 1)
            case "&&":
                self._write(token, before)
                items.append(Mark.SPACE)
            case "||":
                self._write(token, before)
                items += [Mark.OUT, Mark.END, Mark.SPACE, Mark.BEGIN, Mark.IN]
            case "{":
                self._write(token, before)
                self._end()
                items += [Mark.IN, Mark.BREAK]
                self._begin(number + 1)
            case "}":
                items += [Mark.OUT, Mark.BREAK]
                self._write(token, before)
            case ";":
                self._clause_ends(number, token, before)
            case _:
                self._write(token, before)

    def _clause_ends(self, number: int, token: Token, before: Token | None) -> None:
        self._write(token, before)
        if before is None or before.text != "}":
            self._end()
        following = self._tokens[number + 1 : number + 2]
        if following and following[0].text != "}":
            self._items.append(Mark.BREAK)
            self._begin(number + 1)

    def _write(self, token: Token, before: Token | None) -> None:
        _with_comments(self._items, token, " " if _apart(before, token) else "")


def _alternatives(tokens: list[Token]) -> frozenset[int]:
    """The numbers of the tokens with which expressions begin that have an outermost `||`."""
    found = set()
    starts = [0]
    for number, token in enumerate(tokens):
        match token.text:
            case "(":
                starts.append(number + 1)
            case ")":
                starts.pop()
            case ";" | "," | "{":
                starts[-1] = number + 1
            case "||":
                found.add(starts[-1])
    return frozenset(found)


def _apart(before: Token | None, token: Token) -> bool:
    """Whether a space is between two tokens; places where a line may end bring their own."""
    if before is None or before.text in ("&&", "||", ",", ";", "{", "("):
        return False
    if token.text in (")", ",", ";", "}"):
        return False
    if token.text == "(":
        return before.kind == "operator" and not _is_prefix(before)
    return not _is_prefix(before) and (token.kind == "operator" or before.kind == "operator")


def _is_prefix(token: Token) -> bool:
    return token.kind == "prefix"


def mark_prefixes(tokens: list[Token]) -> None:
    """Tell signs, conversions and `!` from operators between two operands."""
    before: Token | None = None
    for token in tokens:
        if token.text in ("!", "@", "&", "$"):
            token.kind = "prefix"
        elif token.text == "-":
            between = before is not None and (before.kind in ("literal", "name", "number") or before.text == ")")
            token.kind = "operator" if between else "prefix"
        before = token
