# SPDX-License-Identifier: ISC
"""A copy of a form's tree is what the grammar would have made of the text."""

import re
from dataclasses import fields

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from keynote import forms, grammar
from keynote.syntax import Node
from tests.keynote import reference

TEXTS = st.text(st.sampled_from('x#&;$ \\\n"\xe4'), max_size=6)
LITERAL = re.compile('"[^"]*"')


def described(root: Node) -> list[object]:
    """Every node of a tree with its place and all else in it, in order."""
    found: list[object] = []
    todo: list[object] = [root]
    while todo:
        item = todo.pop()
        if isinstance(item, Node):
            found.append(type(item))
            todo += [getattr(item, field.name) for field in reversed(fields(item))]
        elif isinstance(item, tuple):
            found.append(len(item))
            todo += reversed(item)
        else:
            found.append(item)
    return found


def outcome(parse: object, text: str) -> object:
    try:
        return described(parse(text))  # type: ignore[operator]
    except grammar.Unreadable as unreadable:
        return list(unreadable.mistakes)


def agrees(text: str) -> None:
    assert outcome(forms.conditions, text) == outcome(grammar.conditions, text)


@settings(max_examples=300)
@given(reference.PROGRAMS, st.lists(TEXTS, min_size=1, max_size=6))
def test_texts_of_one_form(program: reference.Program, texts: list[str]) -> None:
    text = reference.program_text(program)
    agrees(text)
    pieces = LITERAL.split(text)
    for first in range(2):
        literals = [f'"{texts[(first + number) % len(texts)]}"' for number in range(len(pieces) - 1)]
        agrees("".join(piece + literal for piece, literal in zip(pieces, [*literals, ""], strict=True)))


@settings(max_examples=500)
@given(st.lists(st.sampled_from(['"', "a", " == ", ";", "#", "\\", "\n", "\0", "x", '"y"', "&& "])).map("".join))
@example('a == "x"; # it\'s "\n b == "y";')
@example('a == \0; b == "x";')
def test_any_text(text: str) -> None:
    agrees(text)
    agrees(text.replace('"y"', '"longer"'))
    agrees(text)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ('a == "x";', "a == \0;"),
        ('a == "x";', 'a == "# x" ;'),
        ('a == "x" && b == "y";', 'a == "x && b == \\"y";'),
        ('a == "x"; # "\n', 'a == "x" # "\n;'),
        ('a == "" -> "";', 'a == "aaaaaaa" -> "bbb";'),
        ('"a" == b -> { "c" ~= d -> "e"; };', '"" == b -> { "cccc" ~= d -> ""; };'),
        ('a == "x" . "y" . $"z" && @a < 1 + 2 * 3;', 'a == "" . "" . $"zz" && @a < 1 + 2 * 3;'),
        ('a = "x";', 'a = "xyz";'),
    ],
)
def test_pairs(first: str, second: str) -> None:
    agrees(first)
    agrees(second)
    agrees(first)


def test_a_second_text_is_not_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    forms.conditions('only_here == "1" && (this || form);'.replace("this || form", 'b == "2"'))
    monkeypatch.setattr(grammar, "conditions", lambda text: pytest.fail(f"parsed {text}"))
    copy = forms.conditions('only_here == "123" && (b == "");')
    assert repr(copy) == '<Program only_here == "123" && b == "";>'
