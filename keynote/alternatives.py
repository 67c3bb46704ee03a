# SPDX-License-Identifier: ISC
"""What remains of Conditions as text that says the same where it is put into an assertion.

In what remains, `A || B` holds where one of the two does. In a test it does not where A is a run-time error: that
leaves the whole test at once (RFC 2704 5.3.4). Clauses are tests of their own: `A; B;` holds where one does.
"""

from typing import Final

from keynote.residuals import both, conjuncts, may_err
from keynote.syntax import And, Clause, Or, Program, Test, joined

#: `&&` within `||` within `&&`, and so on. What is nested more deeply stays one test.
_DEEPEST: Final = 50


def conditions_of(residual: Test) -> list[Test | Program]:
    """The parts that all have to hold, in the order of the text: tests, and last, if some alternatives are none of
    one test, clauses of which one has to hold."""
    tests: list[Test | Program] = []
    rest: Test | None = None
    for part in conjuncts(residual):
        if rest is None and says_the_same(part):
            tests.append(part)
        else:
            found = part if rest is None else both(rest, part)
            rest = None if isinstance(found, bool) else found
    return tests if rest is None else [*tests, Program(0, tuple(_clauses(rest, None, _DEEPEST)))]


def in_one(residual: Test) -> Test | Program:
    """The same in one: a test if that says it, and else clauses."""
    return residual if says_the_same(residual) else Program(0, tuple(_clauses(residual, None, _DEEPEST)))


def says_the_same(residual: Test) -> bool:
    """Whether no alternative can be lost to a run-time error in one that stands before it."""
    todo: list[tuple[Test, bool]] = [(residual, False)]
    while todo:
        node, before_another = todo.pop()
        if isinstance(node, And):
            todo += [(node.left, before_another), (node.right, before_another)]
        elif isinstance(node, Or):
            todo += [(node.left, True), (node.right, before_another)]
        elif before_another and may_err(node):
            return False
    return True


def _clauses(residual: Test, then: Program | None, depth: int) -> list[Clause]:
    if depth == 0 or says_the_same(residual):
        return [Clause(0, residual, then)]
    if isinstance(residual, Or):
        return [clause for each in joined(residual, Or) for clause in _clauses(each, then, depth - 1)]
    for part in reversed(conjuncts(residual)):
        then = Program(0, tuple(_clauses(part, then, depth - 1)))
    assert then is not None, "every test has parts"
    return list(then.clauses)
