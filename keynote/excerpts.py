# SPDX-License-Identifier: ISC
"""The line a mistake stands in, with a caret below the place, and no passphrase in sight."""

import re
from typing import Final

from keynote import literals
from keynote.locations import Source
from keynote.redaction import (
    HIDDEN,
    HIDDEN_TEXT,
    hiding,
    is_piece_of_key,
    secrets,
    secrets_of_value,
    visible,
    without_keys,
)

_WIDTH: Final = 100
_INDENT: Final = "    "
_LONGEST: Final = 4 * _WIDTH  # bytes, of which a character may need four

# A comment; a string literal; or a literal that is never closed, up to where its line ends.
_TOKEN = re.compile(rf'#[^\n]*|({literals.PATTERN})|("(?:[^"\\\n]|\\(?:\n[ \t\n]*+|.|\Z))*+)')
# A principal that lost its quotes, and a blank in the place of the colon.
_BARE = re.compile(
    r"(?:^(?:authorizer|licensees):|[(,|&=])[ \t]*(pass[ \t_-]?phrase[a-z0-9-]*+[ \t]+[^ \t\n|&,)])", re.I | re.M
)
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
        with hiding([source.keys()]):
            self._hidden = _hidden(source.text, _beginning(source.text, start), end)

    def at(self, at: int) -> str:
        """The line that holds the offset `at`, and a caret."""
        with hiding([self._source.keys()]):
            return self._at(at)

    def _at(self, at: int) -> str:
        source = self._source
        line_start, line = source.line(source.location(at).line)
        line_end = line_start + len(line)
        before: list[str] = []
        after: list[str] = []
        position = line_start
        for span_start, span_end, instead in [*self._hidden, (line_end, line_end, "")]:
            if span_end < line_start or span_start > line_end:
                continue
            _divide(source.text, position, max(span_start, line_start), at, before, after)
            if max(span_start, line_start) < min(span_end, line_end):
                (before if span_end <= at else after).append(f'"{instead}"')
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
    before.append(visible(without_keys(text[max(start, middle - _LONGEST) : middle])))
    after.append(visible(without_keys(text[middle : min(end, middle + _LONGEST)])))


def _cropped(before: str, after: str) -> str:
    if len(before) > _WIDTH * 2 // 3:
        before = "…" + before[-(_WIDTH * 2 // 3) :]
    if len(before) + len(after) > _WIDTH:
        after = after[: _WIDTH - len(before)] + "…"
    return f"{_INDENT}{before}{after}\n{_INDENT}{' ' * len(before)}^"


_Span = tuple[int, int, str]


def _hidden(text: str, start: int, end: int) -> list[_Span]:
    """The spans of an assertion's text that may hold a passphrase, in order, without overlap; and what to show.

    A passphrase in a literal hides the literal. Where the literals themselves are in disorder (one is not closed, an
    operator is missing after it, a passphrase stands outside of any: a quote too many or too few, perhaps within the
    passphrase) nobody can tell where it ends, and all the rest of the assertion is hidden.
    """
    found = [match for match in _TOKEN.finditer(text, start, end) if match[1] or match[2]]
    values = [literals.decode(match[1] or match[2] + '"') for match in found]
    spans = []
    together = _is_put_together(values)
    in_pieces = "_ACTION_AUTHORIZERS" in text[start:end] or "$" in text[start:end]
    for match, value in zip(found, values, strict=True):
        if not together and not _is_secret(value):
            if without_keys(value) != value or (in_pieces and is_piece_of_key(value)):
                spans.append((*match.span(), HIDDEN_TEXT))
        else:
            in_order = match[1] is not None and not _is_cut(value) and _OPERATOR.match(text, match.end(), end)
            spans.append((match.start(), match.end() if in_order else end, HIDDEN))
    inside = {position for match in found for position in range(*match.span())}
    bare = [secret.start for secret in secrets(text, start, end) if secret.start not in inside]
    bare += [found.start(1) for found in _BARE.finditer(text, start, end) if found.start(1) not in inside]
    return _merged([*spans, *((place, end, HIDDEN) for place in sorted(bare)[:1])])


def _is_put_together(values: list[str]) -> bool:
    """Whether a passphrase may be made of several literals, as in "passphrase:" . KEY."""
    if any(map(_is_cut, values)):
        return True
    return bool(secrets("".join(values))) and not any(map(_is_secret, values))


def _is_cut(value: str) -> bool:
    """Whether a passphrase is announced and not there: it may be in what follows, whatever that is."""
    return _is_secret(value) and value.rstrip().endswith(":")


def _is_secret(text: str) -> bool:
    """Or what nearly is one."""
    return bool(secrets_of_value(text))


def _merged(spans: list[_Span]) -> list[_Span]:
    merged: list[_Span] = []
    for start, end, instead in sorted(spans):
        if merged and start <= merged[-1][1]:
            before = merged[-1]
            merged[-1] = (before[0], max(end, before[1]), HIDDEN if HIDDEN in (instead, before[2]) else instead)
        else:
            merged.append((start, end, instead))
    return merged
