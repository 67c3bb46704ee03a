# SPDX-License-Identifier: ISC
"""What remains of Conditions says exactly when they give a value."""

import itertools
import re

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import keynote
from keynote.compiler import compile_program
from keynote.conditions import conditions_value
from keynote.environment import Environment, PartialEnvironment, environment, scale
from keynote.evaluator import Delegation
from keynote.grammar import conditions
from keynote.loading import delegations
from keynote.printing import printed
from keynote.residuals import Residual, conjuncts, residual
from keynote.syntax import And, Not, Or
from tests.keynote import reference

RANKS = scale(reference.VALUES)


def delegation(text: str, constants: str = "") -> Delegation:
    head = f"Local-Constants: {constants}\n" if constants else ""
    assertions = keynote.parse_policy(f'{head}Authorizer: "POLICY"\nConditions: {text}\n', name="p.kn")
    (fixed,), _ = delegations(assertions)
    return fixed


def remaining(text: str, known: dict[str, str], goal: int = 2, constants: str = "") -> str:
    unknown = {"a", "b", "c"} - known.keys()
    facts = PartialEnvironment(environment(known, ["K"], RANKS), unknown)
    found = residual(delegation(text, constants), facts, RANKS, goal)
    return str(found) if isinstance(found, bool) else printed(found)


def holds(found: Residual, facts: Environment) -> bool:
    """As a formula: a relation that meets a run-time error does not hold, and neither does its opposite."""
    match found:
        case bool():
            return found
        case And(left=left, right=right):
            return holds(left, facts) and holds(right, facts)
        case Or(left=left, right=right):
            return holds(left, facts) or holds(right, facts)
        case Not(operand=operand):
            return not holds(operand, facts)
    compiled = compile_program(conditions(f"{printed(found)};"), {})
    return conditions_value(compiled, facts, RANKS) > 0


@settings(max_examples=300)
@given(
    reference.PROGRAMS,
    reference.ATTRIBUTES,
    st.sets(reference.NAMES, min_size=1, max_size=2),
    st.integers(1, 2),
)
def test_it_holds_just_where_the_conditions_do(
    program: reference.Program, attributes: dict[str, str], unknown: set[str], goal: int
) -> None:
    text = reference.program_text(program)
    assume(text and not re.search(r"_[0-9]", text))
    known = {name: value for name, value in attributes.items() if name not in unknown}
    facts = PartialEnvironment(environment(known, ["K"], RANKS), unknown)
    found = residual(delegation(text), facts, RANKS, goal)
    for texts in itertools.product(["", "x", "xy", "0", "2", "a"], repeat=len(unknown)):
        completion = {**known, **dict(zip(sorted(unknown), texts, strict=True))}
        expected = reference.conditions_value(program, completion) >= goal
        assert holds(found, environment(completion, ["K"], RANKS)) == expected, completion


@pytest.mark.parametrize(
    ("text", "known", "expected"),
    [
        ('a == "x" && b == "y";', {"a": "x"}, 'b == "y"'),
        ('a == "x" && b == "y";', {"a": "z"}, "False"),
        ('a == "x" || b == "y";', {"a": "x"}, "True"),
        ('!(a == "x" && b > "y");', {"a": "x"}, 'b <= "y"'),
        ('!(a ~= "x");', {}, '!(a ~= "x")'),
        ("a == b;", {"a": "x"}, '"x" == b'),
        ("@a > @(b . c);", {"a": "5", "b": "1"}, '@"5" > @("1" . c)'),
        ("$a == $b;", {"a": "k"}, '$"k" == $b'),
        ('a == "1" -> { b == "2"; c == "3"; };', {}, 'a == "1" && (b == "2" || c == "3")'),
        ('a == "1" -> { b == "2"; c == "3"; };', {"b": "2"}, 'a == "1"'),
        ('a == "1"; b == "2"; c == "3";', {"b": "x"}, 'a == "1" || c == "3"'),
        ('a == "1" -> "mid"; b == "2" -> "high";', {}, 'b == "2"'),
        ("a == b || 1 / 0 == 1;", {}, "a == b"),
        ("1 / 0 == 1 || a == b;", {}, "False"),
        ("1 / @a == 1 || true;", {}, "1 / @a == 1 || 1 / @a != 1"),
        ("@a > 5 || true;", {}, "True"),
        ("(a == b && 1 / 0 == 1) || c == b;", {}, "a != b && c == b"),
        ('true -> a; b == "1" -> "high";', {}, 'a == "high" || b == "1"'),
        ('a ~= "(x)(y)?" && _1 == b;', {"a": "xy"}, '"x" == b'),
        ('a ~= "(x)(y)?" && _1 == b;', {"b": "x"}, 'a ~= "(x)(y)?" && _1 == "x"'),
        ('a ~= "(x)" -> { _1 == b; };', {"a": "x"}, '"x" == b'),
        ("", {}, "False"),
    ],
)
def test_in_words(text: str, known: dict[str, str], expected: str) -> None:
    assert remaining(text, known) == expected


def test_lower_goals_take_more_clauses() -> None:
    text = 'a == "1" -> "mid"; b == "2" -> "high"; true -> c;'
    assert remaining(text, {}, goal=2) == 'b == "2" || c == "high"'
    assert remaining(text, {}, goal=1) == 'a == "1" || b == "2" || (c == "mid" || c == "high")'


def test_constants_are_put_in_and_no_conditions_are_none() -> None:
    assert remaining("a == N;", {}, constants='N = "v"') == 'a == "v"'
    (fixed,), _ = delegations(keynote.parse_policy('Authorizer: "POLICY"\n', name="p.kn"))
    facts = PartialEnvironment(environment({}, ["K"], RANKS), {"a"})
    assert residual(fixed, facts, RANKS, 2) is True


@pytest.mark.parametrize("text", [f"{'!' * 3001}(a == b);", " && ".join(["a == b"] * 3000) + ";"])
def test_depth_has_no_limit(text: str) -> None:
    facts = PartialEnvironment(environment({}, ["K"], RANKS), {"a"})
    found = residual(delegation(text), facts, RANKS, 2)
    assert not isinstance(found, bool)
    assert len(conjuncts(found)) == text.count("=") // 2
