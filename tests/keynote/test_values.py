# SPDX-License-Identifier: ISC
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keynote import limits, values
from keynote.errors import EvaluationError

INTEGERS = values.INTEGER_OPERATIONS
FLOATS = values.FLOAT_OPERATIONS


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0", 0),
        ("007", 7),
        ("-5", -5),
        ("1.9", 1),
        ("-1.5", -2),  # "rounded down"
        ("-1.0", -1),
        ("-0.5", -1),
        (".5", 0),
        ("5.", 5),
        ("-.5", -1),
        ("99999999999999999999", 99999999999999999999),
        ("", 0),
        ("+5", 0),
        ("1e3", 0),
        (" 7", 0),
        ("7 ", 0),
        ("12abc", 0),
        ("1.2.3", 0),
        ("-", 0),
        (".", 0),
        ("--5", 0),
        ("\xb2", 0),  # a superscript is no digit
    ],
)
def test_integer(text: str, expected: int) -> None:
    assert values.integer(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1.2", 1.2), ("-1.5", -1.5), ("5.", 5.0), (".5", 0.5), ("", 0.0), ("nan", 0.0), ("inf", 0.0)],
)
def test_floating(text: str, expected: float) -> None:
    assert values.floating(text) == expected


def test_a_number_too_long_to_read_is_an_error_and_not_zero() -> None:
    for convert in (values.integer, values.floating):
        with pytest.raises(EvaluationError):
            convert("9" * (limits.DIGITS + 1))


@pytest.mark.parametrize(
    ("left", "operator", "right", "expected"),
    [
        (-7, "/", 2, -3),
        (7, "/", -2, -3),
        (-7, "/", -2, 3),
        (-7, "%", 3, -1),
        (7, "%", -3, 1),
        (-(2**31), "/", -1, 2**31),
        (2, "^", 10, 1024),
        (2, "^", -1, 0),
        (1, "^", -1, 0),
        (0, "^", 0, 1),
        (-1, "^", 10**30, 1),
        (-1, "^", 10**30 + 1, -1),
        (1, "^", 10**30, 1),
        (0, "^", 10**30, 0),
        (-2, "^", 3, -8),
    ],
)
def test_integer_arithmetic_is_that_of_c(left: int, operator: str, right: int, expected: int) -> None:
    assert INTEGERS[operator](left, right) == expected


@given(st.integers(), st.integers().filter(bool))
def test_division_and_remainder_belong_together(left: int, right: int) -> None:
    assert INTEGERS["/"](left, right) * right + INTEGERS["%"](left, right) == left
    assert INTEGERS["/"](left, right) == math.trunc(left / right) or abs(left) > 2**50


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [(1, "/", 0), (1, "%", 0), (2, "^", limits.INTEGER_BITS), (-3, "^", 10**30)],
)
def test_integer_errors(left: int, operator: str, right: int) -> None:
    with pytest.raises(EvaluationError):
        INTEGERS[operator](left, right)


def test_products_have_a_limit() -> None:
    half = 1 << limits.INTEGER_BITS // 2 - 1
    assert INTEGERS["*"](half, half) == half**2
    with pytest.raises(EvaluationError):
        INTEGERS["*"](half, half * 4)


@pytest.mark.parametrize(
    ("left", "operator", "right"),
    [
        (1.0, "/", 0.0),
        (1e308, "*", 10.0),
        (1e308, "+", 1e308),
        (-1e308, "-", 1e308),
        (10.0, "^", 400.0),
        (-1.0, "^", 0.5),
        (0.0, "^", -1.0),
    ],
)
def test_float_errors(left: float, operator: str, right: float) -> None:
    with pytest.raises(EvaluationError):
        FLOATS[operator](left, right)


def test_joined_has_a_limit() -> None:
    half = "x" * (limits.STRING_SIZE // 2)
    assert len(values.joined([half, half])) == limits.STRING_SIZE
    with pytest.raises(EvaluationError):
        values.joined([half, half, "x"])
