# SPDX-License-Identifier: ISC
"""What an assertion of a few characters could cost: constants that are joined again and again, regular expressions.

Nearly all assertions pass the first line of each check, which counts characters. The others are walked.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from keynote import expressions, limits, regular_expressions
from keynote.errors import EvaluationError
from keynote.syntax import Concatenation, Match, Name, Node, Program, walk

#: Regular expressions that stay within what all may have, however large each is.
_FEW: Final = 4


def joined_too_long(trees: Iterable[Node], text: str, constants: Mapping[str, str]) -> bool:
    """Whether concatenations name more characters of constants than they may. `text` holds that of the trees."""
    if len(text) ** 2 <= limits.JOINED_SIZE:
        return False  # dots and constants are in it
    if not constants or text.count(".") * max(map(len, constants.values())) <= limits.JOINED_SIZE:
        return False
    total = 0
    for tree in trees:
        for node in walk(tree):
            if isinstance(node, Concatenation):
                sides = (node.left, node.right)
                total += sum(len(constants.get(side.name, "")) for side in sides if isinstance(side, Name))
    return total > limits.JOINED_SIZE


def too_many_patterns(program: Program, text: str, constants: Mapping[str, str]) -> bool:
    """Whether the regular expressions of a Conditions field have more instructions together than they may."""
    if text.count("~=") <= _FEW:
        return False
    total = 0
    for node in walk(program):
        if isinstance(node, Match):
            total += _steps(expressions.string(node.pattern, constants))
            if total > limits.PATTERN_STEPS:
                return True
    return False


def _steps(pattern: object) -> int:
    if not isinstance(pattern, str):
        return 2 * limits.COMPUTED_PATTERN_STEPS  # with its little memory, a match takes more time
    try:
        return regular_expressions.compiled(pattern).steps
    except EvaluationError:
        return 0
