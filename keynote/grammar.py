# SPDX-License-Identifier: ISC
"""The grammar of RFC 2704 4.6 in PLY. The other of the two modules that know PLY.

A production makes one node, through `keynote.sorts`, and does nothing else. There is one start symbol for all
fields, and the field's own token, which the lexer gives first, chooses among its productions: so there is one
parser, built when it is first needed.

PLY's parser is a table and an explicit stack, so nesting costs memory, never Python's stack.
"""

import copy
import functools
import re
import sys
from collections.abc import Callable
from typing import Any

from ply import lex, yacc

from keynote import literals, sorts
from keynote.lexer import FieldLexer, Mistakes, TooManyMistakes, check_interpreter, tokens
from keynote.redaction import secrets_of_value
from keynote.syntax import (
    Assignment,
    Broken,
    Clause,
    Licensees,
    Literal,
    Name,
    Nobody,
    Node,
    Program,
    StringExpression,
)

__all__ = ["Mistakes", "assignments", "conditions", "licensees", "string", "tokens", "version"]

# RFC 2704 4.6.5, lowest first. `-2^2` is 4: the sign binds more tightly than the power.
precedence = (
    ("left", "OR"),
    ("left", "AND"),
    ("right", "NOT"),
    ("nonassoc", "EQ", "NE", "LT", "GT", "LE", "GE", "MATCH"),
    ("left", "PLUS", "MINUS", "DOT"),
    ("left", "TIMES", "DIVIDE", "MODULO"),
    ("left", "POWER"),
    ("right", "SIGN", "AT", "AMPERSAND", "DOLLAR"),
)


def p_field(p: Any) -> None:
    """field : AUTHORIZER string
    | SIGNATURE string
    | VERSION version
    | CONSTANTS assignments
    | LICENSEES licensees
    | CONDITIONS program"""
    p[0] = p[2]


def p_string(p: Any) -> None:
    "string : expression"
    p[0] = _make(p, 1, lambda at, node: sorts.string(node), p[1])


def p_version_number(p: Any) -> None:
    "version : INTEGER"
    p[0] = Literal(p.lexpos(1), p[1])


def p_version_string(p: Any) -> None:
    "version : STRING"
    p[0] = Literal(p.lexpos(1), literals.decode(p[1]))


def p_assignments_none(p: Any) -> None:
    "assignments :"
    p[0] = []


def p_assignments_more(p: Any) -> None:
    "assignments : assignments NAME ASSIGN STRING"
    p[0] = p[1]
    p[0].append(Assignment(p.lexpos(2), p[2], literals.decode(p[4])))


def p_licensees_nobody(p: Any) -> None:
    "licensees :"
    p[0] = Nobody(0)


def p_licensees(p: Any) -> None:
    "licensees : expression"
    p[0] = _make(p, 1, lambda at, node: sorts.licensees(node), p[1])


def p_program(p: Any) -> None:
    "program : clauses"
    p[0] = Program(p[1][0].at if p[1] else 0, tuple(p[1]))


def p_clauses_none(p: Any) -> None:
    "clauses :"
    p[0] = []


def p_clauses_more(p: Any) -> None:
    "clauses : clauses clause SEMICOLON"
    p[0] = p[1]
    p[0].append(p[2])


def p_clauses_error(p: Any) -> None:
    "clauses : clauses error SEMICOLON"
    p[0] = p[1]


def p_clause_default(p: Any) -> None:
    "clause : expression"
    p[0] = _make(p, 1, lambda at, test: sorts.clause(test.at, test, None), p[1])


def p_clause_value(p: Any) -> None:
    "clause : expression ARROW expression"
    p[0] = _make(p, 2, sorts.clause, p[1], p[3])


def p_clause_program(p: Any) -> None:
    "clause : expression ARROW LBRACE program RBRACE"
    p[0] = _make(p, 2, sorts.clause, p[1], p[4])


def p_expression_or(p: Any) -> None:
    "expression : expression OR expression"
    p[0] = _make(p, 2, _operator(p, sorts.any_of, sorts.either, "||"), p[1], p[3])


def p_expression_and(p: Any) -> None:
    "expression : expression AND expression"
    p[0] = _make(p, 2, _operator(p, sorts.all_of, sorts.both, "&&"), p[1], p[3])


def p_expression_not(p: Any) -> None:
    "expression : NOT expression"
    p[0] = _make(p, 1, sorts.inverse, p[2])


