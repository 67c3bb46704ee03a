# SPDX-License-Identifier: ISC
"""The tokens of a field as a stream of words, groups and places where a line may end.

A clause that does not fit on a line is broken at its outermost `||`, or else at its outermost `&&`, one operand a
line; an operand that does not fit, within its parentheses.
"""

from typing import Final

from keynote.layout.printer import Comment, Item, Mark
from keynote.layout.tokens import Token

#: Brackets within brackets, beyond which a line is not broken: whoever nests so deep does not read it.
_DEPTH: Final = 12


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
        # For each open operand (one for each bracket) whether its lines are indented.
        self._open: list[bool] = []
        self._depth = 0

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

    def _mark(self, *marks: Mark) -> None:
        if self._depth <= _DEPTH:
            self._items += marks
        elif not {Mark.SPACE, Mark.BREAK}.isdisjoint(marks):
            self._items.append(" ")

    def _begin(self, number: int) -> None:
        """An expression of brackets, of a list, or a clause begins with the token of this number."""
        self._mark(Mark.BEGIN)
        self._begin_operand(number)

    def _end(self) -> None:
        self._end_operand()
        self._mark(Mark.END)

    def _begin_operand(self, number: int) -> None:
        """An operand of `||`, or what is none for want of others."""
        self._open.append(number in self._alternatives)
        self._mark(Mark.BEGIN, *([Mark.IN] if self._open[-1] else []))

    def _end_operand(self) -> None:
        self._mark(*([Mark.OUT] if self._open.pop() else []), Mark.END)

    def _token(self, number: int, token: Token, before: Token | None) -> None:
        match token.text:
            case "(":
                self._write(token, before)
                self._depth += 1
                self._mark(Mark.BEGIN, Mark.IN, Mark.NOTHING)
                self._begin(number + 1)
            case ")":
                self._end()
                self._mark(Mark.OUT, Mark.NOTHING)
                self._write(token, before)
                self._mark(Mark.END)
                self._depth -= 1
            case ",":
                self._end()
                self._write(token, before)
                self._mark(Mark.SPACE)
                self._begin(number + 1)
            case "&&":
                self._write(token, before)
                self._mark(Mark.SPACE)
            case "||":
                self._write(token, before)
                self._end_operand()
                self._mark(Mark.SPACE)
                self._begin_operand(number + 1)
            case "{":
                self._write(token, before)
                self._end()
                self._depth += 1
                self._mark(Mark.IN, Mark.BREAK)
                if not self._is(number + 1, "}"):
                    self._begin(number + 1)
            case "}":
                self._mark(Mark.OUT, Mark.BREAK)
                self._write(token, before)
                self._depth -= 1
            case ";":
                self._clause_ends(number, token, before)
            case _:
                self._write(token, before)

    def _clause_ends(self, number: int, token: Token, before: Token | None) -> None:
        self._write(token, before)
        if before is None or before.text != "}":
            self._end()
        if number + 1 < len(self._tokens) and not self._is(number + 1, "}"):
            self._mark(Mark.BREAK)
            self._begin(number + 1)

    def _is(self, number: int, text: str) -> bool:
        return number < len(self._tokens) and self._tokens[number].text == text

    def _write(self, token: Token, before: Token | None) -> None:
        _with_comments(self._items, token, " " if _apart(before, token) else "")


def _alternatives(tokens: list[Token]) -> frozenset[int]:
    """The numbers of the tokens with which those operands of an `||` begin that are themselves joined by `&&`."""
    found: set[int] = set()
    # For each open bracket the operands of the expression in it, and whether they have an `&&`.
    levels: list[dict[int, bool]] = [{0: False}]
    for number, token in enumerate(tokens):
        match token.text:
            case "(":
                levels.append({number + 1: False})
            case ")":
                found |= _joined(levels.pop())
            case ";" | "," | "{":
                found |= _joined(levels[-1])
                levels[-1] = {number + 1: False}
            case "||":
                levels[-1][number + 1] = False
            case "&&":
                levels[-1][next(reversed(levels[-1]))] = True  # the operand that began last
    return frozenset(found.union(*map(_joined, levels)))


def _joined(operands: dict[int, bool]) -> set[int]:
    return {start for start, joined in operands.items() if joined} if len(operands) > 1 else set()


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
