# SPDX-License-Identifier: ISC
"""What remains of Conditions once known attributes are put in: the test of the unknown ones that decides.

A test is true, false or a run-time error, which leaves the whole test at once; so what makes it true and what makes
it false are two formulas, and where there is an error neither holds. What is known is written into what remains:
attributes, constants, groups of a match. Groups that themselves depend on unknown attributes stay `_1` and so on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeVar

from keynote.conditions import GroupState, set_group_state, value_interval
from keynote.environment import PartialEnvironment, Scale, is_group_name
from keynote.errors import EvaluationError
from keynote.evaluator import Delegation
from keynote.facts import OPPOSITE, REQUESTERS
from keynote.partial import ClauseState, clause_states
from keynote.syntax import (
    And,
    Arithmetic,
    Comparison,
    Concatenation,
    Conversion,
    Dereference,
    Literal,
    Match,
    Name,
    Negation,
    Node,
    Not,
    Or,
    Program,
    Relation,
    Test,
    joined,
    walk,
)
from keynote.syntax import Truth as Constant

Expression = TypeVar("Expression", bound=Node)

#: True: nothing remains to be met. False: it can never hold.
Residual = Test | bool


def residual(
    delegation: Delegation, environment: PartialEnvironment, scale: Scale, goal: int, *, secret: bool = False
) -> Residual:
    """What the unknown attributes must meet so that the Conditions give the value `goal` or more. `secret`: groups of
    a match are pieces of a passphrase, and stay `_1` and so on."""
    program = delegation.conditions
    if program is None:
        return True
    known = _Known(environment, delegation.assertion.constants, secret)
    given: list[Residual] = []  # by each clause, if its tests hold
    for state in clause_states(program, environment):
        enough = True if state.clause.holds_others else _enough(state, known, scale, goal)
        given.append(both(_outcome(state, known).true if state.holds is not False else False, enough))
    alternatives: dict[int, list[Residual]] = {}
    for number in range(len(program.clauses) - 1, -1, -1):  # nested clauses before the one they are nested in
        clause, residual = program.clauses[number], given[number]
        if clause.holds_others:
            residual = both(residual, _any(alternatives.get(number, [])))
        alternatives.setdefault(clause.parent, []).append(residual)
    return _any(alternatives.get(-1, []))


def conjuncts(residual: Test) -> list[Test]:
    """The parts of a residual that all have to hold, in the order of the text."""
    return list(joined(residual, And))


def may_err(part: Test) -> bool:
    """Whether a part without `&&` and `||` may be a run-time error."""
    while isinstance(part, Not):
        part = part.operand
    return isinstance(part, (Comparison, Match)) and _errs(part)


def both(left: Residual, right: Residual) -> Residual:
    if left is False or right is False:
        return False
    if left is True:
        return right
    return left if right is True else And(0, left, right)


def either(left: Residual, right: Residual) -> Residual:
    if left is True or right is True:
        return True
    if left is False:
        return right
    return left if right is False else Or(0, left, right)


def _any(backwards: list[Residual]) -> Residual:
    found: Residual = False
    for residual in reversed(backwards):
        found = either(found, residual)
    return found


def _enough(state: ClauseState, known: "_Known", scale: Scale, goal: int) -> Residual:
    """What makes the clause's value at least the goal."""
    if state.holds is False:
        return False
    set_group_state(known.environment, state.groups)
    lowest, highest = value_interval(state.clause, known.environment, scale)
    if lowest >= goal or highest < goal:
        return lowest >= goal
    value = state.clause.node.value
    assert value is not None, "the highest value depends on nothing"
    assert not isinstance(value, Program), "a clause that holds others has no value"
    expression = known.put_into(value, state.groups)
    return _any([Comparison(0, "==", expression, Literal(0, text)) for text in reversed(scale.values[goal:])])


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What makes a test true and what makes it false. `errs`: there is, or may be, a run-time error."""

    true: Residual
    false: Residual
    errs: bool = False


def _outcome(state: ClauseState, known: "_Known") -> _Outcome:
    """With a stack of its own, as a test may be nested more deeply than Python's."""
    done: list[_Outcome] = []
    todo: list[tuple[Test, bool]] = [(state.clause.node.test, False)]
    while todo:
        node, operands_done = todo.pop()
        match node:
            case And() | Or() if not operands_done:
                todo += [(node, True), (node.right, False), (node.left, False)]
            case Not() if not operands_done:
                todo += [(node, True), (node.operand, False)]
            case And():
                right, left = done.pop(), done.pop()
                done.append(_all_of(left, right))
            case Or():
                right, left = done.pop(), done.pop()
                done.append(_swapped(_all_of(_swapped(left), _swapped(right))))
            case Not():
                done.append(_swapped(done.pop()))
            case Constant(value=value):
                done.append(_Outcome(value, not value))
            case _:
                done.append(_relation(node, state, known))
    return done[0]


