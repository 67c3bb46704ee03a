# SPDX-License-Identifier: ISC
"""POSIX extended regular expressions (RFC 2704 4.6.5), matched in linear time by RE2.

The subject comes from the network, and so may the pattern: no backtracking. RE2's own syntax differs from POSIX in
brackets, intervals and escapes, so a pattern is read here, by IEEE 1003.2 section 2.8.4, and written again in the
part of RE2's syntax that has only one reading: escaped characters, explicit ranges, groups, repetitions, anchors.
What POSIX leaves undefined is as in OpenBSD's regcomp(3), the C library's; what cannot be said to RE2 (back
references, word boundaries, collating elements of several characters) is an error.

A match is leftmost and longest, as POSIX wants. Inside it RE2 takes the first alternative of the pattern with which
the match is that long, where POSIX takes the longest: `(a|ab)(c|bcd)(d*)` on `abcd` gives `a`, `bcd` and nothing, not
`ab`, `c` and `d`. Only `_1` and so on can show it (docs/decisions/0105).
"""

import functools
import string
from collections.abc import Iterable
from typing import Any, Final

import re2  # type: ignore[import-untyped]

from keynote import limits
from keynote.errors import EvaluationError

#: POSIX's RE_DUP_MAX, the greatest number in an interval.
_REPEAT_MAX: Final = 255

#: Bytes that are enough for most patterns. RE2 takes what it may for the states of a search as well, and there may be
#: hundreds of patterns; a subject that would need more only takes longer.
_MODEST_MEMORY: Final = 64 * 1024


class Pattern:
    """A compiled pattern. `search` raises EvaluationError for a subject that is too long."""

    __slots__ = ("_regexp",)

    def __init__(self, regexp: Any) -> None:
        self._regexp = regexp

    def search(self, subject: bytes) -> Any:
        """RE2's match object, or None."""
        if len(subject) > limits.SUBJECT_SIZE:
            raise EvaluationError(f"a match in a string of more than {limits.SUBJECT_SIZE} characters")
        return self._regexp.search(subject)

    @property
    def steps(self) -> int:
        """The number of RE2's instructions."""
        return int(self._regexp.programsize)


def groups(pattern: Pattern, subject: str) -> tuple[str, ...] | None:
    """The groups of the leftmost longest match, a group that took no part as "", or None without a match."""
    found = pattern.search(subject.encode("latin-1"))
    if found is None:
        return None
    return tuple("" if group is None else group.decode("latin-1") for group in found.groups())


@functools.lru_cache(maxsize=128)
def compiled(pattern: str) -> Pattern:
    """A pattern that is written in a policy. Raises EvaluationError."""
    text = _translated(pattern)
    try:
        return Pattern(re2.compile(text, _options(_MODEST_MEMORY)))
    except re2.error:
        return _compiled(text, limits.PATTERN_MEMORY)


@functools.lru_cache(maxsize=128)
def computed(pattern: str) -> Pattern:
    """A pattern that is computed while a test runs, with less memory, and so time to compile it in. Its
    instructions are limited, too: they could not be counted when its assertion was read."""
    found = _compiled(_translated(pattern), limits.COMPUTED_PATTERN_MEMORY)
    if found.steps > limits.COMPUTED_PATTERN_STEPS:
        count = limits.COMPUTED_PATTERN_STEPS
        raise EvaluationError(f"a computed regular expression of more than {count} instructions")
    return found


def _translated(pattern: str) -> bytes:
    if len(pattern) > limits.PATTERN_SIZE:
        raise EvaluationError(f"a regular expression of more than {limits.PATTERN_SIZE} characters")
    return translated(pattern).encode("latin-1")


def _compiled(text: bytes, memory: int) -> Pattern:
    try:
        return Pattern(re2.compile(text, _options(memory)))
    except re2.error as error:
        raise EvaluationError("a regular expression that needs too much memory") from error


