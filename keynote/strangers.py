# SPDX-License-Identifier: ISC
"""A policy as it is for a stranger: somebody whose `remote_id` is none of the names that its authors had in mind.

Of a stranger `remote_id == "gw.example.org"` is false, and so is a match with a pattern that means somebody
(`keynote.meant_names`). Everything else that is asked of his name he may meet, because he chose it: a pattern that is
only a shape, a number, his name as the pattern or as the name of an attribute, what is compared with another
attribute. So is what is asked of the requesters: he is one of them, and not whoever vouches for him. Such relations
are written here as unknown ones; so what a query over the rest does not allow, no stranger gets.

Comparisons in the order of strings stay, for the query tries names of every range between their constants.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from keynote import expressions
from keynote.assertions import Assertion
from keynote.environment import is_group_name
from keynote.errors import EvaluationError
from keynote.facts import REQUESTERS
from keynote.meant_names import ALL, Kind, Kinds, kinds_meant
from keynote.regular_expressions import compiled
from keynote.schemas.ipsec import ATTRIBUTES
from keynote.syntax import (
    AllOf,
    And,
    AnyOf,
    Clause,
    Comparison,
    Concatenation,
    Dereference,
    Licensees,
    Literal,
    Match,
    Name,
    Node,
    Not,
    Or,
    Program,
    Relation,
    StringExpression,
    Test,
    Threshold,
    Truth,
    joined,
    leftmost,
    walk,
)

NAME: Final = "remote_id"
#: What the name is, if it is an address, and empty otherwise.
ADDRESSES: Final = ("remote_id_addr_lower", "remote_id_addr_upper")
NAMES: Final = frozenset((NAME, *ADDRESSES))
TYPE: Final = "remote_id_type"
#: Every type that an identity can have, and that of one which policy has no word for.
TYPES: Final = (*ATTRIBUTES[TYPE].words, "")
#: Attributes of the queries alone: the `Kind` of the name, and one that is always unknown.
KIND: Final = "stranger_of_kind"
UNKNOWN: Final = "stranger_may"

_ORDERS: Final = ("<", ">", "<=", ">=")


class Reader:
    """Reads assertions. `bounds` are the texts with which a name is compared in order."""

    def __init__(self) -> None:
        self.bounds: set[str] = set()
        self._programs: dict[tuple[Program, frozenset[tuple[str, str]]], Program] = {}

    def for_stranger(self, assertion: Assertion) -> Assertion:
        """The assertion as it is for a stranger; the same one if it does not ask who he is. Places stay."""
        found = assertion
        constants = {name: text for name, text in assertion.constants.items() if name not in (KIND, UNKNOWN)}
        if len(constants) < len(assertion.constants):
            found = replace(found, constants=constants)
        if (conditions := assertion.conditions) is not None:
            key = conditions.tree, frozenset(constants.items())
            program = self._programs.get(key)
            if program is None:
                program = self._programs[key] = self._program(conditions.tree, constants)
            if program is not conditions.tree:
                found = replace(found, conditions=replace(conditions, tree=program))
        if (licensees := assertion.licensees) is not None and _asks(licensees.tree, constants):
            found = replace(found, licensees=replace(licensees, tree=_unknown_principals(licensees.tree, constants)))
        if _asks(assertion.authorizer.tree, constants):
            unknown = Name(leftmost(assertion.authorizer.tree).at, UNKNOWN)
            found = replace(found, authorizer=replace(assertion.authorizer, tree=unknown))
        return found

    def _program(self, program: Program, constants: Mapping[str, str]) -> Program:
        if not _asks(program, constants):
            return program
        return _Conditions(constants, self.bounds).rewritten(program)


# -- what asks for the name ------------------------------------------------------------------------------------------


def _read(node: Node, constants: Mapping[str, str]) -> str | None:
    """The attribute that a part of an expression reads; "" for one that is computed."""
    if isinstance(node, Name):
        return None if node.name in constants else node.name
    if isinstance(node, Dereference):
        name = _constant(node.operand, constants)
        if name is None:
            return ""
        return None if name in constants else name
    return None


def _constant(node: StringExpression, constants: Mapping[str, str]) -> str | None:
    try:
        text = expressions.string(node, constants)
    except EvaluationError:
        return None
    return text if isinstance(text, str) else None


def _asks(root: Node, constants: Mapping[str, str]) -> bool:
    return bool(_asked(root, constants))


def _asked(root: Node, constants: Mapping[str, str]) -> set[str]:
    """The attributes that are a stranger's to choose; "" is what `$` computes, which may be his name, too. Groups of
    a match are if he chose what is matched."""
    names = {_read(node, constants) for node in walk(root)}
    return {name for name in names if name is not None and (name in ("", REQUESTERS, *NAMES) or is_group_name(name))}


def _sole_name(node: Node, constants: Mapping[str, str]) -> str | None:
    """The attribute that the whole expression is, if it is the name."""
    parts = _joined(node, constants)
    return parts[0] if len(parts) == 1 and parts[0] in NAMES else None


def _joined(node: Node, constants: Mapping[str, str]) -> list[str]:
    """The attributes that an expression joins; "" for text and for what is computed. Empty text is left out."""
    found = []
    for part in joined(node, Concatenation):
        if (name := _read(part, constants)) is not None:
            found.append(name)
        elif not isinstance(part, (Literal, Name, Dereference)) or _constant(part, constants) != "":
            found.append("")
    return found


def _pieces(node: Node, constants: Mapping[str, str]) -> list[Name | str]:
    """What an expression joins: attributes, and texts; "$" alone is a `Name` for what is computed."""
    found: list[Name | str] = []
    for part in joined(node, Concatenation):
        if (
            text := _constant(part, constants) if isinstance(part, (Literal, Name, Dereference)) else None
        ) is not None:
            found.append(text)
        else:
            found.append(Name(leftmost(part).at, _read(part, constants) or "$"))
    return found


def _names_one(pieces: Sequence[Name | str], text: str) -> bool:
    """Whether names joined with other texts are one text for one name alone. What else a stranger has a say in could
    be the rest of the text for many: in `remote_id . remote_filter` he chooses where one ends. The type of his
    identity is one of a few words, and so is all right where the text fits with one of them only."""
    if any(isinstance(piece, Name) and piece.name not in (*NAMES, TYPE) for piece in pieces):
        return False
    fitting = [type for type in TYPES if _fits(pieces, text, type)]
    typed = any(isinstance(piece, Name) and piece.name == TYPE for piece in pieces)
    return not typed or len(fitting) <= 1


_NAME: Final = "\0"  # which no text has


def _fits(pieces: Sequence[Name | str], text: str, type: str) -> bool:
    """Whether the text may come of the pieces, with a name of this type."""
    parts = [piece if isinstance(piece, str) else type if piece.name == TYPE else _NAME for piece in pieces]
    before, *_, after = "".join(parts).split(_NAME)
    return len(text) >= len(before + after) and text.startswith(before) and text.endswith(after)


def _unknown_principals(root: Licensees, constants: Mapping[str, str]) -> Licensees:
    """Principals that a stranger has a say in may be anybody."""

    def rewrite(node: Node) -> Node | None:
        if isinstance(node, (Literal, Name, Dereference, Concatenation)):
            return Name(leftmost(node).at, UNKNOWN) if _asks(node, constants) else node
        return None

    found: Licensees = _replaced(root, rewrite)
    return found


def _replaced(root: Node, rewrite: Callable[[Node], Node | None]) -> Any:
    """With what `rewrite` gives in the place of nodes, outermost first; None of what is only put together."""
    done: list[Any] = []
    todo: list[tuple[Any, bool]] = [(root, False)]
    while todo:
        node, ready = todo.pop()
        found = None if ready else rewrite(node)
        if found is not None:
            done.append(found)
            continue
        match node:
            case And() | Or() | AllOf() | AnyOf() if not ready:
                todo += [(node, True), (node.right, False), (node.left, False)]
            case And() | Or() | AllOf() | AnyOf():
                right = done.pop()
                done.append(replace(node, left=done.pop(), right=right))
            case Not() if not ready:
                todo += [(node, True), (node.operand, False)]
            case Not():
                done.append(replace(node, operand=done.pop()))
            case Threshold() if not ready:
                todo += [(node, True), *((inner, False) for inner in reversed(node.principals))]
            case Threshold(principals=principals):
                inner = tuple(done[-len(principals) :])
                done[-len(principals) :] = [replace(node, principals=inner)]
            case _:
                done.append(node)
    return done[0]


# -- conditions ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Matches:
    """The matches before a relation, around its clause too: `only` if there is one, and whether any asks who he is,
    so that the groups are his to choose."""

    count: int = 0
    only: Match | None = None
    ask: bool = False

    def with_(self, match: Match, ask: bool) -> "_Matches":
        return _Matches(self.count + 1, match if self.count == 0 else None, self.ask or ask)


@dataclass(frozen=True, slots=True)
class _Conditions:
    constants: Mapping[str, str]
    bounds: set[str]

    def rewritten(self, root: Program) -> Program:
        """Clause by clause, the inner ones first: braces may be nested by the thousand."""
        done: dict[Program, Program] = {}
        todo: list[tuple[Program, _Matches, bool]] = [(root, _Matches(), False)]
        scopes: dict[Clause, _Matches] = {}
        while todo:
            program, around, ready = todo.pop()
            if not ready:
                todo.append((program, around, True))
                for clause in program.clauses:
                    scopes[clause] = self._scope(clause, around)
                    if isinstance(clause.value, Program):
                        todo.append((clause.value, scopes[clause], False))
                continue
            clauses = tuple(self._clause(clause, scopes[clause], done) for clause in program.clauses)
            done[program] = replace(program, clauses=clauses)
        return done[root]

    def _scope(self, clause: Clause, around: _Matches) -> _Matches:
        for node in walk(clause.test):
            if isinstance(node, Match):
                chosen = {name for name in _asked(node, self.constants) if not is_group_name(name)}
                around = around.with_(node, bool(chosen))
        return around

    def _clause(self, clause: Clause, scope: _Matches, done: Mapping[Program, Program]) -> Clause:
        test: Any = _replaced(clause.test, lambda node: self._relation(node, scope))
        value = clause.value
        if isinstance(value, Program):
            value = done[value]
        elif value is not None and _asks(value, self.constants):
            value = Name(leftmost(value).at, UNKNOWN)
        return replace(clause, test=test, value=value)

    def _relation(self, node: Node, scope: _Matches) -> Node | None:
        """What stands in the place of a relation; None for what is none."""
        if not isinstance(node, (Comparison, Match)):
            return None
        asked = _asked(node, self.constants)
        if not asked or (not scope.ask and all(map(is_group_name, asked))):
            return node
        if isinstance(node, Match):
            return self._by_pattern(node, node, {})
        for side, other in ((node.left, node.right), (node.right, node.left)):
            text = other.text if isinstance(other, Literal) else self._text(other)
            if text is not None:
                return self._comparison(node, side, text, scope)
        return _unknown(node)

    def _text(self, node: Node) -> str | None:
        is_text = isinstance(node, (Literal, Name, Dereference, Concatenation))
        return _constant(node, self.constants) if is_text else None  # type: ignore[arg-type]

    def _comparison(self, node: Comparison, side: Node, text: str, scope: _Matches) -> Test:
        """Of an expression with a constant."""
        name = _sole_name(side, self.constants)
        if name is not None and (node.operator in _ORDERS or text == ""):
            if node.operator in _ORDERS:
                self.bounds.add(text)
            return node
        if node.operator in _ORDERS:
            return _unknown(node)
        parts = _joined(side, self.constants)
        if NAMES & set(parts):
            if _names_one(_pieces(side, self.constants), text):
                return Truth(leftmost(node).at, node.operator == "!=")  # the constant has the name in it
            return _unknown(node)
        group = parts[0] if len(parts) == 1 and is_group_name(parts[0]) else None
        if group in (None, "_0") or scope.only is None or node.operator != "==" or text == "":
            return _unknown(node)
        return self._by_pattern(node, scope.only, {int(group[1:]): text})

    def _by_pattern(self, node: Relation, match: Match, groups: Mapping[int, str]) -> Test:
        """What is left of a relation that holds only if the name matches, with these groups."""
        name = _sole_name(match.subject, self.constants)
        pattern = _constant(match.pattern, self.constants)
        if pattern is None or name is None:
            return _unknown(node)
        try:
            of_empty = compiled(pattern).search(b"") is not None
        except EvaluationError:
            return node  # it makes the test fail
        meant = kinds_meant(pattern, groups)
        if name != NAME:  # only an address has these
            if of_empty:
                return _unknown(node)
            meant |= ALL - {Kind.ADDRESS}
        return _unknown_unless(node, meant)


def _unknown(node: Node) -> Test:
    at = leftmost(node).at
    return Comparison(at, "==", Name(at, UNKNOWN), Literal(at, ""))


def _unknown_unless(node: Node, meant: Kinds) -> Test:
    """False for names of these kinds."""
    at = leftmost(node).at
    if meant == ALL:
        return Truth(at, False)
    found = _unknown(node)
    for kind in sorted(meant, key=lambda kind: kind.value):
        found = And(at, Comparison(at, "!=", Name(at, KIND), Literal(at, kind.value)), found)
    return found
