# SPDX-License-Identifier: ISC
"""A relation that did not turn out as it should, in words: "esp_enc_alg is `null`, needs `aes` or `3des`"."""

import difflib
from collections.abc import Sequence
from typing import Final

from keynote import expressions, foreign_escapes
from keynote.assertions import Assertion
from keynote.environment import Environment, PartialEnvironment, Scale, UnknownAttribute, is_group_name
from keynote.errors import EvaluationError
from keynote.facts import OPPOSITE, attribute, fact, is_piece
from keynote.misses import Change, Miss
from keynote.printing import number_text, printed
from keynote.redaction import HIDDEN_TEXT, may_be_part_of_key, quoted, shown, shown_piece
from keynote.secrecy import groups_are_secret
from keynote.syntax import Match, Name, Node, walk

#: Characters of a value that are told.
_LONGEST: Final = 300
_MOST_NAMES: Final = 8


def described(changes: Sequence[Change], assertion: Assertion, environment: PartialEnvironment) -> str:
    """What the first change would be. Alternatives for one attribute are told together."""
    first = changes[0]
    if isinstance(first.truth, EvaluationError):
        text = f"{first.truth} in `{printed(first.relation, 200)}`"
        computed = isinstance(first.relation, Match) and _values_in(first.relation.pattern, assertion, environment)
        return f"{text} ({computed})" if computed else text
    needs = [_need(change, assertion, environment) for change in changes]
    if needs[0] is None:
        return _plainly(first, assertion, environment)
    attribute, need = needs[0]
    alternatives = [other[1] for other in needs if other is not None and other[0] == attribute]
    if need.startswith("needs "):
        values = [text.removeprefix("needs ") for text in dict.fromkeys(alternatives) if text.startswith("needs ")]
        need = "needs " + one_of(values)
    return f"{_is(attribute, assertion, environment)}, {need}"


def _need(change: Change, assertion: Assertion, environment: Environment) -> tuple[str, str] | None:
    """The attribute that a relation tests against a constant, and what it needs to be; None for other relations."""
    relation = change.relation
    if isinstance(relation, Match):
        pattern = expressions.string(relation.pattern, assertion.constants)
        name = attribute(relation.subject, assertion.constants)
        if name is None or not isinstance(pattern, str):
            return None
        verb = "must match" if change.wanted else "must not match"
        told = _constant(name, pattern, assertion, environment)
        # Only of what is shown: a pattern may have a key in it, or be long.
        escape = foreign_escapes.first(pattern) if len(pattern) <= _LONGEST else None
        if escape is not None and escape in told:
            told += f" (`{escape}` is {foreign_escapes.meaning(escape)})"
        return name, f"{verb} {told}"
    found = fact(relation, assertion.constants)
    if found is None:
        return None
    name, constant = found.name, found.value
    operator = found.operator if change.wanted else OPPOSITE[found.operator]
    text = _constant(name, constant, assertion, environment) if isinstance(constant, str) else _number(constant)
    if operator == "==":
        return name, f"needs {text}"
    return name, f"must not be {text}" if operator == "!=" else f"needs {operator} {text}"


def _constant(name: str, text: str, assertion: Assertion, environment: Environment) -> str:
    """What an attribute is compared with."""
    if not text:
        return '`""`'
    if _is_secret_group(name, assertion, environment):
        return f"`{HIDDEN_TEXT}`"
    return _cut(shown_piece(text) if is_piece(name) else shown(text))


def _is(name: str, assertion: Assertion, environment: Environment) -> str:
    try:
        value = environment.get(name, "")
    except UnknownAttribute:
        return f"{name} is unknown"
    if not value:
        return f"{name} is empty"
    hidden = _is_secret_group(name, assertion, environment)
    return f"{name} is `{HIDDEN_TEXT}`" if hidden else f"{name} is {_cut(shown(value))}"


def would_do(text: str, name: str, value: str) -> str:
    """Of what is told about an attribute: a value that would do. Nothing if there is something to hide in it."""
    known = shown(value)
    # What was tried is a neighbour of a constant, which may be a key.
    if (known != value and HIDDEN_TEXT in known) or may_be_part_of_key(value):
        return ""
    told = _cut(known) if value else '`""`'
    return f" ({told} would do)" if text.startswith(f"{name} is ") else f" ({name} {told} would do)"


def _is_secret_group(name: str, assertion: Assertion, environment: Environment) -> bool:
    return is_group_name(name) and groups_are_secret(assertion, environment)


def _cut(text: str) -> str:
    """In backticks: an attribute may be as long as its sender likes. `text` has nothing to hide any more, lest a part
    of a passphrase's prefix is taken for something else."""
    return f"`{text}`" if len(text) <= _LONGEST else f"`{text[:_LONGEST]}…`"


def _number(number: int | float) -> str:
    text = number_text(number)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _plainly(change: Change, assertion: Assertion, environment: Environment) -> str:
    values = _values_in(change.relation, assertion, environment)
    verdict = "does not hold" if change.wanted else "holds"
    return f"`{printed(change.relation, 200)}` {verdict}" + (f" ({values})" if values else "")


def _values_in(node: Node, assertion: Assertion, environment: Environment) -> str:
    """What the attributes are that an expression reads; "" if there are none."""
    names = sorted({it.name for it in walk(node) if isinstance(it, Name)} - assertion.constants.keys())
    told = [_is(name, assertion, environment) for name in names[:_MOST_NAMES]]
    return ", ".join(told) + (" and so on" if len(names) > _MOST_NAMES else "")


def too_little(scale: Scale, goal: int, miss: Miss) -> str:
    """What Conditions give of which no clause gives the value `goal`, whatever the action is."""
    wanted, given = quoted(scale.values[goal]), miss.given
    if given is None:
        verdict = "its value is a run-time error"
    elif given not in scale.index:
        close = difflib.get_close_matches(given, scale.values, n=1)
        named = _cut(shown(given)) if given else '`""`'
        verdict = f"{named} is none of the compliance values"
        verdict += f" (did you mean {quoted(close[0])}?)" if close else f" {_values(scale)}"
    elif scale.index[given] == 0:
        verdict = f"{quoted(given)} is the lowest value"
    else:
        verdict = f"{'it gives' if miss.holds else 'the most is'} {quoted(given)}"
    if miss.holds:
        return f"its clause holds, but does not give {wanted}: {verdict}"
    return f"no clause gives {wanted}, even if it holds: {verdict}"


def _values(scale: Scale) -> str:
    told = [quoted(value) for value in scale.values[:_MOST_NAMES]]
    return ", ".join(told) + (" and so on" if len(scale.values) > _MOST_NAMES else "")


def one_of(texts: Sequence[str]) -> str:
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"
