# SPDX-License-Identifier: ISC
"""What a misspelt word may be meant for."""

import difflib
from collections.abc import Iterable
from typing import Final

#: Words that begin with what was written, beyond which it was too little to tell.
_BEGINNINGS: Final = 3


def nearest(word: str, known: Iterable[str]) -> str:
    """The known word that goes on where this one ends, at an underscore; or else the one most like it, in any case.
    Empty if there is none."""
    by_lower = {each.lower(): each for each in known}
    word = word.lower()
    begun = [each for each in by_lower if each.startswith(f"{word}_")]
    if 0 < len(begun) <= _BEGINNINGS:
        return by_lower[difflib.get_close_matches(word, begun, n=1, cutoff=0)[0]]
    close = difflib.get_close_matches(word, by_lower, n=1)
    return by_lower[close[0]] if close else ""
