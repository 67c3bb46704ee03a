# SPDX-License-Identifier: ISC
"""Escapes in regular expressions that mean a class of characters elsewhere, and in POSIX a letter: `\\d`."""

import re
from typing import Final

#: An escaped character, or a bracket expression with what is in it.
_PIECES: Final = re.compile(r"\\(?P<escaped>.)|\[\^?\]?(?P<members>(?:\[[:.=].*?[:.=]\]|[^\]])*)\]", re.DOTALL)
_IN_BRACKETS: Final = re.compile(r"\\[dDwWsSnrtfv]")
_POSIX: Final = {"d": "[0-9]", "D": "[^0-9]", "w": "[A-Za-z0-9_]", "W": "[^A-Za-z0-9_]", "s": "[[:space:]]"}


def first(pattern: str) -> str | None:
    """The first escape that means something in Perl and others, and in POSIX its letter alone; in brackets the
    backslash, too."""
    for piece in _PIECES.finditer(pattern):
        escaped, members = piece["escaped"], piece["members"]
        if escaped is not None and escaped.isascii() and escaped.isalnum():
            return piece[0]
        found = _IN_BRACKETS.search(members or "")
        if found is not None:
            return found[0]
    return None


def meaning(escape: str) -> str:
    """What it is in POSIX, and what to write instead, if there is a short text."""
    letter = escape[1]
    meant = f"; write `{_POSIX[letter]}`" if letter in _POSIX else ""
    return f"the letter `{letter}`{meant}"
