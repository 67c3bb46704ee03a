# SPDX-License-Identifier: ISC
"""Generated functions: no word of a policy in them, bounds, and what is left to the steps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keynote import literals
from keynote.compiler import compile_program
from keynote.conditions import conditions_value
from keynote.environment import environment, scale
from keynote.grammar import conditions
from tests.keynote import reference

RANKS = scale(reference.VALUES)
LATIN_1 = st.text(st.characters(min_codepoint=1, max_codepoint=255), max_size=20)


def value(text: str, action: dict[str, str]) -> int:
    """By the generated function, which must be there and say what the steps say."""
    program = compile_program(conditions(text), {})
    assert program.generated is not None
    found = program.generated.function(action, action.get, RANKS.rank, RANKS.top)
    assert found == conditions_value(program, environment(action, ["K"], RANKS), RANKS)
    return found


@given(LATIN_1, LATIN_1)
def test_any_text_may_stand_in_a_test(text: str, other: str) -> None:
    test = f"a == {literals.encode(text)} -> {literals.encode(other)}; b == {literals.encode(other)};"
    assert value(test, {"a": text, "b": other + "x"}) == RANKS.index.get(other, 0)
    assert value(test, {"a": text + "x", "b": other}) == 2


@pytest.mark.parametrize(
    "word", ["get", "rank", "top", "best", "c0", "bind", "None", "__import__", "EvaluationError"]
)
def test_names_of_the_generated_code_are_free(word: str) -> None:
    name = word.strip("_")
    assert value(f'{name} == "{word}";', {name: word}) == 2
    assert value(f'{name} == "{word}" -> "mid"; {name} != "{word}";', {name: word}) == 1


def test_no_word_of_a_policy_is_in_the_code() -> None:
    program = compile_program(conditions('spam == "eggs" && !(@ham > 1) -> { beans ~= "toast" -> "mid"; };'), {})
    assert program.generated is not None
    code = program.generated.function.__code__
    words = repr((code.co_consts, code.co_names, code.co_varnames, code.co_freevars))
    assert not any(word in words for word in ("spam", "eggs", "ham", "beans", "toast", "mid"))


def test_tests_of_one_shape_share_their_code() -> None:
    first, second = (compile_program(conditions(f'a{n} == "{n}" || b < "{n}";'), {}).generated for n in (1, 2))
    assert first is not None
    assert second is not None
    assert first.function.__code__ is second.function.__code__


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", 0),
        ("true;", 2),
        ("false;", 0),
        ("!(true && !false) || true;", 2),
        ('!(a == "x" || b < "y");', 0),
        ('!(a != "x" && (b >= "z" || b > "z")) -> "mid";', 1),
        ("true -> _MAX_TRUST;", 2),
        ('true -> "mid"; true -> "low"; 1/0 == 1; true -> "none";', 1),
        ("!(1 / @n == 1);", 0),
        ('1 / @n == 1 -> { true; }; a ~= "^x$" -> { b == "z" -> { true -> "mid"; }; false; };', 1),
        ('a ~= "(" || true; a == b -> "mid";', 0),
    ],
)
def test_values(text: str, expected: int) -> None:
    assert value(text, {"a": "x", "b": "z", "n": "0"}) == expected


@pytest.mark.parametrize(
    "text",
    [
        '_MIN_TRUST == "low";',
        "a == _MAX_TRUST;",
        'a ~= "(x)" && _1 == "x";',
        '$a == "x";',
        "true -> a;",
        "true -> $a;",
    ],
)
def test_what_only_the_query_knows_is_left_to_the_steps(text: str) -> None:
    assert compile_program(conditions(text), {}).generated is None


@pytest.mark.parametrize(
    ("text", "generated"),
    [
        (" && ".join(['a == "x"'] * 299) + ";", True),
        (" && ".join(['a == "x"'] * 300) + ";", False),
        ("true;" * 300, True),
        ("true;" * 301, False),
        ("true && (false || (" * 6 + "true" + "))" * 6 + ";", True),
        ("true && (false || (" * 7 + "true" + "))" * 7 + ";", False),
        ("true -> {" * 12 + "true;" + "};" * 12, True),
        ("true -> {" * 13 + "true;" + "};" * 13, False),
    ],
    ids=lambda it: str(it)[:12],
)
def test_bounds(text: str, generated: bool) -> None:
    program = compile_program(conditions(text), {})
    facts = environment({"a": "x"}, ["K"], RANKS)
    assert (program.generated is not None) == generated
    if program.generated is not None:
        assert program.generated.function(facts, facts.get, RANKS.rank, RANKS.top) == 2
    assert conditions_value(program, facts, RANKS) == 2
