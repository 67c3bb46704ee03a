# SPDX-License-Identifier: ISC
"""What fuzzing starts with, and what it once found, keeps the invariant of fuzz/keynote_language.py."""

from pathlib import Path

import pytest

from fuzz.keynote_language import check

CORPUS = sorted((Path(__file__).parents[2] / "fuzz" / "corpus").iterdir())


def test_there_is_a_corpus() -> None:
    assert len(CORPUS) > 100


@pytest.mark.parametrize("chunk", range(8))
def test_the_corpus_keeps_the_invariant(chunk: int) -> None:
    for path in CORPUS[chunk::8]:
        try:
            check(path.read_bytes())
        except Exception as error:
            error.add_note(f"python -m fuzz {path}")
            raise