def p_expression_comparison(p: Any) -> None:
    """expression : expression EQ expression
    | expression NE expression
    | expression LT expression
    | expression GT expression
    | expression LE expression
    | expression GE expression"""
    p[0] = _make(p, 2, sorts.comparison, p[2], p[1], p[3])


def p_expression_match(p: Any) -> None:
    "expression : expression MATCH expression"
    p[0] = _make(p, 2, sorts.match, p[1], p[3])


def p_expression_arithmetic(p: Any) -> None:
    """expression : expression PLUS expression
    | expression MINUS expression
    | expression TIMES expression
    | expression DIVIDE expression
    | expression MODULO expression
    | expression POWER expression"""
    p[0] = _make(p, 2, sorts.arithmetic, p[2], p[1], p[3])


def p_expression_concatenation(p: Any) -> None:
    "expression : expression DOT expression"
    p[0] = _make(p, 2, sorts.concatenation, p[1], p[3])


def p_expression_sign(p: Any) -> None:
    "expression : MINUS expression %prec SIGN"
    p[0] = _make(p, 1, sorts.negation, p[2])


def p_expression_conversion(p: Any) -> None:
    """expression : AT expression
    | AMPERSAND expression"""
    p[0] = _make(p, 1, sorts.conversion, p[1], p[2])


def p_expression_dereference(p: Any) -> None:
    "expression : DOLLAR expression"
    p[0] = _make(p, 1, sorts.dereference, p[2])


def p_expression_parentheses(p: Any) -> None:
    "expression : LPAREN expression RPAREN"
    p[0] = p[2]


def p_expression_name(p: Any) -> None:
    "expression : NAME"
    p[0] = Name(p.lexpos(1), sys.intern(p[1]))


def p_expression_literal(p: Any) -> None:
    "expression : STRING"
    p[0] = Literal(p.lexpos(1), literals.decode(p[1]))


def p_expression_number(p: Any) -> None:
    """expression : INTEGER
    | FLOAT"""
    p[0] = _make(p, 1, sorts.number, p[1])


def p_expression_threshold(p: Any) -> None:
    "expression : K_OF LPAREN principals RPAREN"
    p[0] = _make(p, 1, sorts.threshold, p[1], p[3])


def p_principals_one(p: Any) -> None:
    "principals : expression"
    p[0] = [p[1]]


def p_principals_more(p: Any) -> None:
    "principals : principals COMMA expression"
    p[0] = p[1]
    p[0].append(p[3])


def p_error(token: Any) -> None:
    """PLY wants the function here; each parse has its own, which knows the field's text."""


def _operator(
    p: Any, of_principals: Callable[..., Node], of_tests: Callable[..., Node], sign: str
) -> Callable[..., Node]:
    """What an `&&` or `||` makes in this field."""
    match p.lexer.field:
        case "LICENSEES":
            return of_principals
        case "AUTHORIZER":
            return functools.partial(sorts.several_authorizers, sign)
    return of_tests


def _make(p: Any, position: int, function: Callable[..., Node], *parts: Any) -> Node:
    """The node that `function` makes of the parts, or Broken if it cannot, or if a part already is."""
    at: int = p.lexpos(position)
    if any(isinstance(part, Broken) for part in parts):
        return Broken(at)
    try:
        return function(at, *parts)
    except sorts.Mismatch as mismatch:
        p.lexer.mistakes.add(mismatch.at, mismatch.message, mismatch.hint)
        return Broken(at)


# -- a field's text to its tree --------------------------------------------------------------------------------------


class Unreadable(Exception):
    """The text is not in the language; `mistakes` says why, place by place."""

    def __init__(self, mistakes: Mistakes) -> None:
        super().__init__("unreadable field")
        self.mistakes = mistakes


def conditions(text: str) -> Program:
    """The clauses of a Conditions field. This and its neighbours raise Unreadable."""
    program: Program = _parse("CONDITIONS", text)
    return program


def licensees(text: str) -> Licensees:
    holders: Licensees = _parse("LICENSEES", text)
    return holders


def string(field: str, text: str) -> StringExpression:
    """The principal of an Authorizer field, or the text of a Signature field."""
    expression: StringExpression = _parse(field, text)
    return expression


def assignments(text: str) -> list[Assignment]:
    """The assignments of a Local-Constants field, in their order."""
    constants: list[Assignment] = _parse("CONSTANTS", text)
    return constants


