# SPDX-License-Identifier: ISC
"""The line a mistake stands in, with a caret below the place, and no passphrase in sight."""

import re
from typing import Final

from keynote import literals
from keynote.locations import Source
from keynote.redaction import HIDDEN, is_secret, visible

_WIDTH: Final = 100
_INDENT: Final = "    "

# A comment; a string literal; or a literal that is never closed, up to where its line ends.
_TOKEN = re.compile(rf'#[^\n]*|({literals.PATTERN})|("(?:[^"\\\n]|\\(?:\n[ \t\n]*+|.|\Z))*+)')
# What may follow a literal; or else the rest of the line.
_AFTER_LITERAL = re.compile(r"[ \t]*(?:([)},;.#]|&&|\|\||->|[=!<>~]=|\Z|\n)|[^\n]*)")
_BARE_SECRET = re.compile(r"passphrase[a-z0-9-]*:[^\n]*", re.IGNORECASE)


def excerpt(source: Source, at: int, start: int, end: int) -> str:
    """The line that holds the offset `at`, and a caret. The assertion it belongs to is `source.text[start:end]`."""
    line_start, line = source.line(source.location(at).line)
    line_end = line_start + len(line)
    before: list[str] = []
    after: list[str] = []
    position = line_start
    for span_start, span_end in [*_hidden(source.text, start, end), (line_end, line_end)]:
        if span_end < line_start or span_start > line_end:
            continue
        _divide(source.text, position, max(span_start, line_start), at, before, after)
        if max(span_start, line_start) < min(span_end, line_end):
            (before if span_end <= at else after).append(f'"{HIDDEN}"')
        position = min(span_end, line_end)
    return _cropped("".join(before), "".join(after))


def _divide(text: str, start: int, end: int, at: int, before: list[str], after: list[str]) -> None:
    middle = min(max(at, start), end)
    before.append(visible(text[start:middle]))
    after.append(visible(text[middle:end]))


def _cropped(before: str, after: str) -> str:
    if len(before) > _WIDTH * 2 // 3:
        before = "…" + before[-(_WIDTH * 2 // 3) :]
    if len(before) + len(after) > _WIDTH:
        after = after[: _WIDTH - len(before)] + "…"
    return f"{_INDENT}{before}{after}\n{_INDENT}{' ' * len(before)}^"


def _hidden(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """The spans of an assertion's text that may hold a passphrase, in order, without overlap."""
    spans, values = [], []
    for match in _TOKEN.finditer(text, start, end):
        literal = match[1] or match[2]
        if literal is not None:
            spans.append(match.span())
            values.append(literals.decode(literal if match[1] else literal + '"'))
    # A passphrase may be put together: "passphrase:" . KEY. Then any of the literals may be its rest.
    together = any(value.rstrip().endswith(":") and is_secret(value) for value in values)
    if together or (is_secret("".join(values)) and not any(map(is_secret, values))):
        hidden = spans
    else:
        hidden = [span for span, value in zip(spans, values, strict=True) if is_secret(value)]
    hidden = [_extended(text, span, end) for span in hidden]
    return _merged([*hidden, *_bare_secrets(text, start, end, spans)])


def _extended(text: str, span: tuple[int, int], end: int) -> tuple[int, int]:
    """The span, up to the end of the line if what follows is no operator: a quote may stand within a passphrase."""
    following = _AFTER_LITERAL.match(text, span[1], end)
    assert following is not None
    return span if following[1] is not None else (span[0], following.end())


def _bare_secrets(text: str, start: int, end: int, literals_found: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Passphrases outside of literals: a quote too many or too few turns literals inside out."""
    inside = {position for span in literals_found for position in range(*span)}
    bare = [match.span() for match in _BARE_SECRET.finditer(text, start, end)]
    return [span for span in bare if span[0] not in inside]


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged
