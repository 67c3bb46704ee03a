# SPDX-License-Identifier: ISC
"""The canonical layout of policies: `keynote fmt`.

Only white space changes, the order of fields, and how their names are written. Literals stay as they are written, and
comments stay with what they stand at.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from keynote import limits
from keynote.assertions import Assertion, Reader
from keynote.errors import PolicyError, Problem
from keynote.exact_text import exact_text
from keynote.excerpts import excerpt
from keynote.files import blocks, is_only_comments, parse_all, problem
from keynote.layout import assertions
from keynote.locations import Source

#: Signs an assertion anew: from its text, without the signature that it had, to its text with the new one.
Resign = Callable[[Assertion, str], str]

SIGNED: Final = "signed, and a new layout would void the signature"


def formatted(text: str | bytes, *, name: str, resign: Resign | None = None) -> str:
    """The text of a file of assertions in its canonical layout.

    Raises PolicyError for text that is not KeyNote, and for a signed assertion whose layout is another, unless
    `resign` signs it anew; and whatever `resign` raises.
    """
    found, problems = parse_all(text, name=name)
    if problems:
        raise PolicyError(problems)
    by_start = {assertion.start: assertion for assertion in found}
    source = found[0].source if found else Source(name, text if isinstance(text, str) else text.decode("latin-1"))
    pieces: list[str] = []
    for start, end in blocks(source.text):
        written = source.text[start:end]
        if is_only_comments(source.text, start, end):
            pieces.append(assertions.comments_alone(written))
            continue
        try:
            pieces.append(_assertion(by_start[start], written, resign))
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(problems)
    return "\n".join(piece for piece in pieces if piece)


def _assertion(found: Assertion, written: str, resign: Resign | None) -> str:
    laid = assertions.assertion(written)
    if found.signature is None:
        _check_same(found, laid)
        return laid
    if written.startswith(laid):
        return written if written.endswith("\n") else f"{written}\n"
    if resign is not None:
        _check_same(found, laid)
        return resign(found, laid) + assertions.below_signature(written[found.end - found.start :])
    at = found.signature.start
    shown = excerpt(found.source, at, found.start, at)
    raise PolicyError([Problem(found.source.location(at), SIGNED, "`--resign KEY` signs it anew", shown)])


def _check_same(before: Assertion, laid: str) -> None:
    """Lest a mistake of ours changes what a policy says. Raises PolicyError for a layout that could not be read."""
    if len(laid) > limits.ASSERTION_SIZE:
        at = before.authorizer.start
        message = (
            f"in its layout it has {len(laid):,} characters, and an assertion may have {limits.ASSERTION_SIZE:,}"
        )
        raise PolicyError([problem(before.source, at, message, "divide it")])
    source = Source(before.source.name, laid)
    after = Reader(source).assertion(0, len(laid))
    if _meaning(before) != _meaning(after) or _characters(before.text) != _characters(laid):
        raise AssertionError("a new layout would change the meaning")


def _meaning(assertion: Assertion) -> tuple[object, ...]:
    fields = (assertion.authorizer, assertion.licensees, assertion.conditions)
    trees = [None if field is None else exact_text(field.tree) for field in fields]
    return *trees, dict(assertion.constants)


def _characters(text: str) -> Counter[str]:
    """How often each is there, of everything but white space and how the fields' names are written; comments too."""
    return Counter("".join(text.split()).lower())
