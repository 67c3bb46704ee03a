# SPDX-License-Identifier: ISC
"""What a misspelt word may be meant for."""

import difflib
from collections.abc import Collection
from typing import Final

#: Comparisons of two words in all. A policy of ten thousand names is not misspelt ten thousand times.
_MOST: Final = 50_000


class Speller:
    """Finds the nearest of the known words, as long as it does not take too long in all."""

    def __init__(self) -> None:
        self._left = _MOST

    def meant(self, word: str, known: Collection[str], likeness: float = 0.6) -> str:
        """The nearest word, or an empty text if none is near."""
        self._left -= len(known)
        if self._left < 0:
            return ""
        close = difflib.get_close_matches(word, known, n=1, cutoff=likeness)
        return close[0] if close else ""