@functools.cache
def _options(memory: int) -> Any:
    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.longest_match = True
    options.dot_nl = True
    options.max_mem = memory
    options.log_errors = False
    return options


def translated(pattern: str) -> str:
    """The pattern in RE2's syntax. Raises EvaluationError if it is no regular expression."""
    return _Translation(pattern).result()


class _Translation:
    """One pass over a pattern. Open groups are a count, nothing on Python's stack."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0
        self._pieces: list[str] = []
        self._groups = self._open_groups = 0

    def result(self) -> str:
        self._branch_start()
        while self._at < len(self._pattern):
            self._piece()
        if self._open_groups:
            raise EvaluationError("a `(` that is not closed in a regular expression")
        return "".join(self._pieces)

    def _branch_start(self) -> None:
        """A branch has at least one piece; `()` is the one empty thing that is allowed."""
        before, char = self._pattern[self._at - 1 : self._at], self._pattern[self._at : self._at + 1]
        if not char and before == "(":
            raise EvaluationError("a `(` that is not closed in a regular expression")
        if char in ("", "|"):
            raise EvaluationError("an empty regular expression, or an empty branch in one")
        if char == ")" and not self._open_groups:
            raise EvaluationError("a `)` without its `(` in a regular expression")
        if char == ")" and before != "(":
            raise EvaluationError("an empty branch in a regular expression")

    def _piece(self) -> None:
        char = self._take()
        if char == "|":
            self._pieces.append("|")
            self._branch_start()
        elif char == "(":
            self._open_groups += 1
            self._groups += 1
            if self._groups > limits.PATTERN_GROUPS:
                raise EvaluationError(f"more than {limits.PATTERN_GROUPS} groups in a regular expression")
            self._pieces.append("(")
            self._branch_start()
        elif char == ")":
            if not self._open_groups:
                raise EvaluationError("a `)` without its `(` in a regular expression")
            self._open_groups -= 1
            self._pieces.append(")")
            self._repetition()
        elif char == "^":
            self._pieces.append(r"(?:\A)")
            if self._at < len(self._pattern) and self._is_repetition():
                raise EvaluationError("nothing to repeat in a regular expression")
        elif char in "*+?" or (char == "{" and _is_digit(self._peek())):
            raise EvaluationError("nothing to repeat in a regular expression")
        else:
            self._pieces.append(self._atom(char))
            self._repetition()

    def _atom(self, char: str) -> str:
        if char == "$":
            return r"(?:\z)"
        if char == ".":
            return "."
        if char == "[":
            return _character_class(self._bracket())
        return _escaped(self._escape() if char == "\\" else char)

    def _escape(self) -> str:
        if self._at >= len(self._pattern):
            raise EvaluationError("a backslash at the end of a regular expression")
        char = self._take()
        if char in "123456789":
            raise EvaluationError("a back reference in a regular expression")
        if char in "<>":
            raise EvaluationError("a word boundary in a regular expression")
        return char

    # -- repetitions -------------------------------------------------------------------------------------------------

    def _is_repetition(self) -> bool:
        char = self._peek()
        return char in ("*", "+", "?") or (char == "{" and _is_digit(self._pattern[self._at + 1 : self._at + 2]))

    def _repetition(self) -> None:
        if not self._is_repetition():
            return
        char = self._take()
        self._pieces.append(self._interval() if char == "{" else char)
        if self._is_repetition():
            raise EvaluationError("a repetition of a repetition in a regular expression")

    def _interval(self) -> str:
        low = self._number()
        high: int | None = low
        if self._peek() == ",":
            self._take()
            high = self._number() if _is_digit(self._peek()) else None
        if self._peek() != "}":
            raise EvaluationError("an interval in a regular expression that is not `{m}`, `{m,}` or `{m,n}`")
        self._take()
        if low > _REPEAT_MAX or (high is not None and not low <= high <= _REPEAT_MAX):
            raise EvaluationError(f"an interval in a regular expression beyond {_REPEAT_MAX}, or upside down")
        return f"{{{low},{'' if high is None else high}}}"

    def _number(self) -> int:
        digits = ""
        while _is_digit(self._peek()) and len(digits) < 4:
            digits += self._take()
        return int(digits)

    # -- brackets ----------------------------------------------------------------------------------------------------

    def _bracket(self) -> set[int]:
        """The characters of a bracket expression; the `[` is read."""
        negated = self._peek() == "^"
        if negated:
            self._take()
        members: set[int] = set()
        first = True
        while first or self._peek() != "]":
            if not first and self._peek() == "-" and self._pattern[self._at + 1 : self._at + 2] != "]":
                raise EvaluationError("a range in a regular expression that has no beginning")
            members |= self._bracket_member()
            first = False
        self._take()
        return set(range(256)) - members if negated else members

    def _bracket_member(self) -> set[int]:
        if self._pattern.startswith("[:", self._at):
            return self._class()
        low = self._bracket_character()
        if self._peek() != "-" or self._pattern[self._at + 1 : self._at + 2] == "]":
            return {ord(low)}
        self._take()
        high = self._bracket_character()
        if high < low:
            raise EvaluationError("a range in a regular expression that is upside down")
        return set(range(ord(low), ord(high) + 1))

    def _class(self) -> set[int]:
        name = self._enclosed(":")
        if name not in _CLASSES:
            raise EvaluationError("an unknown character class in a regular expression")
        return set(map(ord, _CLASSES[name]))

    def _bracket_character(self) -> str:
        """One end of a range: a character, `[.x.]` or `[=x=]`. A backslash is a character like others here."""
        for kind in ".=":
            if self._pattern.startswith("[" + kind, self._at):
                element = self._enclosed(kind)
                if len(element) != 1:
                    raise EvaluationError("a collating element of several characters in a regular expression")
                return element
        if self._pattern.startswith("[:", self._at):
            raise EvaluationError("a character class at the end of a range in a regular expression")
        return self._take("a `[` that is not closed in a regular expression")

    def _enclosed(self, kind: str) -> str:
        end = self._pattern.find(kind + "]", self._at + 2)
        if end < 0:
            raise EvaluationError(f"a `[{kind}` that is not closed in a regular expression")
        text = self._pattern[self._at + 2 : end]
        self._at = end + 2
        return text

    # -- characters --------------------------------------------------------------------------------------------------

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self, otherwise: str = "a regular expression that ends too early") -> str:
        if self._at >= len(self._pattern):
            raise EvaluationError(otherwise)
        self._at += 1
        return self._pattern[self._at - 1]


_CLASSES: Final = {
    "alnum": string.ascii_letters + string.digits,
    "alpha": string.ascii_letters,
    "blank": " \t",
    "cntrl": "".join(map(chr, [*range(32), 127])),
    "digit": string.digits,
    "graph": "".join(map(chr, range(33, 127))),
    "lower": string.ascii_lowercase,
    "print": "".join(map(chr, range(32, 127))),
    "punct": string.punctuation,
    "space": " \t\n\v\f\r",
    "upper": string.ascii_uppercase,
    "xdigit": string.hexdigits,
}


def _is_digit(char: str) -> bool:
    return char != "" and char in string.digits  # not str.isdigit, which likes superscripts


def _escaped(char: str) -> str:
    return char if char in _PLAIN else f"\\x{ord(char):02x}"


_PLAIN: Final = frozenset(string.ascii_letters + string.digits)


def _character_class(members: Iterable[int]) -> str:
    ordered = sorted(members)
    if not ordered:
        return r"[^\x00-\xff]"
    ranges, start = [], ordered[0]
    for code, following in zip(ordered, [*ordered[1:], 999], strict=True):
        if following != code + 1:
            ranges.append(f"\\x{start:02x}-\\x{code:02x}")
            start = following
    return f"[{''.join(ranges)}]"
