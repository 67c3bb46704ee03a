# SPDX-License-Identifier: ISC
"""The line a mistake stands in, with a caret below the place, and no passphrase in sight."""

import re
from typing import Final

from keynote import literals
from keynote.locations import Source
from keynote.redaction import HIDDEN, secrets, visible

_WIDTH: Final = 100
_INDENT: Final = "    "
_LONGEST: Final = 4 * _WIDTH  # bytes, of which a character may need four

# A comment; a string literal; or a literal that is never closed, up to where its line ends.
_TOKEN = re.compile(rf'#[^\n]*|({literals.PATTERN})|("(?:[^"\\\n]|\\(?:\n[ \t\n]*+|.|\Z))*+)')
# What may follow a literal in its field; or the end of the field, if another one begins then, or this one goes on.
_OPERATOR = re.compile(r"[ \t]*(?:[)},;.#]|&&|\|\||->|[=!<>~]=|\Z|\n(?:[ \t#\n]|[A-Za-z-]+:|\Z))")
_FIELD = re.compile(r"\n*(?:[ \t#]|[A-Za-z-]+:)")


def excerpt(source: Source, at: int, start: int, end: int) -> str:
    """The line that holds the offset `at`, and a caret. The assertion it belongs to is `source.text[start:end]`."""
    return Excerpts(source, start, end).at(at)


class Excerpts:
    """Makes excerpts of one assertion, `source.text[start:end]`, having looked once for what to hide."""

    def __init__(self, source: Source, start: int, end: int) -> None:
        self._source = source
        self._hidden = _hidden(source.text, _beginning(source.text, start), end)

    def at(self, at: int) -> str:
        """The line that holds the offset `at`, and a caret."""
        source = self._source
        line_start, line = source.line(source.location(at).line)
        line_end = line_start + len(line)
        before: list[str] = []
        after: list[str] = []
        position = line_start
        for span_start, span_end in [*self._hidden, (line_end, line_end)]:
            if span_end < line_start or span_start > line_end:
                continue
            _divide(source.text, position, max(span_start, line_start), at, before, after)
            if max(span_start, line_start) < min(span_end, line_end):
                (before if span_end <= at else after).append(f'"{HIDDEN}"')
            position = min(span_end, line_end)
        return _cropped("".join(before), "".join(after))


def _beginning(text: str, start: int) -> int:
    """Where the text that `start` is in begins: what stands behind a blank line and is no field may be the rest of
    what stands before it."""
    while start and not _FIELD.match(text, start):
        start = max(text.rfind("\n\n", 0, max(start - 1, 0)), 0)
    return start


def _divide(text: str, start: int, end: int, at: int, before: list[str], after: list[str]) -> None:
    middle = min(max(at, start), end)
    # No more than can be shown: a line may be as long as its file.
    before.append(visible(text[max(start, middle - _LONGEST) : middle]))
    after.append(visible(text[middle : min(end, middle + _LONGEST)]))


def _cropped(before: str, after: str) -> str:
    if len(before) > _WIDTH * 2 // 3:
        before = "…" + before[-(_WIDTH * 2 // 3) :]
    if len(before) + len(after) > _WIDTH:
        after = after[: _WIDTH - len(before)] + "…"
    return f"{_INDENT}{before}{after}\n{_INDENT}{' ' * len(before)}^"


def _hidden(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The spans of an assertion's text that may hold a passphrase, in order, without overlap.

    A passphrase in a literal hides the literal. Where the literals themselves are in disorder (one is not closed, an
    operator is missing after it, a passphrase stands outside of any: a quote too many or too few, perhaps within the
    passphrase) nobody can tell where it ends, and all the rest of the assertion is hidden.
    """
    found = [match for match in _TOKEN.finditer(text, start, end) if match[1] or match[2]]
    values = [literals.decode(match[1] or match[2] + '"') for match in found]
    spans = []
    together = _is_put_together(values)
    for match, value in zip(found, values, strict=True):
        if together or _is_secret(value):
            in_order = match[1] is not None and not _is_cut(value) and _OPERATOR.match(text, match.end(), end)
            spans.append((match.start(), match.end() if in_order else end))
    inside = {position for match in found for position in range(*match.span())}
    bare = [place for place, _ in secrets(text, start, end) if place not in inside]
    return _merged([*spans, *((place, end) for place in bare[:1])])


def _is_put_together(values: list[str]) -> bool:
    """Whether a passphrase may be made of several literals, as in "passphrase:" . KEY."""
    if any(map(_is_cut, values)):
        return True
    return _is_secret("".join(values)) and not any(map(_is_secret, values))


def _is_cut(value: str) -> bool:
    """Whether a passphrase is announced and not there: it may be in what follows, whatever that is."""
    return _is_secret(value) and value.rstrip().endswith(":")


def _is_secret(text: str) -> bool:
    """Or what nearly is one."""
    return bool(secrets(text))


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
