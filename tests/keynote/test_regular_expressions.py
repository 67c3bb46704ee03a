# SPDX-License-Identifier: ISC
import contextlib
import re

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from keynote import limits, regular_expressions
from keynote.errors import EvaluationError
from tests.cpu import at_most


def match(pattern: str, subject: str) -> tuple[str, ...] | None:
    return regular_expressions.groups(regular_expressions.compiled(pattern), subject)


@pytest.mark.parametrize(
    ("pattern", "subject", "groups"),
    [
        ("b+", "abbbc", ()),
        ("^$", "", ()),
        ("^x{2,3}$", "xxx", ()),
        ("^x{2}$", "xxx", None),
        ("^x{2,}$", "xxxx", ()),
        # The first alternative with which the whole is longest, where POSIX would take the longest (0105): ab, c, d.
        ("(a|ab)(c|bcd)(d*)", "abcd", ("a", "bcd", "")),
        ("(ab|a)(c|bcd)(d*)", "abcd", ("ab", "c", "d")),
        ("(w|we|wee)(eek|ek|k)", "weeek", ("we", "eek")),
        ("(a*)(ab)*(b*)", "abb", ("a", "", "bb")),
        ("(abc|abcde)(f?)", "abcdef", ("abcde", "f")),
        ("^(x)(y)?(z)$", "xz", ("x", "", "z")),
        ("a.c", "a\nc", ()),
        ("a$", "a\nb", None),
        ("^b", "a\nb", None),
        ("[^a]", "\n", ()),
        ("()", "x", ("",)),
        ("a{,2}", "a{,2}", ()),
        ("{", "{", ()),
        ("a{x", "a{x", ()),
        (r"a\.b", "axb", None),
        (r"\a\{\(", "a{(", ()),
        (r"[\]", "\\", ()),
        (r"[\d]", "d", ()),
        (r"[\d]", "7", None),
        ("[]a]+$", "a]", ()),
        ("[^]a]", "]", None),
        ("[a-]", "-", ()),
        ("[--/]", ".", ()),
        ("[%--]", "+", ()),
        ("[[.-.]x]", "-", ()),
        ("[[=a=]]", "a", ()),
        ("[[:alpha:][:digit:]_]+$", "aZ9_", ()),
        ("[[:punct:]]", "a", None),
        ("[[:upper:]]", "\xc9", None),  # classes are ASCII, as in the C locale
        ("\xe9", "caf\xe9", ()),
        ("[\xe0-\xff]", "\xe9", ()),
        ("x{0}y", "y", ()),
        ("$*a", "a", ()),
        ("x$y", "x", None),
        ("a.*" * 5 + "$", "a" * 50, ()),
    ],
)
def test_match(pattern: str, subject: str, groups: tuple[str, ...] | None) -> None:
    assert match(pattern, subject) == groups


@pytest.mark.parametrize(
    "pattern",
    [
        "", "(", ")", "a)", "(a", "a|", "|a", "a||b", "(|a)", "(a|)", "*a", "+a", "?a", "^*", "(*a)", "a|*b",
        "a**", "a+*", "a{2}{3}", "a{3,2}", "a{256}", "a{1", "a{1,2", "{1}", "[", "[a", "[]", "[z-a]", "[[:foo:]]",
        "[[:alpha:", "[[.ab.]]", "[a-[:alpha:]]", "[a-c-e]", "[[.a", "\\", "a\\", r"\1", r"\<a", r"\>",
        "((((a{255}){255}){255}){255})", "x" * (limits.PATTERN_SIZE + 1),
    ],
)  # fmt: skip
def test_what_is_no_pattern_is_a_run_time_error(pattern: str) -> None:
    with pytest.raises(EvaluationError):
        regular_expressions.compiled(pattern)


def test_matching_takes_linear_time() -> None:
    with at_most(5):
        assert match("^(a|a)*(a|aa)*b$", "a" * limits.SUBJECT_SIZE) is None


def test_groups_may_nest_deeply() -> None:
    assert match("(" * 100 + "a" + ")" * 100, "a") == ("a",) * 100


@given(st.text(st.characters(max_codepoint=255), max_size=30), st.text(st.characters(max_codepoint=255), max_size=20))
def test_any_pattern_compiles_or_is_refused(pattern: str, subject: str) -> None:
    with contextlib.suppress(EvaluationError):
        match(pattern, subject)


# A part of the language in which POSIX and Python agree on whether there is a match.
ATOMS = st.sampled_from(["a", "b", ".", "[ab]", "[^a]", "a*", "b+", "(a|b)", "(ab)?", "[a-c]{1,2}", "^", "$"])


@given(st.lists(ATOMS, min_size=1, max_size=6).map("".join), st.text("abc", max_size=8))
def test_agrees_with_python_on_whether_there_is_a_match(pattern: str, subject: str) -> None:
    try:
        found = match(pattern, subject) is not None
    except EvaluationError:
        assume(False)
    assert found == (re.search(pattern.replace("$", r"\Z"), subject, re.DOTALL) is not None)
