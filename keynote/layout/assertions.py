# SPDX-License-Identifier: ISC
"""The canonical layout of an assertion: its fields in the order of RFC 2704 4.6, each laid out, with its comments."""

import re
from dataclasses import dataclass
from typing import Final

from keynote.layout import streams
from keynote.layout.printer import INDENT, Comment, Mark, laid_out
from keynote.layout.tokens import tokens
from keynote.literals import PATTERN

_ORDER: Final = (
    "KeyNote-Version",
    "Comment",
    "Local-Constants",
    "Authorizer",
    "Licensees",
    "Conditions",
    "Signature",
)
_NAMES: Final = {name.lower(): name for name in _ORDER}
_HEAD: Final = re.compile(r"^([A-Za-z-]+):", re.MULTILINE)
_NEXT: Final = re.compile(r"\n(?![ \t#])")
_LITERAL: Final = re.compile(PATTERN)
_COMMENT: Final = re.compile(r"^[ \t]*(#[^\n]*)", re.MULTILINE)


@dataclass(slots=True)
class _Field:
    name: str
    text: str
    above: list[str]


def comments_alone(text: str) -> str:
    """A piece that is nothing but comments."""
    return "".join(f"{comment.rstrip()}\n" for comment in _COMMENT.findall(text))


def assertion(text: str) -> str:
    """An assertion in the canonical layout, without the field Signature and what stands below it, if it has one."""
    heads = list(_HEAD.finditer(text))
    signature = next((number for number, head in enumerate(heads) if head[1].lower() == "signature"), len(heads))
    end = heads[signature].start() if signature < len(heads) else len(text)
    fields: list[_Field] = []
    first = _COMMENT.findall(text[: heads[0].start()])
    above: list[str] = []
    for number, head in enumerate(heads[:signature]):
        stop = heads[number + 1].start() if number + 1 < len(heads) else end
        name = _NAMES[head[1].lower()]
        laid, below = _field(name, text[head.end() : stop])
        fields.append(_Field(name, laid, above))
        above = below
    fields.sort(key=lambda field: _ORDER.index(field.name))
    lines = [comment.rstrip() for comment in first]
    for field in fields:
        lines += [*field.above, field.text]
    return "\n".join([*lines, *above]) + "\n"


def below_signature(text: str) -> str:
    """What stands below the field Signature, with which `text` begins: it is not signed, and stays as it is."""
    end = _NEXT.search(text)
    literals = list(_LITERAL.finditer(text, 0, end.start() if end else len(text)))
    rest, _, below = text[literals[-1].end() if literals else len(text) :].partition("\n")
    comment = rest.strip()
    below = f"{comment}\n{below}" if comment.startswith("#") else below
    return below if not below or below.endswith("\n") else f"{below}\n"


def _field(name: str, text: str) -> tuple[str, list[str]]:
    """The field, and the comments below it, which belong to what follows."""
    if name == "Comment":
        return _comment(text)
    found = tokens(text)
    streams.mark_prefixes(found.tokens)
    items = streams.assignments(found.tokens) if name == "Local-Constants" else streams.expression(found.tokens)
    items += [Comment(comment, True) for comment in found.inside]
    head = f"{name}:"
    if not items:
        return head, found.below
    # A line of its own makes no room for a single word.
    alone = len(found.tokens) == 1 and not found.tokens[0].before
    stream = [Mark.BEGIN, Mark.IN, " " if alone else Mark.SPACE, *items, Mark.OUT, Mark.END]
    return head + laid_out(stream, len(head)), found.below


def _comment(text: str) -> tuple[str, list[str]]:
    lines = [(line, line.strip(" \t")) for line in text.split("\n")]
    below: list[str] = []
    while len(lines) > 1 and (not lines[-1][1] or lines[-1][0].startswith("#")):
        _, comment = lines.pop()
        if comment:
            below.append(comment)
    below.reverse()
    first, *more = [stripped for _, stripped in lines]
    head = f"Comment: {first}".rstrip()
    return "\n".join([head, *(" " * INDENT + line for line in more if line)]), below