def _all_of(left: _Outcome, right: _Outcome) -> _Outcome:
    # The right side is read only where the left one is true, and where it is neither true nor false, nothing else is.
    false = both(left.true, right.false) if left.errs else right.false
    return _Outcome(
        both(left.true, right.true), either(left.false, false), left.errs or (right.errs and left.true is not False)
    )


def _swapped(outcome: _Outcome) -> _Outcome:
    return _Outcome(outcome.false, outcome.true, outcome.errs)


def _relation(node: Relation, state: ClauseState, known: "_Known") -> _Outcome:
    truth = state.truths.get(node, False)  # one that cannot be reached makes no difference
    if isinstance(truth, EvaluationError):
        return _Outcome(False, False, True)
    if truth is not None:
        return _Outcome(truth, not truth)
    rest = known.put_into(node, state.groups_before[node])
    if isinstance(rest, Comparison):
        opposite: Test = Comparison(rest.at, OPPOSITE[rest.operator], rest.left, rest.right)
    else:
        opposite = Not(rest.at, rest)
    return _Outcome(rest, opposite, _errs(rest))


def _errs(relation: Relation) -> bool:
    """Whether a run-time error is more than a limit that nobody meets."""
    if isinstance(relation, Match):
        return not isinstance(relation.pattern, Literal)
    return any(isinstance(node, Arithmetic) for node in walk(relation))


@dataclass(frozen=True, slots=True)
class _Known:
    """What can be put in for names."""

    environment: PartialEnvironment
    constants: Mapping[str, str]
    secret: bool

    def put_into(self, root: Expression, groups: GroupState) -> Expression:
        """The expression with literals in the place of known names. Without recursion, as everything on trees."""
        set_group_state(self.environment, groups)
        done: list[Any] = []
        todo: list[tuple[Any, bool]] = [(root, False)]
        while todo:
            node, operands_done = todo.pop()
            match node:
                case Name(at=at, name=name):
                    text = self._text(name)
                    done.append(node if text is None else Literal(at, text))
                case Dereference() | Conversion() | Negation() if not operands_done:
                    todo += [(node, True), (node.operand, False)]
                case Dereference() | Conversion() | Negation():
                    done.append(replace(node, operand=done.pop()))
                case Comparison() | Arithmetic() | Concatenation() if not operands_done:
                    todo += [(node, True), (node.right, False), (node.left, False)]
                case Comparison() | Arithmetic() | Concatenation():
                    right = done.pop()
                    done.append(replace(node, left=done.pop(), right=right))
                case Match() if not operands_done:
                    todo += [(node, True), (node.pattern, False), (node.subject, False)]
                case Match():
                    pattern = done.pop()
                    done.append(replace(node, subject=done.pop(), pattern=pattern))
                case _:
                    done.append(node)
        found: Expression = done[0]
        return found

    def _text(self, name: str) -> str | None:
        if name in self.constants:
            return self.constants[name]
        if name == REQUESTERS or (self.secret and is_group_name(name)):
            return None
        return None if self.environment.is_unknown(name) else self.environment.get(name, "")
