# SPDX-License-Identifier: ISC
"""Encodings in which editors and shells save what should be bytes: told by what a text begins with."""

from typing import Final

BYTE_ORDER_MARK: Final = "\xef\xbb\xbf"
_MARK_HINT: Final = "save the file as UTF-8 without it, or take it away with `sed -i '1s/^\\xef\\xbb\\xbf//'`"

# UTF-32 first: its mark begins with that of UTF-16.
_MARKS: Final = {
    "\xff\xfe\0\0": "UTF-32LE",
    "\0\0\xfe\xff": "UTF-32BE",
    "\xff\xfe": "UTF-16LE",
    "\xfe\xff": "UTF-16BE",
}
#: So much of a text without a mark is looked at: of ASCII in UTF-16, each second byte is NUL.
_LOOKED_AT: Final = 64


def wrong_encoding(text: str) -> tuple[str, str] | None:
    """What is wrong with the encoding of a text, which is given in Latin-1, and what to do; None if nothing is."""
    if text.startswith(BYTE_ORDER_MARK):
        return "a byte order mark of UTF-8", _MARK_HINT
    marked = next((name for mark, name in _MARKS.items() if text.startswith(mark)), None)
    encoding = marked or _by_zeros(text)
    if encoding is None:
        return None
    # By the name without the order of bytes, iconv takes the mark away.
    by_name = encoding if marked is None else encoding[:-2]
    return f"text in {encoding}, where ASCII or UTF-8 is wanted", f"`iconv -f {by_name} -t UTF-8` converts it"


def _by_zeros(text: str) -> str | None:
    start = text[:_LOOKED_AT]
    zeros = [number % 4 for number, char in enumerate(start) if char == "\0"]
    if len(start) < 4 or len(zeros) * 3 < len(start):
        return None
    found = set(zeros)
    for encoding, places in (
        ("UTF-16LE", {1, 3}),
        ("UTF-16BE", {0, 2}),
        ("UTF-32LE", {1, 2, 3}),
        ("UTF-32BE", {0, 1, 2}),
    ):
        if found == places:
            return encoding
    return None
