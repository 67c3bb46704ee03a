# SPDX-License-Identifier: ISC
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keynote import literals
from keynote.printing import printed
from keynote.redaction import redacted
from keynote.syntax import Literal

TEXTS = st.text(st.characters(min_codepoint=1, max_codepoint=255))


@pytest.mark.parametrize(
    ("literal", "value"),
    [
        (r'""', ""),
        (r'"plain"', "plain"),
        (r'"like \"this\""', 'like "this"'),
        (r'"\n\r\t\f"', "\n\r\t\f"),
        (r'"\\"', "\\"),
        (r'"\a\z\!"', "az!"),
        ('"a\\\n   \t\n  b"', "ab"),
        (r'"\012\101\377"', "\nA\xff"),
        (r'"\07"', "\x07"),
        (r'"\0\00\000"', "000000"),
        (r'"\1234"', "S4"),
        (r'"\12"', "12"),
        (r'"\08"', "08"),
        (r'"\477\400"', "?400"),  # the RFC is silent, libkeynote wraps
    ],
)
def test_decode(literal: str, value: str) -> None:
    assert re.fullmatch(literals.PATTERN, literal)
    assert literals.decode(literal) == value


def test_the_four_equal_strings_of_the_rfc() -> None:
    spellings = [
        r'"this string contains a newline\n followed by one space."',
        '"this string contains a newline\\n \\\n        followed by one space."',
        '"this str\\\n   ing contains a \\\n   newline\\n followed by one space."',
        r'"this string contains a newline\012\040followed by one space."',
    ]
    assert len({literals.decode(spelling) for spelling in spellings}) == 1


@pytest.mark.parametrize("text", ['"a\nb"', '"a\rb"', '"a\\\rb"', '"a\0b"', '"a', 'a"', '"a\\"'])
def test_no_literal(text: str) -> None:
    assert not re.fullmatch(literals.PATTERN, text)


@given(TEXTS)
def test_encode_is_undone_by_decode(text: str) -> None:
    literal = literals.encode(text)
    assert re.fullmatch(literals.PATTERN, literal)
    assert literals.decode(literal) == text


@pytest.mark.parametrize("text", ["\0", "\u20ac"])
def test_encode_refuses_what_no_literal_holds(text: str) -> None:
    with pytest.raises(ValueError, match="cannot hold"):
        literals.encode(text)


# Invariant: an expression that is printed has the value of the one that was read, whatever bytes are in it.
@given(st.one_of(TEXTS, st.text(st.characters(codec="utf-8")).map(lambda text: text.encode().decode("latin-1"))))
def test_a_printed_literal_has_the_same_value(text: str) -> None:
    if "\0" in text or redacted(text) != text:
        return
    shown = printed(Literal(0, text))
    assert shown.isprintable()
    assert literals.decode(shown.encode().decode("latin-1")) == text