def version(text: str) -> str:
    literal: Literal = _parse("VERSION", text)
    return literal.text


def _parse(field: str, text: str) -> Any:
    lexer = FieldLexer(field, text)
    # A parser keeps its stacks in itself. A shallow copy shares the tables and has stacks of its own, so threads
    # can parse at the same time.
    parser = copy.copy(_parser())
    parser.errorfunc = functools.partial(_syntax_error, parser, lexer, text)
    try:
        tree = parser.parse(lexer=lexer)
    except TooManyMistakes:
        tree = None
    if lexer.mistakes:
        raise Unreadable(lexer.mistakes)
    return tree


@functools.cache
def _parser() -> Any:
    check_interpreter()
    return yacc.yacc(
        module=sys.modules[__name__], start="field", write_tables=False, debug=False, errorlog=yacc.NullLogger()
    )


_FIELD_NAMES = {
    "AUTHORIZER": "Authorizer",
    "CONDITIONS": "Conditions",
    "CONSTANTS": "Local-Constants",
    "LICENSEES": "Licensees",
    "SIGNATURE": "Signature",
    "VERSION": "KeyNote-Version",
}
_BEFORE_A_CLAUSE = ("CONDITIONS", "LBRACE", "SEMICOLON", "clauses")
_HINTS = {
    "ASSIGN": "string comparison is `==`",
    "AMPERSAND": "and is written `&&`",
    "COMMA": "only the principals of `k-of(…)` are separated by commas",
}


_NO_THRESHOLD = re.compile(r"[A-Za-z0-9_]{1,40}[ \t\n]*-[ \t\n]*of[ \t\n]*$", re.IGNORECASE)
_THRESHOLD = "a threshold is written `2-of(…)`: in one word, from 1 upwards, without zeros before it"
_WORDS_BEFORE = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,40}$")


def _syntax_error(parser: Any, lexer: FieldLexer, text: str, token: lex.LexToken | None) -> None:
    if lexer.mistakes and token is None:
        return  # what was said already is the reason for the early end
    if token is None:
        hint = "a clause ends with `;`" if lexer.field == "CONDITIONS" else ""
        at = max(len(text.rstrip()) - 1, 0)
        lexer.mistakes.add(at, f"{_FIELD_NAMES[lexer.field]} ends too early", hint)
        return
    if token.type == "ASSIGN" and lexer.field != "CONSTANTS":
        lexer.mistakes.add(token.lexpos, "unknown operator `=`", _HINTS["ASSIGN"])
        return
    threshold = _NO_THRESHOLD.search(text, max(token.lexpos - 60, 0), token.lexpos)
    if token.type == "LPAREN" and lexer.field == "LICENSEES" and threshold and not secrets_of_value(text):
        lexer.mistakes.add(threshold.start(), f"`{threshold[0].strip()}` is no threshold", _THRESHOLD)
        return
    # The text of a literal may be a secret; and so may a word be, if a quote is missing.
    before = _WORDS_BEFORE.search(text, max(token.lexpos - 60, 0), token.lexpos)
    is_text = token.type == "STRING" or any(map(secrets_of_value, (text, text[before.start() :] if before else "")))
    what = "text" if is_text else f"`{token.value}`"
    lexer.mistakes.add(token.lexpos, f"unexpected {what}", _hint(parser, lexer, token))


def _hint(parser: Any, lexer: FieldLexer, token: lex.LexToken) -> str:
    before = parser.symstack[-1]
    if lexer.field == "CONSTANTS":
        return 'a constant is written `name = "text"`, without commas or expressions'
    if before.type == "clause" and isinstance(before.value, Clause) and isinstance(before.value.value, Program):
        return "a `}` is followed by `;`"
    if lexer.field == "CONDITIONS" and token.type == "RBRACE":
        return "a clause ends with `;`, also the last one before `}`"
    if lexer.field == "CONDITIONS" and token.type == "SEMICOLON" and before.type in _BEFORE_A_CLAUSE:
        return "an empty clause is not allowed"
    if token.type == "INTEGER" and lexer.field == "LICENSEES":
        return _THRESHOLD
    if token.type == "RPAREN" and before.type == "LPAREN" and lexer.field == "LICENSEES":
        return "a threshold lists its principals, `2-of(a, b, c)`; who is licensed alone needs no parentheses"
    return _HINTS.get(token.type, "")
