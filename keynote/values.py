# SPDX-License-Identifier: ISC
"""Numbers and strings of a test while it runs: conversion, arithmetic, concatenation (RFC 2704 4.4, 4.6.5).

Integers are unbounded up to `limits`, floating-point numbers are doubles; what neither can hold is a run-time error.
"""

import math
import re
from collections.abc import Callable, Sequence

from keynote import limits
from keynote.errors import EvaluationError

# "ASCII representation of a numeric value" (RFC 2704 4.6.5): digits as the language writes them, with a sign. The C
# library also reads `5.` and `.5`; neither it nor we read exponents, a plus sign or blanks.
_NUMERIC = re.compile(r"-?(?:[0-9]+\.?[0-9]*|\.[0-9]+)")


def integer(text: str) -> int:
    """`@text`: rounded down, and 0 if it is no number."""
    if not _is_number(text):
        return 0
    whole, _, fraction = text.partition(".")
    value = int(whole) if whole not in ("", "-") else 0
    return value - 1 if text[0] == "-" and fraction.strip("0") else value


def floating(text: str) -> float:
    """`&text`, and 0 if it is no number."""
    return _finite(float(text)) if _is_number(text) else 0.0


def _is_number(text: str) -> bool:
    if not _NUMERIC.fullmatch(text):
        return False
    if len(text) > limits.DIGITS:
        # Zero would be a lie here: `@size < 1000` must not hold for a number that is too long to read.
        raise EvaluationError(f"a number of more than {limits.DIGITS} digits")
    return True


def negative(value: int | float) -> int | float:
    return -value


def joined(parts: Sequence[str]) -> str:
    if sum(map(len, parts)) > limits.STRING_SIZE:
        raise EvaluationError(f"a string of more than {limits.STRING_SIZE} characters")
    return "".join(parts)


# -- integers --------------------------------------------------------------------------------------------------------


def _multiply(left: int, right: int) -> int:
    if left.bit_length() + right.bit_length() > limits.INTEGER_BITS:
        raise EvaluationError(f"an integer of more than {limits.INTEGER_BITS} bits")
    return left * right


def _divide(left: int, right: int) -> int:
    """As in C: rounded towards zero, where Python rounds down."""
    if right == 0:
        raise EvaluationError("division by zero")
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _modulo(left: int, right: int) -> int:
    """As in C: with the sign of the dividend."""
    if right == 0:
        raise EvaluationError("division by zero")
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _power(base: int, exponent: int) -> int:
    if exponent < 0:
        return 0  # the C library's answer, also for 1 and -1; the RFC has none
    if base.bit_length() > 1 and base.bit_length() * exponent > limits.INTEGER_BITS:
        raise EvaluationError(f"an integer of more than {limits.INTEGER_BITS} bits")
    # Now the exponent is small, or the base is -1, 0 or 1, where only the exponent's parity counts.
    return int(base ** (exponent if base.bit_length() > 1 else min(exponent, 2 - exponent % 2)))


INTEGER_OPERATIONS: dict[str, Callable[[int, int], int]] = {
    "+": int.__add__,
    "-": int.__sub__,
    "*": _multiply,
    "/": _divide,
    "%": _modulo,
    "^": _power,
}


# -- floating-point numbers ------------------------------------------------------------------------------------------


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise EvaluationError("a floating-point number beyond the range of a double")
    return value


def _float_divide(left: float, right: float) -> float:
    if right == 0:
        raise EvaluationError("division by zero")
    return _finite(left / right)


def _float_power(base: float, exponent: float) -> float:
    try:
        return _finite(math.pow(base, exponent))
    except (OverflowError, ValueError) as error:
        raise EvaluationError("a power that is no floating-point number") from error


FLOAT_OPERATIONS: dict[str, Callable[[float, float], float]] = {
    "+": lambda left, right: _finite(left + right),
    "-": lambda left, right: _finite(left - right),
    "*": lambda left, right: _finite(left * right),
    "/": _float_divide,
    "^": _float_power,
}
