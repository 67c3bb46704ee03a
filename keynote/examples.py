# SPDX-License-Identifier: ISC
"""Texts that match a regular expression: short ones, and few, so that it can be tried what one would bring about."""

from functools import lru_cache
from typing import Final

from keynote import regular_expressions
from keynote.errors import EvaluationError

#: Of patterns that are longer none is looked for.
_LONGEST: Final = 1_000
#: Characters of an example, and examples.
_SIZE: Final = 500
_MOST: Final = 4
#: What is taken of a set of characters, if it has one of these.
_PLAIN: Final = "a0bx1A-._ "


@lru_cache(maxsize=128)
def examples(pattern: str) -> tuple[str, ...]:
    """Texts that match, shortest first: empty if none is found, or if it is no regular expression."""
    if len(pattern) > _LONGEST:
        return ()
    try:
        compiled = regular_expressions.compiled(pattern)
        texts = dict.fromkeys(_Reader(regular_expressions.translated(pattern)).texts())
        return tuple(text for text in texts if compiled.search(text.encode("latin-1")) is not None)
    except EvaluationError:
        return ()


class _Reader:
    """Reads what `keynote.regular_expressions.translated` writes: escaped characters, sets of ranges, groups,
    repetitions and anchors. Anchors count as nothing, and what does not match because of them is left out by the
    caller."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def texts(self) -> list[str]:
        """One list per open group, of its finished branches and the texts of the branch that is being read: on no
        stack of Python's, as groups may be nested deeply."""
        open_groups: list[tuple[list[str], list[str]]] = []
        done: list[str] = []
        branch = [""]
        while self._at < len(self._text):
            if self._skip(r"(?:\A)") or self._skip(r"(?:\z)"):
                self._repetition()
            elif self._skip("("):
                open_groups.append((done, branch))
                done, branch = [], [""]
            elif self._skip(")"):
                piece = _fewest([*done, *branch])
                done, branch = open_groups.pop()
                branch = _joined(branch, self._repeated(piece))
            elif self._skip("|"):
                done, branch = [*done, *branch], [""]
            else:
                branch = _joined(branch, self._repeated([self._character()]))
        return _fewest([*done, *branch])

    def _skip(self, text: str) -> bool:
        if not self._text.startswith(text, self._at):
            return False
        self._at += len(text)
        return True

    def _character(self) -> str:
        if self._skip("["):
            negated = self._skip("^")
            ranges = []
            while not self._skip("]"):
                low = self._one()
                ranges.append((low, self._one() if self._skip("-") else low))
            members = [chr(code) for low, high in ranges for code in range(ord(low), ord(high) + 1)]
            if negated or not members:
                return ""
            return next((char for char in _PLAIN if char in members), members[0])
        return "a" if self._skip(".") else self._one()

    def _one(self) -> str:
        if self._skip("\\x"):
            self._at += 2
            return chr(int(self._text[self._at - 2 : self._at], 16))
        self._at += 1
        return self._text[self._at - 1]

    def _repetition(self) -> tuple[int, bool]:
        """The least number of times, and whether there may be more."""
        for sign, least in (("*", 0), ("+", 1), ("?", 0)):
            if self._skip(sign):
                return least, True
        if not self._skip("{"):
            return 1, False
        end = self._text.index("}", self._at)
        low, _, high = self._text[self._at : end].partition(",")
        self._at = end + 1
        return int(low), high != low

    def _repeated(self, piece: list[str]) -> list[str]:
        least, more = self._repetition()
        return [text * times for times in (least, least + 1)[: 1 + (more and not least)] for text in piece]


def _joined(beginnings: list[str], ends: list[str]) -> list[str]:
    return _fewest([beginning + end for beginning in beginnings for end in ends])


def _fewest(texts: list[str]) -> list[str]:
    found = sorted(dict.fromkeys(text for text in texts if len(text) <= _SIZE), key=len)
    return found[:_MOST]
