# SPDX-License-Identifier: ISC
"""String literals, RFC 2704 4.3.1."""

import re

# A backslash before a newline swallows all white space up to the next token; `\ooo`, `\0oo` and `\0o` are octal;
# any other character stands for itself, except the four that C taught everybody.
_ESCAPE = re.compile(r"\\(?:(\n[ \t\n]*)|([0-7]{3}|0[0-7])|(.))", re.DOTALL)
_CONTROL = {"n": "\n", "r": "\r", "t": "\t", "f": "\f"}

#: A whole literal with its quotes. A raw newline or return is illegal in one, and so is NUL; a newline after a
#: backslash is not, nor are those in the white space that follows it.
PATTERN = r'"[^"\\\r\n\0]*+(?:\\(?:\n[ \t\n]*+|[^\r\n\0])[^"\\\r\n\0]*+)*+"'


def _unescaped(match: re.Match[str]) -> str:
    continuation, octal, char = match.groups()
    if continuation is not None:
        return ""
    if octal is not None:
        # RFC 2704 is silent on \400 and above: they wrap to eight bits, as the C library has it. What comes out
        # as NUL cannot be a character of a string, and stands for its digits.
        return chr(int(octal, 8) & 0xFF) if int(octal, 8) & 0xFF else octal
    return _CONTROL.get(char, char)


def decode(literal: str) -> str:
    """The value of a literal, given with its quotes."""
    body = literal[1:-1]
    return _ESCAPE.sub(_unescaped, body) if "\\" in body else body


def encode(text: str) -> str:
    """A literal, with its quotes, of which `text` is the value: `decode(encode(text)) == text`.

    Raises ValueError if `text` has a character that no literal can hold: NUL, or beyond Latin-1.
    """
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return f'"{text}"'
    pieces = []
    for char in text:
        if not 0 < ord(char) < 256:
            raise ValueError(f"a KeyNote string cannot hold the character {char!r}")
        if char in '"\\':
            pieces.append("\\" + char)
        elif char in "\n\r":
            pieces.append("\\n" if char == "\n" else "\\r")
        elif char.isprintable() or char == "\t":
            pieces.append(char)
        else:
            pieces.append(f"\\{ord(char):03o}")
    return '"' + "".join(pieces) + '"'
